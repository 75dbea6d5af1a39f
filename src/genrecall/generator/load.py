"""A trained generator, ready to score; the inference half of the stage."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.embed.encoder import Encoder
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.sid import SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Generator
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.look_ahead import LookAhead, mean_vectors
from genrecall.generator.compact.model import CompactModel, join_views, read_bags
from genrecall.generator.compact.shopper import ShopItems
from genrecall.generator.history import make_rule
from genrecall.generator.prompts import ITEM, QUERY, Prompt

ITEM_TO_SID: Final = "item_to_sid"
QUERY_TO_SID: Final = "query_to_sid"
USER_QUERY_TO_SID: Final = "user_query_to_sid"
STAGES: Final = (ITEM_TO_SID, QUERY_TO_SID, USER_QUERY_TO_SID)
"""Supervised stages in order."""

STAGES_FILE: Final = "stages.json"
"""Which family and stages an artifact holds, and the temperature that it was trained at."""

SHOPPER_FILE: Final = "shopper.json"
"""What stage 3 reads of shoppers: `history` and `related_categories` of its settings, and `pairs`,
those of profiles that it was taught, as `[field, value]`."""

OWN_VECTORS: Final = "own_vectors.npy"
"""The generator's own vectors of the items."""

_AT_ONCE: Final = 8192  # titles encoded together: bounds the memory


def trained_stages(artifact: Artifact) -> tuple[str, ...]:
    """The stages that a generator artifact holds, in order; the last one serves."""
    return tuple(artifact.read_json(STAGES_FILE)["stages"])


class Loaded(NamedTuple):
    """A generator that is ready to score, and the vector space that it orders items in.

    Attributes:
        generator: scores SIDs.
        vectors: of the items, unit vectors, float32 `[N, D']`.
        read: prompts to those that the other two take: with what this stage reads of their
            shoppers, and no more.
        encode: prompts to unit vectors of the same space, float32 `[Q, D']`.
    """

    generator: Generator[Any]
    vectors: NDArray[np.float32]
    read: Callable[[Sequence[Prompt]], list[Prompt]]
    encode: Callable[[Sequence[Prompt]], NDArray[np.float32]]


def load_generator(
    artifact: Artifact,
    stage: str,
    *,
    encoder: Encoder,
    titles: Sequence[str],
    item_vectors: NDArray[np.float32],
    table: SidTable,
    head_weight: float,
) -> Loaded:
    """The generator as it was after a stage.

    Args:
        artifact: of the generator stage.
        stage: one of `trained_stages`.
        encoder: of stage `embed`.
        titles: of the items, `[N]`: those that the stage has read, and behind them others, which
            are encoded now.
        item_vectors: its vectors of the items, float32 `[N, D]`.
        table: the SID of each item.
        head_weight: of the learned heads against the look-ahead; only for family `compact`.

    Returns:
        For `compact` the vectors are both views of a text, the encoder's and the generator's own;
        a language model has the encoder's alone.

    Raises:
        ArtifactError: a version that wrote other files made the artifact, or it is of another SID
            space.
    """
    part = artifact.part(stage)
    # Before the last stage a generator has never seen a shopper: it reads nothing of one.
    reads: dict[str, Any] = {"pairs": [], "history": 0, "related_categories": 0}
    if stage == USER_QUERY_TO_SID:
        reads = artifact.read_json(SHOPPER_FILE)
    reads["pairs"] = [(field, value) for field, value in reads["pairs"]]
    rule = make_rule(
        **reads, encoder=encoder, item_vectors=item_vectors, category=table.codes[:, 0]
    )
    settings = artifact.read_json(STAGES_FILE)
    if settings["family"] == "lm":
        return Loaded(
            _load_lm(part, stage, table),
            item_vectors,
            rule.read,
            lambda prompts: encoder.encode([prompt.text for prompt in prompts]),
        )
    model = CompactModel.load(part, space=table.space)
    own = np.load(part.file(OWN_VECTORS), allow_pickle=False)
    added = [
        read_bags(model, encoder.tokenizer.bags(titles[start : start + _AT_ONCE]))[1]
        for start in range(len(own), len(titles), _AT_ONCE)
    ]
    views = join_views(item_vectors, np.concatenate([own, *added]))
    look_ahead = LookAhead(
        Trie(table.space, table.packed),
        mean_vectors(table.sid_of_item, views, len(table.packed)),
        table.sizes,
        temperature=settings["temperature"],
    )
    items = ShopItems(table.sid_of_item, views)
    generator = CompactGenerator(model, encoder, look_ahead, items, head_weight=head_weight)
    return Loaded(generator, views, rule.read, generator.encode)


def _load_lm(part: Artifact, stage: str, table: SidTable) -> Generator[Any]:
    # The compact family does not wait for transformers.
    from genrecall.generator.lm.generator import LmGenerator
    from genrecall.generator.lm.model import LmModel

    kind = ITEM if stage == ITEM_TO_SID else QUERY
    lm = LmModel.load(part, space=table.space).to(_device())
    return LmGenerator(lm, sids=table.names, kind=kind)


def _device() -> torch.device:
    """A GPU where there is one; of several processes that a launcher started, each has its own."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    number = int(os.environ.get("LOCAL_RANK", "0"))
    return torch.device("cuda", number % torch.cuda.device_count())
