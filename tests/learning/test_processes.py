"""Runs of several processes: they make what one makes, and none of them waits for nothing."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading

import pytest
import torch
from safetensors.torch import load_file
from tiny_shop import SETTINGS, write_shop
from torch.distributed import PrefixStore, TCPStore

from genrecall.config import load_config
from genrecall.foundation.errors import ArtifactError, ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.generator.load import STAGES as TRAINED
from genrecall.learning import processes
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run

LM = {
    "family": "lm",
    "lm": {"vocabulary": 512, "row_tokens": 40, "micro_tokens": 80},
    "item_to_sid": {"steps": 2, "batch": 16},
    # Shares of four and three prompts, whose parts differ in number.
    "query_to_sid": {"steps": 5, "batch": 7, "learning_rate": 3e-3},
    "user_query_to_sid": {"steps": 3, "batch": 16},
}


class StoppedError(Exception):
    """The process ends here."""


class StopsInStage2(SilentLog):
    """A log during which a run is interrupted, after the first checkpoint of stage 2."""

    def event(self, name, **figures):
        if name == "measured" and figures["stage"] == "query_to_sid" and figures["done"] > 14:
            raise StoppedError


@pytest.fixture
def shop(tmp_path):
    settings = {"generator": SETTINGS["generator"] | LM, "checkpoint_every": 0}
    return load_config(write_shop(tmp_path, settings=settings))


def weights(outputs, stage):
    return load_file(outputs.stage("generator") / stage / "model.safetensors")


def distance(found, expected):
    """Length of the difference over the length of what is expected."""
    difference = sum((found[name] - value).square().sum() for name, value in expected.items())
    return (difference / sum(value.square().sum() for value in expected.values())).sqrt().item()


def test_two_processes_go_on_where_one_stopped_and_end_in_its_weights(shop, tmp_path):
    alone, together = Outputs(tmp_path / "alone"), Outputs(tmp_path / "together")
    with pytest.raises(StoppedError):
        run(shop, alone, log=StopsInStage2())
    shutil.copytree(alone.folder, together.folder)
    run(shop, alone, last="generator", log=SilentLog())

    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = ["-m", "genrecall", "run", tmp_path / "shop.yaml", "--out", together.folder]
    done = subprocess.run(
        [*launcher, *command, "--to", "generator"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    for stage in TRAINED:
        found, expected = weights(together, stage), weights(alone, stage)
        assert found.keys() == expected.keys()
        assert distance(found, expected) < 1e-5, stage
    events = [json.loads(line) for line in together.log.read_text("utf-8").splitlines()]
    said = [event["text"] for event in events if event["event"] == "say"]
    assert [event["event"] for event in events].count("run") == 1
    assert said[said.index("generator:") + 1] == "  2 processes make this stage together"
    assert "  query_to_sid: resumes at step 2" in said
    assert done.stderr.count("query_to_sid: resumes") == 1, "one of them tells"
    assert done.stdout.count("wrote") == 2
    assert not list(together.folder.glob("stages/.*")), "only the main one writes"
    with together.alone():
        pass


def test_two_processes_align_together(tmp_path):
    align = {"steps": 4, "searches": 6, "group": 4, "validate_every": 2, "learning_rate": 1e-3}
    settings = {"generator": SETTINGS["generator"] | LM | {"align": align}}
    path = write_shop(tmp_path, data={"split": {"by": "time"}}, settings=settings)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*launcher, "-m", "genrecall", "run", path, "--out", tmp_path / "run", "--to", "align"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    (went,) = Outputs(tmp_path / "run").open_stage("align").read_json("align.json")
    assert (went["arm"], went["where"]) == ("eg_grpo_k2", "aligned")
    assert done.stderr.count("eg_grpo_k2 at step 4") == 1, "one of them tells"


def test_a_family_that_one_process_trains_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"2 processes .* is 'compact', .*Start one by"):
        run(load_config(write_shop(tmp_path)), Outputs(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_an_environment_without_a_launcher_is_refused(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with pytest.raises(ConfigError, match=r"RANK, LOCAL_RANK, MASTER_PORT is not set\. Start them"):
        run(shop, Outputs(tmp_path / "run"))


@pytest.fixture
def as_second(monkeypatch):
    """This process is the second of two; gives the store, as the main one has it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2}
    for name, value in (given | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}).items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(processes, "_runs", iter([0]))
    processes._meeting_point.cache_clear()
    yield [TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)]
    processes._meeting_point.cache_clear()


def tell(store, task):
    PrefixStore("genrecall/run 0", store).set("task 1", task)


def test_a_second_process_ends_when_nothing_is_trained(as_second, shop, tmp_path):
    tell(as_second[0], "")
    result = run(shop, Outputs(tmp_path / "run"))
    assert not result.main and result.ran == ()
    assert not (tmp_path / "run").exists()


def test_processes_that_have_trained_nothing_wait_for_each_other(as_second, monkeypatch):
    monkeypatch.setattr(processes, "_partings", iter([0]))
    parting = threading.Thread(target=processes.part_processes)
    parting.start()
    parting.join(timeout=1.0)
    assert parting.is_alive()
    PrefixStore("genrecall/parting 0", as_second[0]).add("here", 1)
    parting.join(timeout=30.0)
    assert not parting.is_alive()


def test_a_second_process_ends_with_the_main_one(as_second):
    launch = processes.Launch.join()
    del as_second[0]
    assert launch.wait() == ""


def test_a_second_process_trains_nothing_else(as_second, shop, tmp_path, monkeypatch):
    outputs = Outputs(tmp_path / "run")
    tell(as_second[0], "generator inputs-of-another-config")
    with pytest.raises(ArtifactError, match="data is not a GenRecall data"):
        run(shop, outputs)
    monkeypatch.setattr(processes, "_runs", iter([0]))
    with monkeypatch.context() as first:
        first.delenv("WORLD_SIZE")
        first.delenv("RANK")
        run(shop, outputs, last="quantize", log=SilentLog())
    with pytest.raises(ArtifactError, match=r"another generator than the main one: .*same config"):
        run(shop, outputs)


def test_who_is_not_called_may_end_when_the_main_process_fails():
    store = torch.distributed.HashStore()
    with pytest.raises(ConfigError), processes.Launch(store):
        raise ConfigError("unusable")
    assert processes.Launch(store).wait() == ""
    with processes.Launch(calling := torch.distributed.HashStore()) as launch:
        launch.call("inputs")
    assert processes.Launch(calling).wait() == "inputs"
