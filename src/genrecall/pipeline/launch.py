"""Runs of several processes, started by `torchrun` or `accelerate launch`.

The main process makes the run. It calls the others to each stage that processes share, when those
before it are there, and lets them go after the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ArtifactError
from genrecall.learning.processes import Launch, sharing_cores
from genrecall.pipeline.maker import Maker
from genrecall.pipeline.stages import Stage


@contextmanager
def together(launch: Launch, stage: Stage, inputs: str) -> Iterator[None]:
    """In the main process: the others take part in the stage that the block makes, if it is shared.

    Args:
        launch: of this run.
        stage: which.
        inputs: hash of its inputs.
    """
    if not stage.shared:
        yield
        return
    launch.call(f"{stage.name} {inputs}")
    with sharing_cores():
        yield


def take_part(launch: Launch, stages: Sequence[Stage], maker: Maker) -> None:
    """In another process: make the stages that the main one calls to, until it lets go.

    Args:
        launch: of this run.
        stages: all of them, in order.
        maker: with the config and the folder of the main process.

    Raises:
        ArtifactError: the stages before are not there, or the main process makes another one.
    """
    by_name = {stage.name: stage for stage in stages}
    while task := launch.wait():
        name, inputs = task.split()
        stage = by_name[name]
        for before in stages[: stages.index(stage)]:
            maker.done[before.name] = open_artifact(
                maker.outputs.stage(before.name), kind=before.name
            )
        if maker.inputs(stage) != inputs:
            raise ArtifactError(
                f"this process would train another {name} than the main one: its config, or what "
                f"it finds in {maker.outputs.folder}, differs. Start all processes with the same "
                "config and --out, in a folder that all of them see."
            )
        with sharing_cores():
            maker.make(stage, inputs)
