"""The stages in order, from a config to a bundle and its figures.

```
data → embed → quantize → generator → evaluate → bundle
```

Every stage publishes a folder whose manifest names the hash of its inputs: its settings, the seed
and the contents of the stages before. A stage runs again only if that hash has changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faiss
import torch

from genrecall import __version__
from genrecall.artifact import Artifact, content_hash, open_artifact, write_json, writing
from genrecall.channels.bundle import KIND as BUNDLE
from genrecall.channels.bundle import PARTS, assemble, load_parts
from genrecall.config import Config
from genrecall.data import stage as data_stage
from genrecall.data.tables import Catalog, Searches
from genrecall.embed import stage as embed_stage
from genrecall.embed.encoder import TextEncoder
from genrecall.embed.pairs import LoggedPairs, logged_pairs
from genrecall.errors import ArtifactError, ConfigError, unknown_name
from genrecall.evaluate.metrics import Metrics
from genrecall.evaluate.trec import write_qrels, write_run
from genrecall.generator import stage as generator_stage
from genrecall.offline import Offline, evaluate
from genrecall.progress import FileLog, RunLog
from genrecall.quantize import stage as quantize_stage
from genrecall.quantize.load import load_sids

_NOT_SERVED: Final = ("rejects/", "searches.parquet", "users.parquet")
"""What a bundle leaves out of the stages' outputs: whatever tells of single shoppers."""

STAGES: Final = ("data", "embed", "quantize", "generator", "evaluate")


