"""What every family of generators promises. A new family joins by one line in `FAMILIES`."""

import dataclasses

import numpy as np
import pytest
import torch
from decoding import advance, score_all, search
from tiny_lm import as_generator, make_prompts, save
from trained import TEXTS, load_trained

from genrecall.bundle import open_bundle
from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.files import write_json
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.lm.model import LmModel
from genrecall.generator.load import USER_QUERY_TO_SID
from genrecall.generator.prompts import Prompt


class Compact:
    """A generator of a run, after the stage that reads shoppers."""

    def __init__(self, shop_run, _):
        self.generator = load_trained(shop_run, stage=USER_QUERY_TO_SID).generator
        self.prompts = [Prompt(text, history=(7, 3)[: n % 3]) for n, text in enumerate(TEXTS)]
        self._run = shop_run

    def reload(self, _):
        return load_trained(self._run, stage=USER_QUERY_TO_SID).generator


class RandomCompact(Compact):
    """With heads that say something of their own, as after long training."""

    def __init__(self, shop_run, lm):
        super().__init__(shop_run, lm)
        self.generator = load_trained(shop_run).with_random_weights()

    def reload(self, _):
        return load_trained(self._run).with_random_weights()


class Lm:
    """A language model that has learned a little."""

    def __init__(self, _, lm):
        self.generator = as_generator(lm)
        self.prompts = [*make_prompts(8), Prompt(""), Prompt("☂☂☂")]
        self._lm = lm

    def reload(self, folder):
        part = save(self._lm, folder / "generator")
        return as_generator(LmModel.load(part, space=self.generator.space))


FAMILIES = {"compact": Compact, "random compact": RandomCompact, "lm": Lm}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, shop_run, trained):
    return FAMILIES[request.param](shop_run, trained)


@pytest.fixture(scope="module")
def generator(family):
    return family.generator


def assert_equal_beams(one, other, atol=1e-4):
    np.testing.assert_array_equal(one.leaves, other.leaves)
    np.testing.assert_allclose(one.logprob, other.logprob, atol=atol)


def test_a_reading_has_a_row_for_each_prompt(family, generator):
    reading = generator.read(family.prompts)
    n = len(family.prompts)
    assert len(reading) == len(reading.prompts) == len(reading.step) == n
    assert reading.queries.shape == (n, generator.items.views.shape[1])
    assert (reading.queries.dtype, reading.step.dtype) == (np.float32, torch.float32)
    length = np.linalg.norm(reading.queries, axis=1)
    known = [bool(prompt.text.isascii() and prompt.text) for prompt in family.prompts]
    np.testing.assert_allclose(length, known, atol=1e-5)


def test_the_children_of_a_prefix_share_what_it_has(family, generator):
    """A language model gives some of it to codes that continue no SID."""
    trie, reading = generator.trie, generator.read(family.prompts)
    state, step = reading.state, reading.step
    assert step.shape == (len(family.prompts), trie.n_nodes[0])
    nodes, rows = np.arange(trie.n_nodes[0]), np.arange(trie.n_nodes[0]) % len(step)
    shares = [step.exp().sum(dim=1).numpy()]
    for level in (1, 2):
        state, step = advance(generator, state, rows.tolist(), nodes.tolist())
        assert step.shape == (trie.n_nodes[level],)
        shares.append(np.add.reduceat(step.exp().numpy(), trie.offsets[level][:-1]))
        rows = np.repeat(np.arange(len(nodes)), np.diff(trie.offsets[level]))
        nodes = np.arange(trie.n_nodes[level])
    every = np.concatenate(shares)
    assert ((every > 0) & (every < 1 + 1e-5)).all()
    if isinstance(generator, CompactGenerator):
        np.testing.assert_allclose(every, 1.0, atol=1e-5)


