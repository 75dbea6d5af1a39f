"""A bundle on disk to channels in memory; the door of library users.

A bundle holds the inference files of every stage under the stage's name, so the same loader serves
a bundle and the stage outputs of a running pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from genrecall.channels.base import Request
from genrecall.channels.config import ChannelsConfig
from genrecall.channels.dense import DenseChannel
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.learned_order import ORDER_FILE, FittedOrder, LearnedOrder
from genrecall.data.load import load_catalog
from genrecall.embed.load import load_embedded
from genrecall.embed.views import Views
from genrecall.foundation.arguments import whole_number
from genrecall.foundation.artifact import BUNDLE, Artifact, open_artifact
from genrecall.foundation.errors import ArtifactError, RequestError, unknown_name
from genrecall.foundation.garbage import uncollected
from genrecall.foundation.settings import unusable
from genrecall.foundation.threads import compute_with
from genrecall.generator.base import Generator
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.weights import BOTH, WAYS, Fitted, LevelWeights
from genrecall.generator.load import (
    ALIGN,
    ALIGN_FILE,
    ALIGNED,
    CALIBRATE,
    COMPACT,
    USER_QUERY_TO_SID,
    generator_family,
    load_generator,
    load_weights,
    trained_stages,
)
from genrecall.generator.opened import OpenedModels
from genrecall.index.live import LiveItems
from genrecall.quantize.load import load_table
from genrecall.queries.load import KIND as QUERIES
from genrecall.queries.load import KnownWords, load_words
from genrecall.queries.reader import AS_TYPED, QueryReader

if TYPE_CHECKING:
    from genrecall.channels.lexical import LexicalChannel

KIND: Final = BUNDLE

_OF_THE_STAGES: Final = ("supervised", "_went", "arms", "weights", "_fitted_order")
"""What is read of the stage outputs, whatever the items are."""


@dataclass(frozen=True, eq=False)
class OpenBundle:
    """A bundle in memory: what can be answered with, and who answers.

    Attributes:
        items: those of the stage outputs, and behind them those added later.
        encoder: of stage `embed`.
        stages: the stage outputs by name.
        channels: settings of the channels.
    """

    items: LiveItems
    encoder: Views
    stages: Mapping[str, Artifact]
    channels: ChannelsConfig
    _models: OpenedModels = field(default_factory=OpenedModels, init=False, repr=False)

    def with_items(self, items: pl.DataFrame) -> OpenBundle:
        """This bundle over a catalog with more items; nothing is trained, nothing here changes.

        Each new item takes the nearest SID that has items of the stage outputs, of its category or
        as near to it as the category penalty asks, so it never makes a new token, and what was
        added before does not matter. All channels then know all items: postings, BM25 statistics,
        dense vectors, and the look-ahead's means and counts. Without items every answer stays the
        same. What was read from disk is read no second time.

        Args:
            items: columns and types of `ITEMS`.

        Raises:
            DataError: unusable items, or such as are in the catalog already.
        """
        # Recall does not wait for what tables are checked with.
        from genrecall.index.adding import add_items

        sids = self._models.sids(self.stages["quantize"])
        grown = replace(self, items=add_items(self.items, items, encoder=self.encoder, sids=sids))
        grown.items.prepare()  # before a generator sees them: what is made by then is shared
        grown._models.follow(self._models, grown.items)
        grown.__dict__.update({name: getattr(self, name) for name in _OF_THE_STAGES})
        grown.__dict__["words"] = self.words and self.words.with_items(items)
        grown.reader.prepare()
        return grown

    @cached_property
    def words(self) -> KnownWords | None:
        """What is known of words; None where it was put together without."""
        known = self._made(QUERIES)
        return None if known is None else load_words(known)

    @property
    def reader(self) -> QueryReader:
        """What is done with a query before any channel reads it."""
        return AS_TYPED if self.words is None else self.words.reader

    @property
    def trained(self) -> tuple[str, ...]:
        """The generator's training stages in order; the last one serves."""
        return (*self.supervised, ALIGN) if self.arms else self.supervised

    @cached_property
    def supervised(self) -> tuple[str, ...]:
        """Those of them that are supervised; a bundle holds the last one alone."""
        generator = self.stages["generator"]
        held = {file.partition("/")[0] for file in generator.files}
        return tuple(name for name in trained_stages(generator) if name in held)

    @property
    def reads_shoppers(self) -> bool:
        """Whether the generator that serves reads who searches."""
        return self.supervised[-1] == USER_QUERY_TO_SID

    @cached_property
    def arms(self) -> Mapping[str, str]:
        """What was aligned: the folder of each arm by its name, the one that serves first."""
        if not self._went:
            return {}
        held = {file.rpartition("/")[0] for file in self.stages[ALIGN].files}
        return {name: went["where"] for name, went in self._went.items() if went["where"] in held}

    @property
    def unmoved(self) -> frozenset[str]:
        """Arms that serve the weights from which alignment started, since no step was better."""
        return frozenset(name for name in self.arms if not self._went[name]["best_step"])

    @cached_property
    def _went(self) -> Mapping[str, Mapping[str, Any]]:
        """How each arm went."""
        aligned = self._made(ALIGN)
        told = [] if aligned is None else aligned.read_json(ALIGN_FILE)
        return {went["arm"]: went for went in told}

    def generative(self, name: str | None = None, *, way: str = BOTH) -> GenerativeChannel:
        """The generative channel, with a generator and its weights as they are served.

        Args:
            name: a training stage, one of `trained`, or one of `arms`; None for what serves.
            way: heads and look-ahead, or one of them alone as a control; only for family
                `compact`.

        Raises:
            RequestError: there is no such stage or arm.
        """
        name = self._known(name)
        fitted = self._fitted(name, way)
        if fitted is None:
            return self.unfitted(name, way=way)
        read = self._generator(name)
        return self._weigh(read, [fitted.served], self._orders(read, fitted)[:1])[0]

    def of_folds(self, name: str | None = None, *, way: str = BOTH) -> list[GenerativeChannel]:
        """The same for each fold of queries, with weights that were fitted on the other folds.

        Where nothing was fitted it is a single channel.

        Raises:
            RequestError: there is no such stage or arm.
        """
        name = self._known(name)
        fitted = self._fitted(name, way)
        if fitted is None:
            return [self.unfitted(name, way=way)]
        read = self._generator(name)
        return self._weigh(read, fitted.folds, self._orders(read, fitted)[1:])

    def unfitted(self, name: str, *, way: str = BOTH) -> GenerativeChannel:
        """The same with the usual weights."""
        usual = LevelWeights.usual(way, head_weight=self.channels.generative.head_weight)
        return self.weighed(name, [usual])[0]

    @property
    def ways(self) -> tuple[str, ...]:
        """Ways in which the generator decodes: a `compact` one has parts that may do so alone."""
        return WAYS if generator_family(self.stages["generator"]) == COMPACT else (BOTH,)

    @cached_property
    def weights(self) -> Mapping[str, Mapping[str, Fitted]]:
        """Fitted weights of heads and look-ahead, by stage or arm, and by way of decoding."""
        calibrated = self._made(CALIBRATE)
        return {} if calibrated is None else load_weights(calibrated)

    @property
    def fitted(self) -> dict[str, Any]:
        """Weights that serve, as in `metrics.json`: of levels, of views, of the item order."""
        order = {} if (fitted := self._fitted_order) is None else dict(fitted.served.weights)
        levels = {name: ways[BOTH].served.to_json() for name, ways in self.weights.items()}
        shares = self.encoder.shares
        return {"level_weights": levels, "view_weights": shares, "order_weights": order}

    def _made(self, stage: str) -> Artifact | None:
        """What a stage has made; None where it was put together without."""
        try:
            return self.stages[stage]
        except KeyError:
            return None

    def _known(self, name: str | None) -> str:
        if name is None:
            return self.trained[-1]
        if name not in self.supervised and name not in (known := [*self.trained, *self.arms]):
            raise RequestError(unknown_name("training stage or arm", str(name), known))
        return name

    def _fitted(self, name: str, way: str) -> Fitted | None:
        arm = next(iter(self.arms)) if name == ALIGN else name
        return self.weights.get(arm, {}).get(way)

    def _orders(self, read: Generator[Any], fitted: Fitted) -> Sequence[LearnedOrder | None]:
        """What was fitted of the item order: what serves, and behind it that of each fold."""
        if self._fitted_order is None or self.words is None:
            return [None] * (1 + len(fitted.folds))
        return self._fitted_order.orders(read.views, self.words.fields, self.items.efficiency)

    @cached_property
    def _fitted_order(self) -> FittedOrder | None:
        calibrated = self._made(CALIBRATE)
        if calibrated is None or ORDER_FILE not in calibrated.files:
            return None
        return FittedOrder.load(calibrated)

    def weighed(
        self,
        name: str,
        weights: Sequence[LevelWeights],
        prior: NDArray[np.float32] | None = None,
    ) -> list[GenerativeChannel]:
        """The same with each of several weights; without `prior`, the fitted one."""
        return self._weigh(self._generator(name), weights, [None] * len(weights), prior)

    def _weigh(
        self,
        read: Generator[Any],
        weights: Sequence[LevelWeights],
        orders: Sequence[LearnedOrder | None],
        prior: NDArray[np.float32] | None = None,
    ) -> list[GenerativeChannel]:
        if prior is None and (fitted := self._fitted_order) is not None:
            prior = fitted.prior_of(len(self.items))
        generators: Sequence[Generator[Any]] = [read] * len(weights)
        if isinstance(read, CompactGenerator):
            generators = [read.weighed(each, prior) for each in weights]
        return [
            GenerativeChannel(
                generator, self.channels.generative, reader=self.reader, learned=learned
            )
            for generator, learned in zip(generators, orders, strict=True)
        ]

    def dense(self) -> DenseChannel:
        """The dense channel over the vectors of stage `embed`."""

        def encode(requests: Sequence[Request]) -> NDArray[np.float32]:
            return self.encoder.encode(self.reader.texts([request.query for request in requests]))

        return DenseChannel(self.items, encode=encode, reader=self.reader)

    def lexical(self) -> LexicalChannel:
        """The BM25 channel over the titles, and the other texts of items as far as they count."""
        # Recall with the generative channel alone does not wait for bm25s and scipy.
        from genrecall.channels.lexical import LexicalChannel

        config, weights = self.channels.lexical, self.words and self.words.weights
        return LexicalChannel(self.items, config, weights=weights, reader=self.reader)

    def _generator(self, name: str) -> Generator[Any]:
        """After a training stage, or of an arm; controls are read anew, so that none is kept."""
        where = ALIGNED if name == ALIGN else self.arms.get(name)
        if where is None:
            return self._models.generator(name, lambda: self._read(name))

        def read() -> Generator[Any]:
            return self._read(self.supervised[-1], self.stages[ALIGN].part(where))

        return self._models.generator(ALIGN, read) if where == ALIGNED else read()

    def _read(self, stage: str, weights: Artifact | None = None) -> Generator[Any]:
        return load_generator(
            self.stages["generator"],
            stage,
            encoder=self.encoder,
            items=self.items,
            head_weight=self.channels.generative.head_weight,
            weights=weights,
        )


