"""The stages in order, from a config to a bundle and its figures.

```
data → embed → quantize → generator → evaluate → bundle
```

Every stage publishes a folder whose manifest names the hash of its inputs: its settings, the seed,
what it reads of the tables, and the contents of the stages before. A stage runs again only if that
hash has changed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from genrecall import __version__
from genrecall.bundle import KIND as BUNDLE
from genrecall.bundle import assemble
from genrecall.config import Config
from genrecall.data import stage as data_stage
from genrecall.data.pairs import LoggedPairs, logged_pairs
from genrecall.data.tables import Catalog, Searches
from genrecall.embed import stage as embed_stage
from genrecall.embed.encoder import load_encoder
from genrecall.evaluate.metrics import Metrics
from genrecall.foundation.artifact import Artifact, content_hash, open_artifact, write_json, writing
from genrecall.foundation.errors import ArtifactError, ConfigError, unknown_name
from genrecall.foundation.progress import FileLog, RunLog, SilentLog
from genrecall.learning.processes import Launch, is_main, launched, sharing_cores
from genrecall.learning.threads import set_threads
from genrecall.offline.evidence import gather
from genrecall.offline.measure import Plan, evaluate, unmeasured
from genrecall.offline.requests import SearchLog
from genrecall.offline.runs import write_trec
from genrecall.pipeline.outputs import Outputs, find_artifact
from genrecall.pipeline.publish import publish
from genrecall.pipeline.stages import _PATHS, _READS, STAGES
from genrecall.quantize import stage as quantize_stage
from genrecall.quantize.load import load_previous, load_table
from genrecall.supervised import stage as generator_stage
from genrecall.supervised.distill import Teacher, open_teacher


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Attributes:
        outputs: where.
        metrics: of the validation split; None when the run stopped before `evaluate`.
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
    last: str = STAGES[-1],
    log: RunLog | None = None,
) -> RunResult:
    """Run the stages that are not up to date.

    Of several processes, started by `torchrun` or `accelerate launch`, all call it alike: the main
    one runs the stages, and the others take part in the generator's training and return.

    Args:
        config: what to make.
        outputs: where to write.
        first: this stage and those after it run even if nothing changed; those before must be
            there. None forces nothing.
        last: the last stage to run.
        log: where to report; None for the terminal and `log.jsonl`.

    Raises:
        ConfigError: unknown stages, `last` before `first`, `quantize.warm_start` in `outputs`, or
            several processes and a family that one process trains.
        ArtifactError: a stage before `first` has not run, or another run writes to `outputs`.
        DataError: the tables cannot be used.
    """
    _check_stages(first, last)
    _check_processes(config)
    set_threads(config.threads)
    with Launch.join() as launch:
        if not is_main():
            if inputs := launch.wait():
                helper = _Runner(config, outputs, first=None, log=SilentLog(), launch=launch)
                helper.take_part(inputs)
            return RunResult(outputs, None, (), main=False)
        with outputs.alone():
            log = log or FileLog(outputs.log)
            log.event("run", version=__version__, config=config.model_dump(mode="json"))
            if launched() > 1:
                log.say(f"{launched()} processes: the others help to train the generator, and end")
            runner = _Runner(config, outputs, first=first, log=log, launch=launch)
            for name in STAGES[: STAGES.index(last) + 1]:
                runner.advance(name)
                if name == "generator":
                    launch.dismiss()
            metrics = publish(outputs, config, runner.done) if last == STAGES[-1] else None
    return RunResult(outputs, metrics, tuple(runner.ran))


class _Runner:
    """Walks through the stages and keeps what the next ones need."""

    def __init__(
        self, config: Config, outputs: Outputs, *, first: str | None, log: RunLog, launch: Launch
    ) -> None:
        self.config, self.outputs, self.log = config, outputs, log
        self._launch = launch
        self.done: dict[str, Artifact] = {}
        self.ran: list[str] = []
        self._kept = _open_kept(config.quantize.warm_start, outputs)
        self._first = None if first is None else STAGES.index(first)
        self._shop: tuple[Catalog, Searches] | None = None
        self._pairs: tuple[list[str], LoggedPairs] | None = None

    def advance(self, name: str) -> None:
        """Run one stage, or find that it is up to date."""
        inputs, path, number = self._inputs(name), self.outputs.stage(name), STAGES.index(name)
        found, damage = find_artifact(path, kind=name)
        forced = self._first is not None and number >= self._first
        if found is not None and found.inputs == inputs and not forced:
            self.log.say(f"{name}: up to date")
            self.done[name] = found
            return
        if self._first is not None and not forced:
            wrong = damage or (
                f"stage {name!r} was made from other inputs" if found else f"{path} is missing"
            )
            raise ArtifactError(
                f"the run cannot start at {STAGES[self._first]!r}: {wrong.rstrip('.')}. "
                "Leave out --from."
            )
        self.log.say(f"{name}:")
        if damage:
            self.log.say(f"  made again: {damage}")
        work: Mapping[str, Callable[[Path, str], Artifact]] = {
            "data": self._data,
            "embed": self._embed,
            "quantize": self._quantize,
            "generator": self._generator,
            "evaluate": self._evaluate,
        }
        for scratch in path.parent.glob(f".{name}-*"):  # of a run that was killed
            shutil.rmtree(scratch)
        self.done[name] = work[name](path, inputs)
        # What is published needs no checkpoint, and a forced run must not resume from it.
        shutil.rmtree(self.outputs.checkpoints, ignore_errors=True)
        self.ran.append(name)

    def take_part(self, inputs: str) -> None:
        """Train the generator along with the main process, which has made the stages before it."""
        for name in STAGES[: STAGES.index("generator")]:
            self.done[name] = self.outputs.open_stage(name)
        if self._inputs("generator") != inputs:
            raise ArtifactError(
                f"this process would train another generator than the main one: its config, or "
                f"what it finds in {self.outputs.folder}, differs. Start all processes with the "
                "same config and --out, in a folder that all of them see."
            )
        self._generator(self.outputs.stage("generator"), inputs)

    def _inputs(self, name: str) -> str:
        config = self.config
        if name == "data":
            return content_hash(
                {"version": __version__, "data": data_stage.input_hash(config.data)}
            )
        before = {stage: self.done[stage].digest for stage in STAGES[1 : STAGES.index(name)]}
        if name == "evaluate":
            before["data"] = self.done["data"].digest
        else:
            reads: tuple[str, ...] = _READS[name]
            if name == "generator" and config.generator.user_query_to_sid.steps:
                reads = (*reads, "shoppers")
            before |= {part: self.done["data"].meta["parts"][part] for part in reads}
        if name == "generator" and (distill := config.generator.distill):
            before["teacher"] = open_artifact(distill.teacher, kind=BUNDLE).digest
        section = getattr(config, name).model_dump(mode="json", exclude=_PATHS)
        settings: dict[str, Any] = {"section": section}
        if name == "embed":
            settings["section"] = embed_stage.input_hash(config.embed)
        if name == "quantize" and (bundle := self._kept):
            # What it holds counts, not where it lies; and which of today's items it holds.
            before |= {f"kept_{part}": bundle.part(part).digest for part in ("data", "quantize")}
            before["titles"] = self.done["data"].meta["parts"]["titles"]
        if name == "evaluate":
            settings["channels"] = config.channels.model_dump(mode="json")
            settings["funnel"] = config.funnel.model_dump(mode="json")
        # Another version may make other things of the same inputs.
        settings |= {"version": __version__, "seed": config.seed}
        return content_hash({"before": before, **settings})

    @property
    def _tables(self) -> tuple[Catalog, Searches]:
        if self._shop is None:
            self._shop = data_stage.load(self.done["data"])
        return self._shop

    @property
    def _users(self) -> pl.DataFrame | None:
        shoppers = data_stage.load_shoppers(self.done["data"])
        return None if shoppers is None else shoppers.users

    @property
    def _training(self) -> tuple[list[str], LoggedPairs]:
        if self._pairs is None:
            _, searches = self._tables
            self._pairs = logged_pairs(searches.of("train"))
        return self._pairs

    def _data(self, out: Path, inputs: str) -> Artifact:
        return data_stage.run(self.config.data, out, self.log, inputs=inputs)

    def _embed(self, out: Path, inputs: str) -> Artifact:
        catalog, _ = self._tables
        queries, pairs = self._training
        return embed_stage.run(
            self.config.embed,
            catalog,
            queries=queries,
            pairs=pairs,
            seed=self.config.seed,
            out=out,
            cache=self.outputs.vectors,
            checkpoints=self.outputs.checkpoints,
            inputs=inputs,
            log=self.log,
        )

    def _quantize(self, out: Path, inputs: str) -> Artifact:
        catalog, _ = self._tables
        queries, pairs = self._training
        embed = self.done["embed"]
        return quantize_stage.run(
            self.config.quantize,
            embed_stage.load_vectors(embed),
            catalog.categories,
            query_vectors=load_encoder(embed, log=self.log).encode(queries),
            pairs=pairs,
            seed=self.config.seed,
            out=out,
            inputs=inputs,
            log=self.log,
            previous=load_previous(self._kept, catalog.item_ids) if self._kept else None,
        )

    def _generator(self, out: Path, inputs: str) -> Artifact:
        catalog, searches = self._tables
        queries, pairs = self._training
        embed = self.done["embed"]
        self._launch.call(inputs)
        with sharing_cores():
            return generator_stage.run(
                self.config.generator,
                catalog,
                queries=queries,
                pairs=pairs,
                encoder=load_encoder(embed, log=self.log),
                item_vectors=embed_stage.load_vectors(embed),
                table=load_table(self.done["quantize"]),
                seed=self.config.seed,
                out=out,
                checkpoints=self.outputs.checkpoints,
                inputs=inputs,
                log=self.log,
                searches=searches,
                users=self._users,
                teacher=self._teacher(),
            )

    def _teacher(self) -> Teacher | None:
        """The generator that `generator.distill` names."""
        if self.config.generator.distill is None:
            return None
        bundle = open_artifact(self.config.generator.distill.teacher, kind=BUNDLE)
        return open_teacher(bundle, load_table(self.done["quantize"]), self.log)

    def _evaluate(self, out: Path, inputs: str) -> Artifact:
        catalog, searches = self._tables
        health = self.done["quantize"].read_json("health.json")
        parts = assemble(self.done, channels=self.config.channels)
        if not len(searches.of("validation")):
            self.log.say("  no validation search has a good item: nothing is measured")
            offline = unmeasured(searches, split="validation", health=health)
        else:
            offline = evaluate(
                parts,
                SearchLog(searches, self._users),
                split="validation",
                plan=Plan(self.config.evaluate, self.config.funnel.fusion, seed=self.config.seed),
                health=health,
                log=self.log,
            )
        start = time.monotonic()
        report = gather(
            parts,
            searches,
            evidence=offline.evidence,
            inputs=inputs,
            log_file=self.outputs.log,
            seed=self.config.seed,
        )
        self.log.say(f"  report: {time.monotonic() - start:.1f} s")
        with writing(out, kind="evaluate", inputs=inputs) as folder:
            write_json(folder / "metrics.json", offline.metrics)
            write_json(folder / "report.json", report)
            write_json(folder / "fusion.json", offline.weights)
            write_trec(offline, catalog, folder / "trec")
        return open_artifact(out, kind="evaluate")


def _open_kept(path: Path | None, outputs: Outputs) -> Artifact | None:
    """The bundle whose SIDs are kept."""
    if path is None:
        return None
    if path.resolve().is_relative_to(outputs.folder.resolve()):
        raise ConfigError(
            f"quantize.warm_start: this run replaces {path}. Give another --out, or keep a copy of "
            "the bundle elsewhere and name that."
        )
    return open_artifact(path, kind=BUNDLE)


def _check_processes(config: Config) -> None:
    if launched() > 1 and config.generator.family != "lm":
        raise ConfigError(
            f"{launched()} processes were started, and generator.family is "
            f"{config.generator.family!r}, which one process trains; several train 'lm'. Start one "
            "by `genrecall run`, or say family: lm."
        )


def _check_stages(first: str | None, last: str) -> None:
    for name in (first, last):
        if name is not None and name not in STAGES:
            raise ConfigError(unknown_name("stage", name, STAGES))
    if first is not None and STAGES.index(first) > STAGES.index(last):
        raise ConfigError(
            f"--from {first} comes after --to {last}; the order is {' → '.join(STAGES)}."
        )
