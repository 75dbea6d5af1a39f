"""Runs of several processes, started by `torchrun` or `accelerate launch`.

The main process makes the run. It calls the others to each stage that processes share, when those
before it are there, and lets them go after the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from genrecall.config import Config
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.progress import SilentLog
from genrecall.learning.processes import Launch, is_main, launched, sharing_cores
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.stages import Stage
from genrecall.pipeline.walk import Walk

Make = Callable[[Walk, Stage], None]
"""Makes a stage of a walk."""


@contextmanager
def joined(
    config: Config, outputs: Outputs, stages: Sequence[Stage], chosen: Sequence[Stage]
) -> Iterator[Make | None]:
    """Meet the other processes, and part from them at the end of the block, for an error too.

    Args:
        config: of the run.
        outputs: where to write.
        stages: all of them, in order.
        chosen: those that the run comes to, in order.

    Yields:
        In the main process, or the only one: how it makes a stage, with the others if the stage is
        shared. In another process None, when it has done its part of the run.

    Raises:
        ConfigError: the environment is not that of a launcher.
        ArtifactError: in another process, as `take_part`.
    """
    with Launch.join() as launch:
        if is_main():
            yield lambda walk, stage: _make(launch, chosen, walk, stage)
        else:
            take_part(launch, stages, Walk(config, outputs, SilentLog()))
            yield None


def _make(launch: Launch, chosen: Sequence[Stage], walk: Walk, stage: Stage) -> None:
    if not any(later.shared for later in chosen[chosen.index(stage) :]):
        launch.dismiss()
    if not stage.shared:
        walk.make(stage)
        return
    if launched() > 1:
        walk.log.say(f"  {launched()} processes make this stage together")
    launch.call(f"{stage.name} {walk.hash_inputs(stage)}")
    with sharing_cores():
        walk.make(stage)


def take_part(launch: Launch, stages: Sequence[Stage], walk: Walk) -> None:
    """In another process: make the stages that the main one calls to, until it lets go.

    Args:
        launch: of this run.
        stages: all of them, in order.
        walk: with the config and the folder of the main process.

    Raises:
        ArtifactError: the stages before are not there, or the main process makes another one.
    """
    by_name = {stage.name: stage for stage in stages}
    while task := launch.wait():
        name, inputs = task.split()
        stage = by_name[name]
        for before in stages[: stages.index(stage)]:
            walk.artifacts[before.name] = open_artifact(
                walk.outputs.stage(before.name), kind=before.name
            )
        if walk.hash_inputs(stage) != inputs:
            raise ArtifactError(
                f"this process would train another {name} than the main one: its config, or what "
                f"it finds in {walk.outputs.folder}, differs. Start all processes with the same "
                "config and --out, in a folder that all of them see."
            )
        with sharing_cores():
            walk.make(stage)