def load(path: str | Path, *, threads: int | None = 1) -> GenerativeChannel:
    """Open a bundle for recall.

    Args:
        path: the bundle.
        threads: as for `open_bundle`.

    Raises:
        ArtifactError: the bundle is missing, damaged or of another schema; the file is named.
        RequestError: no path, or no number of threads.
    """
    return open_bundle(path, threads=threads).generative()


@uncollected()
def open_bundle(path: str | Path, *, threads: int | None = 1, prepare: bool = True) -> OpenBundle:
    """Open a bundle for all its channels, and for more items.

    Args:
        path: the bundle.
        threads: that torch and NumPy compute with in this process from now on; None leaves them as
            they are. One query is too little work to share, and with one thread the process may be
            forked after it has answered.
        prepare: make now what is otherwise made when a request first needs it, such as the columns
            that filters read, so that the process may be forked.

    Raises:
        ArtifactError: the bundle is missing, damaged or of another schema; the file is named.
        RequestError: no path, or no number of threads.
    """
    if not isinstance(path, str | PathLike):
        raise RequestError(f"path={path!r} is no path; give the folder of a bundle.")
    if threads is not None:
        if whole_number("threads", threads, least=1) < 1:
            raise RequestError(f"threads={threads} compute nothing; give threads of at least 1.")
        compute_with(int(threads))
    opened = read_bundle(open_artifact(Path(path), kind=KIND))
    if prepare:
        opened.items.prepare()
        opened.reader.prepare()  # words are read by polars, whose threads a fork does not have
    return opened


