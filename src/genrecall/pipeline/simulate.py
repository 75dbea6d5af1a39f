"""Writing the synthetic shop, with a log of its own engine or of a bundle's recall channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from genrecall.bundle import KIND, OpenBundle, read_bundle
from genrecall.channels.base import Channel, Request
from genrecall.data.tables import Catalog
from genrecall.foundation.artifact import (
    MANIFEST,
    Artifact,
    Json,
    UnlistedFilesError,
    content_hash,
    open_artifact,
    writing,
)
from genrecall.foundation.errors import ArtifactError, ConfigError, RequestError, unknown_name
from genrecall.foundation.progress import Progress, RunLog, SilentLog
from genrecall.foundation.settings import unusable
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.fusion import gather
from genrecall.shop.catalog import ShopCatalog
from genrecall.shop.config import ShopConfig
from genrecall.shop.engine import Recall, Recalled
from genrecall.shop.make import make_items
from genrecall.shop.write import LOG_FILE, write_shop

CHANNELS: Final = ("bm25", "dense", "generative")
"""Channels of a bundle that can find what a shop shows."""

CANDIDATES: Final = 100
"""Items that each channel finds for a query."""

FUSION: Final = FusionConfig(method="rrf", rrf_k=20)
"""How the channels' lists become one match. With the usual `rrf_k` of 60 it falls so little over a
page that chance and the items' scores would order it: pages were 3 % less relevant, by the truth
of the shop."""

_SHOP: Final = "shop"
_AT_ONCE: Final = 256  # queries asked together: bounds the memory


@dataclass(frozen=True)
class LoggedBy:
    """Recall channels whose candidates the shop shows in the place of its own.

    Attributes:
        bundle: its folder.
        channels: which of `CHANNELS`.
        k: how many items each of them finds.
    """

    bundle: Path
    channels: tuple[str, ...] = CHANNELS
    k: int = CANDIDATES


def shop_config(**settings: Any) -> ShopConfig:
    """Settings of a shop.

    Raises:
        ConfigError: one that is unknown or unusable.
    """
    try:
        return ShopConfig.model_validate(settings)
    except ValidationError as error:
        told = "; ".join(f"{problem['loc'][0]} {problem['input']!r}" for problem in error.errors())
        raise ConfigError(f"no shop can be made with {told}: {unusable(error)}.") from error


def ensure_shop(
    folder: Path,
    config: ShopConfig,
    *,
    logged_by: LoggedBy | None = None,
    log: RunLog | None = None,
) -> Mapping[str, Json]:
    """Write the synthetic shop, unless it is there.

    A shop that is there is kept if it has the same settings and version, was logged by the same
    channels of the same bundle, and its files are whole.

    Args:
        folder: where the shop's files are; it is replaced as a whole.
        config: how large the shop is and how its shoppers behave.
        logged_by: the channels that find what is shown; None for the words of the shop's engine.
        log: where to report.

    Returns:
        What was simulated, see `shop/write.py: describe_log`.

    Raises:
        ArtifactError: something else is at `folder` or in it, which must not be replaced, or the
            bundle is missing or damaged.
        ConfigError: the bundle is of another shop, or a channel is unknown.
    """
    log = log or SilentLog()
    bundle = None if logged_by is None else open_artifact(logged_by.bundle, kind=KIND)
    inputs = content_hash(
        {
            "version": version("genrecall"),
            "shop": config.model_dump(mode="json"),
            "channels": logged_by and [*logged_by.channels, logged_by.k],
            "bundle": bundle and bundle.digest,
        }
    )
    kept = _find_shop(folder, inputs)
    if kept is not None:
        log.say("  shop: up to date")
        return _read_log(kept)
    recall = None
    if logged_by is not None and bundle is not None:
        loaded = read_bundle(bundle)
        check_items(loaded.items.catalog, make_items(config), name=str(logged_by.bundle))
        recall = recall_of(loaded, logged_by.channels, k=logged_by.k, log=log)
    with writing(folder, kind=_SHOP, inputs=inputs) as scratch:
        write_shop(config, scratch, recall)
    return _read_log(open_artifact(folder, kind=_SHOP))


def _read_log(shop: Artifact) -> Mapping[str, Json]:
    told: dict[str, Json] = shop.read_json(LOG_FILE)
    return told


def _find_shop(folder: Path, inputs: str) -> Artifact | None:
    """The shop that is there, if it was made of the same inputs and is whole."""
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ArtifactError(
            f"{folder} was not written by `genrecall demo` or `genrecall shop` and is left as it "
            "is. Move it away, or give another --out."
        )
    try:
        found = open_artifact(folder, kind=_SHOP)
    except UnlistedFilesError:
        raise
    except ArtifactError:  # missing or damaged
        return None
    return found if found.inputs == inputs else None


def check_items(theirs: Catalog, ours: ShopCatalog, *, name: str) -> None:
    """Refuse a bundle of other items: its channels answer with rows.

    Args:
        theirs: items of the bundle.
        ours: items of the shop.
        name: of the bundle, for the error.

    Raises:
        ConfigError: they are not the same items in the same order.
    """
    # Item ids are numbers: those of another seed are the same.
    found = list(zip(theirs.item_ids, theirs.titles, strict=True))
    wanted = list(zip(ours.item_ids, (draft.title for draft in ours.drafts), strict=True))
    if found == wanted:
        return
    if len(found) != len(wanted):
        told = f"it has {len(found):,} items, the shop {len(wanted):,}"
    else:
        row = next(row for row, pair in enumerate(found) if pair != wanted[row])
        told = f"item {row} is {' '.join(found[row])!r} there, and here {' '.join(wanted[row])!r}"
    raise ConfigError(
        f"{name} was made of another shop: {told}. Give a bundle that was made of a shop with the "
        "same --items and --seed; shoppers and log may differ."
    )


@dataclass(frozen=True, eq=False)
class ChannelRecall:
    """Candidates of several channels for the shop's engine, as `shop/engine.py: Recall`.

    How well an item matches is its sum of reciprocal ranks over the channels, as a share of that of
    the best item.

    Attributes:
        asked: the channels, by name.
        k: how many items each of them finds.
        log: where to report.
    """

    asked: dict[str, Channel]
    k: int
    log: RunLog

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(self.asked)

    def __call__(self, texts: Sequence[str], /) -> list[Recalled]:
        """Candidates for each query; none for one that is blank or says nothing to any channel."""
        nobody = np.zeros(0, dtype=np.int64)
        answers = [Recalled(nobody, np.zeros(0), nobody)] * len(texts)
        worded = [place for place, text in enumerate(texts) if text.strip()]
        progress = Progress(self.log, "recall", total=len(worded), unit="queries")
        for start in range(0, len(worded), _AT_ONCE):
            places = worded[start : start + _AT_ONCE]
            found = self._ask([Request(texts[place]) for place in places])
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
            progress.update(len(places))
        progress.finish()
        return answers

    def _ask(self, requests: Sequence[Request]) -> list[Recalled]:
        rankings = [channel.rank(requests, self.k) for channel in self.asked.values()]
        candidates = gather(rankings, self.k, FUSION)
        fused = candidates.fused([1.0] * len(rankings)).astype(np.float64)
        found_by = (1 << np.arange(len(rankings))) @ (candidates.parts > 0)  # (n,)
        ends = np.searchsorted(candidates.search, np.arange(len(requests) + 1))
        return [
            Recalled(
                rows=candidates.rows[first:last].astype(np.int64),
                match=fused[first:last] / fused[first:last].max(initial=0.0),
                found_by=found_by[first:last],
            )
            for first, last in pairwise(ends)
        ]


def recall_of(
    bundle: OpenBundle,
    names: Sequence[str],
    *,
    k: int = CANDIDATES,
    log: RunLog | None = None,
) -> Recall:
    """Channels of a bundle as the recall of a shop's engine; the shopper is unknown to them.

    Args:
        bundle: of the shop's very items, see `check_items`.
        names: some of `CHANNELS`.
        k: how many items each of them finds.
        log: where to report.

    Raises:
        ConfigError: no name, an unknown one, or one twice.
        RequestError: `k < 1`.
    """
    doors: dict[str, Callable[[], Channel]] = {
        "bm25": bundle.lexical,
        "dense": bundle.dense,
        "generative": bundle.generative,
    }
    for name in names:
        if name not in doors:
            raise ConfigError(unknown_name("channel", name, doors))
    if not names or len(set(names)) < len(names):
        raise ConfigError(
            f"channels {', '.join(names) or '(none)'}: give at least one of "
            f"{', '.join(doors)}, each once."
        )
    if k < 1:
        raise RequestError(f"k={k} asks for no item; give k of at least 1.")
    return ChannelRecall({name: doors[name]() for name in names}, k, log or SilentLog())
