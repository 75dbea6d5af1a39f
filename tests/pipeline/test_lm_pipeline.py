"""The `lm` family in a whole run."""

import pytest
import torch
from tiny_shop import LM, SETTINGS, write_shop

from genrecall.bundle import load
from genrecall.channels.base import Request
from genrecall.config import load_config
from genrecall.data.shoppers import Shopper
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.pipeline.bench import bench_decoding
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    settings = {"generator": SETTINGS["generator"] | LM}
    outputs = Outputs(folder / "run")
    run(load_config(write_shop(folder, settings=settings)), outputs, log=SilentLog())
    return outputs


def test_its_bundle_answers_and_reads_the_shopper(outputs):
    channel = load(outputs.bundle)
    hits = channel.recall("red cordless drill", k=20)
    assert len({hit.item_id for hit in hits}) == 20
    nobody = channel.answer(Request("red cordless drill"), 20)
    assert -8 < max(beam.logprob for beam in nobody.beams) < 0
    known = Request("red cordless drill", Shopper(history=(hits[0].item_id,)))
    assert channel.answer(known, 20).beams != nobody.beams


def test_it_decodes_on_a_gpu_of_its_own_where_there_is_one(outputs, monkeypatch):
    gpus = torch.cuda.device_count()
    for process in range(max(gpus, 2)):
        monkeypatch.setenv("LOCAL_RANK", str(process))
        channel = load(outputs.bundle)
        expected = torch.device("cuda", process % gpus) if gpus else torch.device("cpu")
        assert channel.generator.lm.device == expected


def test_its_engine_is_measured_beside_transformers(outputs):
    found = bench_decoding(outputs.bundle, data=None, queries=3, widths=(4,), k=5)
    searched = [pace["way"] for pace in found["paces"] if pace["step"] == "search"]
    assert searched == ["reference", "transformers.generate", "lm"]


def test_its_figures_stand_beside_the_controls(outputs):
    metrics = outputs.metrics.read_text("utf-8")
    for name in ("item_to_sid", "user_query_to_sid", "anonymous"):
        assert f'"{name}"' in metrics


def test_a_backbone_that_is_not_there_is_told_before_training(tmp_path):
    lm = LM | {"lm": {"pretrained": "./no-such-model"}}
    config = load_config(write_shop(tmp_path, settings={"generator": SETTINGS["generator"] | lm}))
    with pytest.raises(ConfigError, match="no-such-model"):
        run(config, Outputs(tmp_path / "run"), log=SilentLog())
