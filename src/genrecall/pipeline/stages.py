"""The stages as values, in order.

```
data → queries → embed → quantize → generator → align → calibrate → evaluate → bundle
```

What each one is made with, what it reads and what of it is served stands in its entry of `STAGES`;
names, order, the hash of inputs and the contents of a bundle follow from the list. A new stage is
one entry, and a function that hands its room what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import reduce
from operator import attrgetter, getitem
from typing import Any, Final

from genrecall import __version__
from genrecall.align import stage as align_stage
from genrecall.align.scorers import check_own_reward
from genrecall.bundle import OpenBundle, assemble
from genrecall.channels.config import ChannelsConfig, GenerativeConfig
from genrecall.config import Config
from genrecall.data import stage as data_stage
from genrecall.data.shoppers import HISTORY
from genrecall.embed import stage as embed_stage
from genrecall.embed.pretrained import check_model
from genrecall.foundation.artifact import BUNDLE, Artifact, Json, content_hash, open_artifact
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.settings import Section
from genrecall.foundation.work import Work
from genrecall.generator.base import Generator
from genrecall.generator.config import TRAINED_BY_SEVERAL
from genrecall.generator.load import (
    COMPACT,
    SHOPPER_FILE,
    STAGES_FILE,
    USER_QUERY_TO_SID,
    generator_family,
    load_generator,
    trained_stages,
)
from genrecall.index.live import LiveItems
from genrecall.learning.processes import launched
from genrecall.offline import calibrate
from genrecall.offline import stage as evaluate_stage
from genrecall.pipeline.inputs import Declared, StageInputs
from genrecall.pipeline.outputs import Outputs
from genrecall.quantize import stage as quantize_stage
from genrecall.quantize.load import HEALTH, load_previous
from genrecall.queries import stage as queries_stage
from genrecall.supervised import stage as generator_stage
from genrecall.supervised.distill import open_teacher

Asks = Callable[[Config], Any]
"""Whether some settings ask for something."""


def _accept(config: Config) -> None:
    """Refuse nothing."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of the pipeline, which publishes a folder.

    The folder's manifest names the hash of what it was made from, and the stage runs again only if
    that has changed.

    Attributes:
        name: of the stage and the kind of its folder.
        settings: what of the config it is made with: sections, parts of sections such as
            `generator.align`, and `seed` where chance takes part.
        run: makes the folder from what the entry declares; taking anything else is refused.
        reads: what it reads of the stages before: a name for all files of a stage, or
            `stage.part` for one of the `parts` in the manifest of a stage.
        reads_if: the same for what it reads with some settings only.
        served: patterns of the files that a bundle holds under the stage's name; or what gives them
            for an artifact of the stage.
        shared: whether all processes of a launch take part in it; the main one writes.
        without: parts of those sections that it is not made with.
        check: refuses settings before any stage runs.
    """

    name: str
    settings: tuple[str, ...]
    run: Callable[[StageInputs, Work], Artifact]
    reads: tuple[str, ...] = ()
    reads_if: Mapping[str, Asks] = field(default_factory=dict)
    served: tuple[str, ...] | Callable[[Artifact], tuple[str, ...]] = ()
    shared: bool = False
    without: tuple[str, ...] = ()
    check: Callable[[Config], None] = _accept

    def content(self, config: Config) -> dict[str, Json]:
        """The settings, with what lies at a path in its place.

        Raises:
            DataError, ArtifactError: something that they name is missing or damaged.
        """
        content = {name: _content(attrgetter(name)(config)) for name in self.settings}
        for part in self.without:
            *sections, name = part.split(".")
            if sections[0] in content:
                del reduce(getitem, sections, content)[name]
        return content

    def declared(self, config: Config) -> Declared:
        """What `run` may take in a run with this config."""
        asked = [read for read, asks in self.reads_if.items() if asks(config)]
        return Declared(self.name, self.settings, (*self.reads, *asked), self.without)

    def hash_inputs(
        self, content: Mapping[str, Json], config: Config, artifacts: Mapping[str, Artifact]
    ) -> str:
        """Hash of everything that decides what `run` makes.

        Args:
            content: of the settings.
            config: of the run.
            artifacts: what the stages before have made, by name.
        """
        read = {name: _digest(name, artifacts) for name in self.declared(config).reads}
        # Another version may make other things of the same inputs.
        return content_hash({"version": __version__, "settings": content, "read": read})

    def served_files(self, artifact: Artifact) -> list[str]:
        """What a bundle holds of the folder."""
        served = self.served(artifact) if callable(self.served) else self.served
        return [
            file for file in artifact.files if any(fnmatchcase(file, given) for given in served)
        ]


def _content(value: Any) -> Json:
    return value.content() if isinstance(value, Section) else value


def _digest(read: str, artifacts: Mapping[str, Artifact]) -> str:
    stage, _, part = read.partition(".")
    return str(artifacts[stage].meta["parts"][part]) if part else artifacts[stage].digest


def _data(inputs: StageInputs, work: Work) -> Artifact:
    return data_stage.run(inputs.config.data, work)


def _queries(inputs: StageInputs, work: Work) -> Artifact:
    config = inputs.config
    stemmer = config.embed.subwords.stemmer
    return queries_stage.run(config.queries, inputs.data, work, stemmer=stemmer)


def _embed(inputs: StageInputs, work: Work) -> Artifact:
    return embed_stage.run(inputs.config.embed, inputs.data, work)


def _quantize(inputs: StageInputs, work: Work) -> Artifact:
    return quantize_stage.run(inputs.config.quantize, _quantize_inputs(inputs), work)


def _quantize_inputs(inputs: StageInputs) -> quantize_stage.QuantizeInputs:
    """What the stage reads; the encoder, which may be large, ends with this function."""
    data, embedded, previous = inputs.data, inputs.embedded(), None
    if kept := inputs.config.quantize.warm_start:
        previous = load_previous(open_artifact(kept, kind=BUNDLE), data.catalog.item_ids)
    return quantize_stage.QuantizeInputs(
        item_vectors=embedded.item_vectors,
        categories=data.catalog.categories,
        query_vectors=embedded.encoder.encode(data.queries),
        pairs=data.pairs,
        previous=previous,
    )


def _generator(inputs: StageInputs, work: Work) -> Artifact:
    config, table, teacher = inputs.config.generator, inputs.table(), None
    if config.distill is not None:
        teacher = open_teacher(open_artifact(config.distill.teacher, kind=BUNDLE), table, work.log)
    return generator_stage.run(config, inputs.data, inputs.embedded(), table, work, teacher=teacher)


def _last_stage(generator: Artifact) -> tuple[str, ...]:
    """Of the training stages a bundle holds the last one alone, which serves."""
    return (STAGES_FILE, SHOPPER_FILE, f"{trained_stages(generator)[-1]}/*")


def _aligns(config: Config) -> bool:
    return config.generator.align.steps > 0


def _counts_money(config: Config) -> bool:
    return _aligns(config) and config.generator.align.rewards.gmv > 0


def _align(inputs: StageInputs, work: Work) -> Artifact:
    config = inputs.config.generator.align
    if not config.steps:
        return align_stage.skip(work)
    generator, weight = inputs.stage("generator"), inputs.config.channels.generative.head_weight
    last = trained_stages(generator)[-1]

    def start() -> Generator[Any]:
        encoder, vectors = inputs.embedded()
        # Whether an item is sold out today changes nothing that is learned.
        items = LiveItems(inputs.data.catalog.completed(), inputs.table(), vectors)
        return load_generator(generator, last, encoder=encoder, items=items, head_weight=weight)

    history = HISTORY if last == USER_QUERY_TO_SID else None
    return align_stage.run(
        config, inputs.data, start, work, lm=inputs.config.generator.lm, history=history
    )


def _check_processes(config: Config) -> None:
    if launched() > 1 and not config.generator.trained_by_several:
        raise ConfigError(
            f"{launched()} processes were started, and generator.family is "
            f"{config.generator.family!r}, which one process trains. Start one by `genrecall run`, "
            f"or choose a family that several train: {', '.join(TRAINED_BY_SEVERAL)}."
        )


def _check_views(config: Config) -> None:
    if config.embed.pretrained.model is not None:
        check_model(config.embed.pretrained.model)


def _check_rewards(config: Config) -> None:
    if config.generator.align.steps:
        check_own_reward(config.generator.align.rewards)


def _calibrate(inputs: StageInputs, work: Work) -> Artifact:
    generative = inputs.config.channels.generative
    if not generative.fit_weights or generator_family(inputs.stage("generator")) != COMPACT:
        return calibrate.skip(work)
    encoder, vectors = inputs.embedded()
    # Whether an item is sold out today changes nothing that is fitted.
    items = LiveItems(inputs.data.catalog.completed(), inputs.table(), vectors)
    usual = GenerativeConfig(head_weight=generative.head_weight)
    bundle = OpenBundle(items, encoder, inputs.stages, ChannelsConfig(generative=usual))
    return calibrate.run(bundle, inputs.data, work)


def _evaluate(inputs: StageInputs, work: Work) -> Artifact:
    return evaluate_stage.run(
        inputs.config,
        assemble(inputs.stages, channels=inputs.config.channels),
        inputs.data,
        work,
        health=inputs.stage("quantize").read_json(HEALTH),
    )


STAGES: Final = (
    Stage(
        "data",
        settings=("data",),
        run=_data,
        # Searches, users and rejects tell of single shoppers and stay behind.
        served=("items.parquet",),
    ),
    Stage(
        "queries",
        settings=("queries", "embed.subwords.stemmer"),
        run=_queries,
        reads=("data.titles", "data.texts", "data.training"),
        served=("*",),
    ),
    Stage(
        "embed",
        settings=("embed", "seed"),
        run=_embed,
        reads=("data.titles", "data.dated"),
        reads_if={"data.texts": lambda config: config.embed.fields},
        check=_check_views,
        served=("*",),
    ),
    Stage(
        "quantize",
        settings=("quantize", "seed"),
        run=_quantize,
        reads=("data.categories", "data.training", "embed"),
        # Which of today's items the kept bundle holds.
        reads_if={"data.titles": lambda config: config.quantize.warm_start},
        served=("*",),
    ),
    Stage(
        "generator",
        settings=("generator", "seed"),
        run=_generator,
        reads=("data.titles", "data.training", "data.unlabelled", "embed", "quantize"),
        reads_if={"data.shoppers": lambda config: config.generator.user_query_to_sid.steps},
        served=_last_stage,
        shared=True,
        without=("generator.align",),
        check=_check_processes,
    ),
    Stage(
        "align",
        settings=("generator.align", "generator.lm", "channels.generative.head_weight", "seed"),
        run=_align,
        shared=True,
        # Searches are rolled out under their filters, so what they filter by is read of the items.
        reads_if={"data.prices": _counts_money}
        | dict.fromkeys(
            ("data.titles", "data.fields", "data.pages", "embed", "quantize", "generator"), _aligns
        ),
        check=_check_rewards,
        served=("align.json", "aligned/*"),
    ),
    Stage(
        "calibrate",
        settings=("channels.generative.head_weight", "channels.generative.fit_weights"),
        run=_calibrate,
        reads=(
            "data.titles",
            "data.scores",
            "data.pages",
            "queries",
            "embed",
            "quantize",
            "generator",
            "align",
        ),
        served=("*",),
    ),
    Stage(
        "evaluate",
        settings=("evaluate", "channels", "funnel", "seed"),
        run=_evaluate,
        reads=("data", "queries", "embed", "quantize", "generator", "align", "calibrate"),
    ),
)


def open_made(outputs: Outputs, channels: ChannelsConfig) -> OpenBundle:
    """What a run's stages have left in its folder, put together as a bundle of them is.

    Raises:
        ArtifactError: a stage has not run, or is damaged.
    """
    served = {stage.name: outputs.open_stage(stage.name) for stage in STAGES if stage.served}
    return assemble(served, channels=channels)