def read_bundle(bundle: Artifact, stages: Mapping[str, Artifact] | None = None) -> OpenBundle:
    """Read a bundle that was opened as an artifact.

    Args:
        bundle: the artifact.
        stages: outputs of the stages that it was made of, which hold more; None for its own parts.

    Raises:
        ArtifactError: a version with other settings made it.
    """
    try:
        channels = ChannelsConfig.model_validate(bundle.meta["config"]["channels"])
    except (KeyError, ValidationError) as error:
        raise other_settings(bundle, error, "channels") from error
    return assemble(stages or bundle.parts, channels=channels)


def other_settings(
    bundle: Artifact, error: KeyError | ValidationError, *sections: str
) -> ArtifactError:
    """The error about a bundle whose settings are none of this version's.

    Args:
        bundle: whose.
        error: what came of reading them.
        sections: names of the sections around what was read, from the outside.
    """
    told = f" ({unusable(error, *sections)})" if isinstance(error, ValidationError) else ""
    return ArtifactError(
        f"{bundle.path} was made by version {bundle.meta.get('version')}, which has other settings"
        f"{told}. Run the pipeline again with this version."
    )


def assemble(stages: Mapping[str, Artifact], *, channels: ChannelsConfig) -> OpenBundle:
    """Put stage outputs together as a bundle does."""
    encoder, vectors = load_embedded(stages["embed"])
    items = LiveItems(load_catalog(stages["data"]), load_table(stages["quantize"]), vectors)
    return OpenBundle(items, encoder, stages, channels)
