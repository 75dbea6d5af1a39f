"""Walks through the stages, from a config to a bundle and its figures.

Every stage publishes a folder whose manifest names the hash of its inputs: its settings, the seed,
what it reads of the tables, and the contents of the stages before. A stage runs again only if that
hash has changed. What the stages are stands in `stages.py`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from genrecall import __version__
from genrecall.config import Config
from genrecall.evaluate.names import Metrics
from genrecall.foundation.errors import ArtifactError, ConfigError, unknown_name
from genrecall.foundation.interrupt import Interrupted, interruptible
from genrecall.foundation.progress import MADE, FileLog, RunLog, peak_mib
from genrecall.foundation.settings import BundleKind
from genrecall.learning.checkpoint import last_saved
from genrecall.learning.threads import set_threads
from genrecall.pipeline.launch import joined
from genrecall.pipeline.outputs import Outputs, find_artifact
from genrecall.pipeline.publish import publish
from genrecall.pipeline.stages import STAGES, Stage
from genrecall.pipeline.walk import Walk


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Attributes:
        outputs: where.
        metrics: of the validation split; None when the run stopped before its last stage.
        ran: the stages that were not up to date and ran.
        main: False in a process that at most took part in the training of another one's run.
    """

    outputs: Outputs
    metrics: Metrics | None
    ran: tuple[str, ...]
    main: bool = True


def run(
    config: Config,
    outputs: Outputs,
    *,
    first: str | None = None,
    last: str | None = None,
    log: RunLog | None = None,
    stages: Sequence[Stage] = STAGES,
) -> RunResult:
    """Run the stages that are not up to date.

    Of several processes, started by `torchrun` or `accelerate launch`, all call it alike: the main
    one runs the stages, and the others take part in those that are shared and return.

    Args:
        config: what to make.
        outputs: where to write.
        first: this stage and those after it run even if nothing changed; those before must be
            there. None forces nothing.
        last: the last stage to run; None for all.
        log: where to report; None for the terminal and `log.jsonl`.
        stages: of the pipeline.

    Raises:
        ConfigError: unknown stages, `last` before `first`, a bundle in `outputs` that the config
            names, or several processes and a family that one process trains.
        ArtifactError: a stage before `first` has not run, a bundle that the config names is missing
            or damaged, or another run writes to `outputs`.
        DataError: the tables cannot be used.
        Interrupted: a signal asked it to end; it says what is kept.
    """
    chosen, forced = _choose(stages, first, last)
    _check(config, outputs, stages)
    set_threads(config.threads)
    with interruptible(), joined(config, outputs, stages, chosen) as make:
        if make is None:
            return RunResult(outputs, None, (), main=False)
        with outputs.alone():
            walk = Walk(config, outputs, log or FileLog(outputs.log))
            walk.log.event("run", version=__version__, config=config.model_dump(mode="json"))
            for stage in chosen:  # what is missing is told before anything runs
                walk.read_settings(stage)
            ran = []
            for stage in chosen:
                if _is_up_to_date(stage, walk, first=first, forced=stage in forced):
                    continue
                start = time.monotonic()
                with _swept(stage, walk):
                    make(walk, stage)
                walk.log.event(
                    MADE,
                    stage=stage.name,
                    seconds=round(time.monotonic() - start, 1),
                    peak_mib=peak_mib(),
                )
                ran.append(stage.name)
            metrics = None
            if chosen[-1] is stages[-1]:
                metrics = publish(
                    outputs, config, stages, walk.artifacts, log=walk.log, anew=bool(ran)
                )
    return RunResult(outputs, metrics, tuple(ran))


def _choose(
    stages: Sequence[Stage], first: str | None, last: str | None
) -> tuple[Sequence[Stage], Sequence[Stage]]:
    """The stages up to `last`, and those of them that run even if nothing changed."""
    names = [stage.name for stage in stages]
    for name in (first, last):
        if name is not None and name not in names:
            raise ConfigError(unknown_name("stage", name, names))
    end = len(names) if last is None else names.index(last) + 1
    start = end if first is None else names.index(first)
    if first is not None and start >= end:
        raise ConfigError(
            f"--from {first} comes after --to {last}; the order is {' → '.join(names)}."
        )
    return stages[:end], stages[start:end]


def check_settings(config: Config) -> None:
    """Refuse what can be told to be unusable before anything runs.

    Raises:
        ConfigError, DataError, ArtifactError: a setting, or what lies at a path.
    """
    for stage in STAGES:
        stage.check(config)
        stage.content(config)


def _check(config: Config, outputs: Outputs, stages: Sequence[Stage]) -> None:
    """Refuse what would only be found out when stages have run."""
    for stage in stages:
        stage.check(config)
    for where, kind, value in config.paths():
        if isinstance(kind, BundleKind) and outputs.holds(value):
            raise ConfigError(
                f"{'.'.join(where)}: this run replaces {value}. Give another --out, or keep a copy "
                "of the bundle elsewhere and name that."
            )


def _is_up_to_date(stage: Stage, walk: Walk, *, first: str | None, forced: bool) -> bool:
    """Whether the stage is up to date; its artifact then counts as made.

    Raises:
        ArtifactError: it is not, and the run is to start after it.
    """
    path, log = walk.outputs.stage(stage.name), walk.log
    found, damage = find_artifact(path, kind=stage.name)
    if found is not None and found.inputs == walk.hash_inputs(stage) and not forced:
        log.say(f"{stage.name}: up to date")
        walk.artifacts[stage.name] = found
        return True
    if first is not None and not forced:
        wrong = damage or (
            f"stage {stage.name!r} was made from other inputs" if found else f"{path} is missing"
        )
        raise ArtifactError(
            f"the run cannot start at {first!r}: {wrong.rstrip('.')}. Leave out --from."
        )
    log.say(f"{stage.name}:")
    if damage:
        log.say(f"  made again: {damage}")
    return False


@contextmanager
def _swept(stage: Stage, walk: Walk) -> Iterator[None]:
    """While a stage is made: nothing of a killed run lies beside it, and no checkpoint outlasts it.

    What is published needs none, and a forced run must not resume from it.
    """
    outputs, resumes_from = walk.outputs, walk.resumes_from(stage)
    for scratch in outputs.stage(stage.name).parent.glob(f".{stage.name}-*"):
        shutil.rmtree(scratch)
    try:
        yield
    except Interrupted as stop:
        stop.kept = stop.kept or last_saved(resumes_from) or f"stage {stage.name} starts over"
        raise
    shutil.rmtree(outputs.checkpoints, ignore_errors=True)
