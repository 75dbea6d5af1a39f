"""Which prompts take part in each supervised stage, and how a batch is drawn from them.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.data.shop_data import ShopData
from genrecall.embed.load import Embedded
from genrecall.foundation.errors import ConfigError
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.load import ITEM_TO_SID, QUERY_TO_SID, USER_QUERY_TO_SID
from genrecall.supervised.distill import Teacher, distilled_prompts
from genrecall.supervised.prompt_sets import (
    PromptSet,
    logged_prompts,
    pseudo_prompts,
    shopper_prompts,
    title_prompts,
    unlabelled_prompts,
)
from genrecall.supervised.shoppers import KnownShoppers
from genrecall.text.subwords import Words

_OFTEN: Final = 50.0
"""Times as often as a pseudo-query an unlabelled one is drawn at most, where nothing is logged."""


@dataclass(frozen=True)
class Source:
    """Prompts that take part in a stage.

    Attributes:
        prompts: where to draw from.
        share: share of each batch, in 0…1; the shares of a stage sum to one.
    """

    prompts: PromptSet
    share: float


class TrainingStage(NamedTuple):
    """One stage of supervised training.

    Attributes:
        name: such as `query_to_sid`.
        number: its place among the stages, from 0; each has a stream of chance of its own.
        sources: what it learns from.
    """

    name: str
    number: int
    sources: Sequence[Source]


class Draw(NamedTuple):
    """What a step draws from one source.

    Attributes:
        prompts: the source's prompts.
        chosen: which of them, int64 `[n]`.
        items: relevant items of each, catalog rows, int64 `[n, T]`.
    """

    prompts: PromptSet
    chosen: NDArray[np.int64]
    items: NDArray[np.int64]


def draw(
    sources: Sequence[Source], size: int, *, targets: int, rng: np.random.Generator
) -> Iterator[Draw]:
    """Draw `size` prompts by the shares of the sources, and `targets` relevant items of each."""
    ends = np.round(np.cumsum([source.share for source in sources]) * size).astype(int)
    for source, count in zip(sources, np.diff(ends, prepend=0).tolist(), strict=True):
        chosen = source.prompts.draw(count, rng)
        yield Draw(source.prompts, chosen, source.prompts.targets.draw(chosen, targets, rng))


def training_stages(
    config: GeneratorConfig,
    data: ShopData,
    embedded: Embedded,
    *,
    titles: Words,
    sid_of_item: NDArray[np.int64],
    known: KnownShoppers | None,
    teacher: Teacher | None,
    rng: np.random.Generator,
) -> list[TrainingStage]:
    """The stages that are trained, in order.

    Args:
        config: shares and numbers.
        data: the items and the training queries.
        embedded: for features and the targets of pseudo-queries.
        titles: of the items, cut into words.
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
        known: searches with their shoppers; None for no stage 3.
        teacher: whose answers stage 2 learns from, too; None for nobody's.
        rng: where chance comes from.

    Raises:
        ConfigError: the shares leave nothing to learn from.
    """
    tokenizer, texts = embedded.encoder.tokenizer, data.catalog.titles
    of_titles = title_prompts(tokenizer, titles, texts)
    labelled = len(data.pairs.query) > 0
    logged = logged_prompts(tokenizer, data.queries, data.pairs) if labelled else None
    pseudo = pseudo_prompts(
        embedded.encoder,
        titles,
        texts=texts,
        item_vectors=embedded.item_vectors,
        config=config,
        rng=rng,
    )
    unlabelled = None
    if data.unlabelled and config.unlabelled_share > 0:
        unlabelled = unlabelled_prompts(
            embedded.encoder, data.unlabelled, item_vectors=embedded.item_vectors, config=config
        )
        unlabelled = unlabelled if len(unlabelled) else None
    of_queries = _query_sources(
        config, titles=of_titles, logged=logged, pseudo=pseudo, unlabelled=unlabelled
    )
    if teacher is not None and config.distill is not None:
        taught = distilled_prompts(
            teacher, config.distill, logged=logged, pseudo=pseudo, sid_of_item=sid_of_item, rng=rng
        )
        rest = 1.0 - config.distill.share
        others = [Source(source.prompts, source.share * rest) for source in of_queries if rest > 0]
        of_queries = [Source(taught, config.distill.share), *others]
    sources = {ITEM_TO_SID: [Source(of_titles, 1.0)], QUERY_TO_SID: of_queries}
    if known is not None:
        sources[USER_QUERY_TO_SID] = _shopper_sources(
            config, shopper_prompts(tokenizer, known), others=of_queries
        )
    return [TrainingStage(name, n, found) for n, (name, found) in enumerate(sources.items())]


def _query_sources(
    config: GeneratorConfig,
    *,
    titles: PromptSet,
    logged: PromptSet | None,
    unlabelled: PromptSet | None,
    pseudo: PromptSet,
) -> list[Source]:
    """Titles, queries and pseudo-queries by their share of a batch."""
    shares = [(titles, config.title_share)]
    if logged is not None:
        shares.append((logged, config.logged_share))
    if unlabelled is not None:
        rest = 1.0 - sum(share for _, share in shares)
        share = min(config.unlabelled_share, rest)
        if logged is not None and config.logged_share > 0:
            # None of them is drawn more often than a query of which it is known what it means.
            known = np.count_nonzero(np.diff(logged.targets.offsets))
            share = min(share, config.logged_share * len(unlabelled) / known)
        elif len(pseudo):
            share = min(share, _OFTEN * rest * len(unlabelled) / len(pseudo))
        shares.append((unlabelled, share))
    given = sum(share for _, share in shares)
    if len(pseudo):
        shares.append((pseudo, 1.0 - given))
    elif given > 0:  # without pseudo-queries the others share the batch
        shares = [(prompts, share / given) for prompts, share in shares]
    else:
        raise ConfigError(
            "the generator has nothing to learn from: there are no pseudo-queries, and titles and "
            "logged queries have no share. Raise generator.pseudo_queries or title_share."
        )
    return [Source(prompts, share) for prompts, share in shares if share > 0]


def _shopper_sources(
    config: GeneratorConfig, of_shoppers: PromptSet, *, others: list[Source]
) -> list[Source]:
    """Searches with their shopper, and what stage 2 learned from in the rest of a batch."""
    rest = 1.0 - config.shopper_share
    kept = [Source(source.prompts, source.share * rest) for source in others if rest > 0]
    return [Source(of_shoppers, config.shopper_share), *kept]