def test_a_wide_beam_equals_exhaustive_scoring(family, generator):
    beam = max(generator.items.trie.n_nodes)
    beams = search(generator, family.prompts, beam=beam)
    for leaves, logprob, prompt in zip(beams.leaves, beams.logprob, family.prompts, strict=True):
        scores = score_all(generator, prompt)
        found = leaves[: len(scores)]
        assert sorted(found.tolist()) == list(range(len(scores)))
        np.testing.assert_allclose(logprob[: len(scores)], scores[found], atol=1e-3)
        assert (np.diff(logprob[: len(scores)]) <= 0).all()


def test_a_batch_is_answered_like_each_prompt_alone(family, generator):
    together = search(generator, family.prompts, beam=6)
    for number, prompt in enumerate(family.prompts):
        assert_equal_beams(together[number], search(generator, [prompt], beam=6)[0])


def test_a_part_of_a_reading_is_searched_like_the_whole(family, generator):
    from genrecall.decode.reference import ReferenceEngine

    reading = generator.read(family.prompts)
    engine = ReferenceEngine(generator)
    whole = engine.search(reading, beam=6)
    rows = np.array([len(reading) - 1, 2, 0])
    part = engine.search(reading, beam=6, rows=rows)
    for place, row in enumerate(rows.tolist()):
        assert_equal_beams(part[place], whole[row])
    # It was left as it was.
    assert_equal_beams(engine.search(reading, beam=6), whole, atol=0)


def test_it_goes_on_where_nothing_is_left(family, generator):
    nothing = np.zeros(len(generator.items.trie), dtype=bool)
    beams = search(generator, family.prompts, beam=3, valid=nothing)
    assert (beams.leaves == -1).all()


@pytest.mark.parametrize("text", ["", "日本", "☂☂☂", "\x00", "x" * 5000])
def test_a_text_without_a_known_word_is_read(generator, text):
    reading = generator.read([Prompt(text)])
    assert torch.isfinite(reading.step).all()
    assert np.isfinite(reading.queries).all()


def test_a_strange_history_is_read(generator):
    n = len(generator.items)
    strange = [(), (0,) * 500, tuple(range(n)), (n - 1, 0, n - 1)]
    prompts = [Prompt("lamp", history=history) for history in strange]
    prompts.append(Prompt("lamp", profile=(("shoe size", "42"), ("", ""))))
    together = search(generator, prompts, beam=4)
    assert np.isfinite(together.logprob).all()
    for number, prompt in enumerate(prompts):
        assert_equal_beams(together[number], search(generator, [prompt], beam=4)[0])
    # A profile that it was not taught is no profile.
    assert_equal_beams(together[4], together[0])
    assert generator.read(prompts).prompts[4] == Prompt("lamp")


def test_what_is_loaded_again_generates_equally(family, generator, tmp_path):
    again = search(family.reload(tmp_path), family.prompts, beam=8)
    assert_equal_beams(again, search(generator, family.prompts, beam=8), atol=0)


def test_it_is_the_same_over_the_same_items(family, generator):
    over = generator.over(generator.items)
    np.testing.assert_array_equal(over.items.views[:], generator.items.views[:])
    both = (search(g, family.prompts, beam=8) for g in (over, generator))
    assert_equal_beams(*both, atol=0)


def test_a_family_of_another_version_is_refused(shop_run, tmp_path):
    stages = shop_run.open_stage("generator").read_json("stages.json")
    with writing(tmp_path / "generator", kind="generator") as folder:
        write_json(folder / "stages.json", stages | {"family": "rnn"})
        (folder / "query_to_sid").mkdir()
        write_json(folder / "query_to_sid/model.json", {})
    parts = open_bundle(shop_run.bundle)
    strange = {**parts.stages, "generator": open_artifact(tmp_path / "generator", kind="generator")}
    with pytest.raises(ArtifactError, match="of the family 'rnn', which this version does not"):
        dataclasses.replace(parts, stages=strange).generative("query_to_sid")
