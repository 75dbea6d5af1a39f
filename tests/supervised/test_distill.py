"""A trained generator teaches another one."""

import numpy as np
import pytest
from tiny_shop import SETTINGS, write_shop

from genrecall.config import load_config
from genrecall.decode.base import Beams
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.ragged import Bags
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.generator.config import DistillConfig
from genrecall.generator.prompts import QUERY, Prompt
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.quantize.load import load_table
from genrecall.supervised.distill import distilled_prompts, open_teacher
from genrecall.supervised.prompt_sets import PromptSet, make_targets

SID_OF_ITEM = np.array([0, 1, 1, 2, 1, 0])


def prompt_set(texts):
    n = len(texts)
    one_each = np.arange(n + 1)
    return PromptSet(
        texts=texts,
        kind=QUERY,
        targets=make_targets(np.zeros(n, dtype=np.int64), np.ones(n), one_each),
        weight=np.arange(1.0, n + 1),
        made_of=None,
        cut=lambda: Bags(np.arange(n), one_each),
    )


def distill(logged, pseudo, **settings):
    asked = []

    def teacher(prompts, beam):
        asked.extend(prompt.text for prompt in prompts)
        leaves = np.full((len(prompts), beam), -1)
        leaves[:, :2] = [1, 2]
        logprob = np.full((len(prompts), beam), -np.inf, dtype=np.float32)
        logprob[:, :2] = np.log([0.3, 0.1])
        return Beams(leaves, logprob)

    config = DistillConfig(teacher="bundle", **settings)
    rng = np.random.default_rng(0)
    prompts = distilled_prompts(
        teacher, config, logged=logged, pseudo=pseudo, sid_of_item=SID_OF_ITEM, rng=rng
    )
    return prompts, asked


def test_a_sid_shares_its_probability_among_its_items():
    prompts, _ = distill(None, prompt_set(["saw"]), beam=3)
    weights = np.diff(prompts.targets.cumulative)
    assert prompts.targets.items.tolist() == [1, 2, 4, 3]
    np.testing.assert_allclose(weights, [0.25, 0.25, 0.25, 0.25], rtol=1e-6)
    drawn = prompts.targets.draw(np.zeros(4000, dtype=np.int64), 1, np.random.default_rng(1))
    assert np.mean(SID_OF_ITEM[drawn] == 1) == pytest.approx(0.75, abs=0.03)


def test_half_of_the_prompts_are_logged_as_far_as_there_are():
    logged, pseudo = prompt_set(["a", "b", "c"]), prompt_set([f"p{i}" for i in range(9)])
    prompts, asked = distill(logged, pseudo, prompts=4)
    assert list(prompts.texts) == asked
    assert [text.startswith("p") for text in asked] == [True, True, False, False]
    _, asked = distill(logged, pseudo, prompts=100)
    assert sorted(asked) == sorted([*logged.texts, *pseudo.texts])
    for text, number in zip(prompts.texts, prompts.bags.ids, strict=True):
        source = pseudo if text.startswith("p") else logged
        assert source.texts[number] == text


def test_a_teacher_says_what_its_bundle_generates(shop_run):
    table = load_table(shop_run.open_stage("quantize"))
    teacher = open_teacher(open_artifact(shop_run.bundle, kind="bundle"), table, SilentLog())
    taught = teacher([Prompt("red cordless drill")] * 70, 5)
    assert taught.leaves.shape == taught.logprob.shape == (70, 5)
    assert (taught.leaves == taught.leaves[0]).all()
    assert (np.diff(taught.logprob) <= 0).all()


def test_a_teacher_of_other_sids_is_refused(shop_run):
    bundle = open_artifact(shop_run.bundle, kind="bundle")
    table = SidTable(SidSpace((2, 2, 2)), np.zeros((120, 3), dtype=np.int32))
    with pytest.raises(ConfigError, match=r"has other SIDs \(\d+ in .*same settings up to the gen"):
        open_teacher(bundle, table, SilentLog())


def test_a_run_learns_from_another_runs_bundle(tmp_path):
    folder = tmp_path / "shop"
    outputs = Outputs(folder / "teacher")
    run(load_config(write_shop(folder)), outputs, log=SilentLog())
    distill = {"teacher": "teacher/bundle", "prompts": 30, "beam": 4}
    settings = {"generator": SETTINGS["generator"] | {"distill": distill}}
    config = load_config(write_shop(folder, settings=settings))
    student = Outputs(folder / "student")
    result = run(config, student, log=SilentLog())
    assert result.metrics is not None
    weights = "query_to_sid/compact.safetensors"
    both = [(of.stage("generator") / weights).read_bytes() for of in (outputs, student)]
    assert both[0] != both[1]
    assert run(config, student, log=SilentLog()).ran == ()
    served = open_artifact(student.bundle, kind="bundle").meta["config"]
    assert served["generator"]["distill"]["teacher"] == "bundle"  # no path of this machine