@dataclass(frozen=True)
class Outputs:
    """Where a run writes.

    Attributes:
        folder: everything of the run.
    """

    folder: Path

    @property
    def bundle(self) -> Path:
        """The bundle to serve."""
        return self.folder / "bundle"

    @property
    def metrics(self) -> Path:
        """The figures of the validation split."""
        return self.folder / "metrics.json"

    @property
    def log(self) -> Path:
        """Events of all runs into this folder, one JSON object a line."""
        return self.folder / "log.jsonl"

    @property
    def rejects(self) -> Path:
        """Rows that could not be read, a file per table."""
        return self.folder / "rejects"

    def stage(self, name: str) -> Path:
        """Output of one stage."""
        return self.folder / "stages" / name

    @property
    def work(self) -> Path:
        """Vector cache and checkpoints; may be deleted between runs."""
        return self.folder / "work"


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Attributes:
        outputs: where.
        metrics: of the validation split; None when the run stopped before `evaluate`.
        ran: the stages that were not up to date and ran.
    """

    outputs: Outputs
    metrics: Metrics | None
    ran: tuple[str, ...]


def run(
    config: Config,
    outputs: Outputs,
    *,
    first: str = STAGES[0],
    last: str = STAGES[-1],
    log: RunLog | None = None,
) -> RunResult:
    """Run the stages that are not up to date.

    Args:
        config: what to make.
        outputs: where to write.
        first: this stage and those after it run even if nothing changed; those before must be
            there. The first stage of all forces nothing.
        last: the last stage to run.
        log: where to report; None for the terminal and `log.jsonl`.

    Raises:
        ConfigError: unknown stages, or `last` before `first`.
        ArtifactError: a stage before `first` has not run.
        DataError: the tables cannot be used.
    """
    _check_stages(first, last)
    _set_threads(config.threads)
    log = log or FileLog(outputs.log)
    log.event("run", version=__version__, config=config.model_dump(mode="json"))
    runner = _Runner(config, outputs, first=first, log=log)
    for name in STAGES[: STAGES.index(last) + 1]:
        runner.advance(name)
    metrics = None
    if last == STAGES[-1]:
        metrics = runner.publish()
    return RunResult(outputs, metrics, tuple(runner.ran))


class _Runner:
    """Walks through the stages and keeps what the next ones need."""

    def __init__(self, config: Config, outputs: Outputs, *, first: str, log: RunLog) -> None:
        self.config, self.outputs, self.log = config, outputs, log
        self.ran: list[str] = []
        self._first = STAGES.index(first)
        self._done: dict[str, Artifact] = {}
        self._shop: tuple[Catalog, Searches] | None = None
        self._pairs: tuple[list[str], LoggedPairs] | None = None

    def advance(self, name: str) -> None:
        """Run one stage, or find that it is up to date."""
        inputs = self._inputs(name)
        path = self.outputs.stage(name)
        number = STAGES.index(name)
        found = _find(path, kind=name)
        if (
            found is not None
            and found.inputs == inputs
            and (number < self._first or not self._first)
        ):
            self.log.say(f"{name}: up to date")
            self._done[name] = found
            return
        if number < self._first:
            raise ArtifactError(
                f"stage {name!r} in {path} is missing or made from other inputs, so the run cannot "
                f"start at {STAGES[self._first]!r}. Leave out --from."
            )
        self.log.say(f"{name}:")
        work: Mapping[str, Callable[[Path, str], Artifact]] = {
            "data": self._data,
            "embed": self._embed,
            "quantize": self._quantize,
            "generator": self._generator,
            "evaluate": self._evaluate,
        }
        self._done[name] = work[name](path, inputs)
        self.ran.append(name)

    def publish(self) -> Metrics:
        """Write the bundle, the figures and the rejects where their readers look."""
        evaluated = self._done["evaluate"]
        metrics: Metrics = evaluated.read_json("metrics.json")
        inputs = content_hash({name: part.digest for name, part in self._done.items()})
        found = _find(self.outputs.bundle, kind=BUNDLE)
        if found is None or found.inputs != inputs:
            meta = {
                "version": __version__,
                "config": _portable(self.config),
                "metrics": metrics,
                "fusion": evaluated.read_json("fusion.json"),
                "sid_space": self._done["quantize"].read_json("space.json"),
            }
            with writing(self.outputs.bundle, kind=BUNDLE, inputs=inputs, meta=meta) as folder:
                for name in PARTS:
                    _copy_served(self._done[name], folder / name)
        write_json(self.outputs.metrics, metrics)
        rejects = self._done["data"].path / "rejects"
        shutil.rmtree(self.outputs.rejects, ignore_errors=True)
        if rejects.is_dir():
            shutil.copytree(rejects, self.outputs.rejects)
        return metrics

    def _inputs(self, name: str) -> str:
        config = self.config
        if name == "data":
            return data_stage.input_hash(config.data)
        before = {stage: self._done[stage].digest for stage in STAGES[: STAGES.index(name)]}
        settings: dict[str, Any] = {"section": getattr(config, name).model_dump(mode="json")}
        if name == "evaluate":
            settings["channels"] = config.channels.model_dump(mode="json")
            # These settings decide how the trained weights are read.
            settings["generator"] = config.generator.model_dump(mode="json")
        return content_hash({"before": before, "seed": config.seed, **settings})

    @property
    def _catalog(self) -> Catalog:
        return self._tables[0]

    @property
    def _searches(self) -> Searches:
        return self._tables[1]

    @property
    def _tables(self) -> tuple[Catalog, Searches]:
        if self._shop is None:
            self._shop = data_stage.load(self._done["data"])
        return self._shop

    @property
    def _training(self) -> tuple[list[str], LoggedPairs]:
        if self._pairs is None:
            self._pairs = logged_pairs(self._searches.of("train"))
        return self._pairs

    def _data(self, out: Path, inputs: str) -> Artifact:  # noqa: ARG002 (hashes its own inputs)
        return data_stage.run(self.config.data, out, self.log)

    def _embed(self, out: Path, inputs: str) -> Artifact:
        queries, pairs = self._training
        return embed_stage.run(
            self.config.embed,
            self._catalog,
            queries=queries,
            pairs=pairs,
            seed=self.config.seed,
            out=out,
            cache=self.outputs.work / "vectors",
            inputs=inputs,
            log=self.log,
        )

    def _quantize(self, out: Path, inputs: str) -> Artifact:
        queries, pairs = self._training
        embed = self._done["embed"]
        return quantize_stage.run(
            self.config.quantize,
            embed_stage.load_vectors(embed),
            self._catalog.categories,
            query_vectors=TextEncoder.load(embed).encode(queries),
            pairs=pairs,
            seed=self.config.seed,
            out=out,
            inputs=inputs,
            log=self.log,
        )

    def _generator(self, out: Path, inputs: str) -> Artifact:
        queries, pairs = self._training
        embed = self._done["embed"]
        return generator_stage.run(
            self.config.generator,
            self._catalog,
            queries=queries,
            pairs=pairs,
            encoder=TextEncoder.load(embed),
            item_vectors=embed_stage.load_vectors(embed),
            table=load_sids(self._done["quantize"]).table,
            seed=self.config.seed,
            out=out,
            checkpoints=self.outputs.work / "checkpoints",
            inputs=inputs,
            log=self.log,
        )

    def _evaluate(self, out: Path, inputs: str) -> Artifact:
        parts = assemble(self._done, generator=self.config.generator, channels=self.config.channels)
        offline = evaluate(
            parts,
            self._searches,
            split="validation",
            config=self.config.evaluate,
            health=self._done["quantize"].read_json("health.json"),
            log=self.log,
            seed=self.config.seed,
        )
        with writing(out, kind="evaluate", inputs=inputs) as folder:
            write_json(folder / "metrics.json", offline.metrics)
            write_json(folder / "fusion.json", offline.weights)
            write_trec(offline, parts.catalog, folder)
        return open_artifact(out, kind="evaluate")


def evaluate_bundle(bundle: Path, *, split: str, data: Path | None = None) -> Metrics:
    """Measure a bundle on one split of the searches that its run has read.

    Each evaluation is written to the run's `log.jsonl`, and that of the test split is told.

    Args:
        bundle: the bundle's folder.
        split: `validation` or `test`.
        data: the run's data stage; None for the one beside the bundle.

    Raises:
        ArtifactError: bundle or data stage are missing or damaged, or do not belong together.
        ConfigError: another split.
    """
    if split not in ("validation", "test"):
        raise ConfigError(unknown_name("split", split, ["validation", "test"]))
    opened = open_artifact(bundle, kind=BUNDLE)
    outputs = Outputs(bundle.parent)
    searches_from = open_artifact(data or outputs.stage("data"), kind="data")
    catalog, searches = data_stage.load(searches_from)
    parts = load_parts(opened)
    if catalog.item_ids != parts.catalog.item_ids:
        raise ArtifactError(
            f"{searches_from.path} holds other items than {bundle}: they are of different runs. "
            "Give the data stage of the bundle's own run with --searches."
        )
    config = Config.model_validate(opened.meta["config"])
    _set_threads(config.threads)
    log = FileLog(outputs.log)
    log.event("evaluate", bundle=str(bundle), digest=opened.digest, split=split)
    if split == "test":
        log.say("  this is the test split: tune nothing on what it says")
    return evaluate(
        parts,
        searches,
        split="test" if split == "test" else "validation",
        config=config.evaluate,
        health=opened.meta["metrics"]["quantize"],
        log=log,
        weights=opened.meta["fusion"] if split == "test" else None,
        seed=config.seed,
    ).metrics


def write_trec(offline: Offline, catalog: Catalog, folder: Path) -> None:
    """Write the rankings and the good items as TREC files: `<channel>.run` and `qrels.txt`."""
    (folder / "trec").mkdir()
    search_ids = offline.searches.frame["search_id"].to_list()
    for name, rankings in offline.rankings.items():
        write_run(
            folder / "trec" / f"{name}.run",
            search_ids=search_ids,
            item_ids=catalog.item_ids,
            rows=[ranking.rows for ranking in rankings],
            scores=[ranking.scores for ranking in rankings],
            tag=name,
        )
    write_qrels(
        folder / "trec" / "qrels.txt",
        search_ids=search_ids,
        item_ids=catalog.item_ids,
        positives=offline.searches.positives,
    )


def _check_stages(first: str, last: str) -> None:
    for name in (first, last):
        if name not in STAGES:
            raise ConfigError(unknown_name("stage", name, STAGES))
    if STAGES.index(first) > STAGES.index(last):
        raise ConfigError(
            f"--from {first} comes after --to {last}; the order is {' → '.join(STAGES)}."
        )


def _set_threads(threads: int | None) -> None:
    count = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(count)
    faiss.omp_set_num_threads(count)


def _find(path: Path, *, kind: str) -> Artifact | None:
    """An artifact that is there and whole, or None."""
    try:
        return open_artifact(path, kind=kind)
    except ArtifactError:
        return None


def _portable(config: Config) -> dict[str, Any]:
    """The config without the paths of this machine."""
    values = config.model_dump(mode="json")
    for source in values["data"].values():
        if isinstance(source, dict) and "file" in source:
            source["file"] = Path(source["file"]).name
    return values


def _copy_served(stage: Artifact, target: Path) -> None:
    """Copy the files that serving needs."""
    for name in stage.files:
        if not name.startswith(_NOT_SERVED):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(stage.path / name, target / name)
