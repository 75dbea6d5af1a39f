"""A trained generator, ready to score; the inference half of the stage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from genrecall.embed.views import Views
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.halves import map_rows
from genrecall.foundation.threads import limit_torch
from genrecall.generator.base import Generator
from genrecall.generator.compact.generator import CompactGenerator, CompactServing
from genrecall.generator.compact.reader import CompactReader
from genrecall.generator.compact.trained import CompactWeights
from genrecall.generator.compact.views import see_items
from genrecall.generator.compact.weights import Fitted, LevelWeights
from genrecall.generator.history import ShopperSettings
from genrecall.generator.prompts import ITEM, QUERY
from genrecall.index.centroids import SidGroups
from genrecall.index.live import LiveItems

if TYPE_CHECKING:
    import torch

COMPACT: Final = "compact"
"""The family whose heads and look-ahead may decode alone."""

ITEM_TO_SID: Final = "item_to_sid"
QUERY_TO_SID: Final = "query_to_sid"
USER_QUERY_TO_SID: Final = "user_query_to_sid"
STAGES: Final = (ITEM_TO_SID, QUERY_TO_SID, USER_QUERY_TO_SID)
"""Supervised stages in order."""

ALIGN: Final = "align"
"""The stage after them."""

ALIGN_FILE: Final = "align.json"
"""How the alignment of each arm went; the first one serves, and nothing was aligned without one."""

ALIGNED: Final = "aligned"
"""Folder of the weights that serve."""

CALIBRATE: Final = "calibrate"
"""The stage that fits how much heads and look-ahead weigh."""

WEIGHTS_FILE: Final = "weights.json"
"""Of that stage: by supervised stage and arm of the alignment `both` as they serve, `heads` alone
and `look_ahead` alone, each with weights that are `served` and those of the `folds`; empty where
nothing was fitted."""

CONTROLS: Final = "controls"
"""Folder of the folders of controls."""

STAGES_FILE: Final = "stages.json"
"""Which family and stages an artifact holds."""

SHOPPER_FILE: Final = "shopper.json"
"""What stage 3 reads of shoppers: `history` and `related_categories` of its settings, and `pairs`,
those of profiles that it was taught, as `[field, value]`."""

OWN_VECTORS: Final = "own_vectors.npy"
"""The generator's own vectors of the items."""


def trained_stages(artifact: Artifact) -> tuple[str, ...]:
    """The supervised stages that a generator artifact holds, in order."""
    return tuple(artifact.read_json(STAGES_FILE)["stages"])


def generator_family(artifact: Artifact) -> str:
    """Which family a generator artifact is of."""
    return str(artifact.read_json(STAGES_FILE)["family"])


def load_weights(artifact: Artifact) -> dict[str, dict[str, Fitted]]:
    """What stage `calibrate` fitted: by generator and way of decoding."""
    fitted = artifact.read_json(WEIGHTS_FILE)
    return {
        name: {way: Fitted.of_json(values) for way, values in ways.items()}
        for name, ways in fitted.items()
    }


def load_generator(
    artifact: Artifact,
    stage: str,
    *,
    encoder: Views,
    items: LiveItems,
    head_weight: float,
    weights: Artifact | None = None,
) -> Generator[Any]:
    """The generator as it was after a stage.

    Args:
        artifact: of the generator stage.
        stage: one of `trained_stages`.
        encoder: of stage `embed`.
        items: those that the stage has read, and behind them others, which are encoded now.
        head_weight: of the learned heads against the look-ahead, before other weights are fitted;
            only for family `compact`.
        weights: what reads prompts, if that was trained on after the stage; None for its own.

    Returns:
        A `compact` generator sees items and queries twice, by the encoder and by vectors of its
        own; a language model by the encoder alone.

    Raises:
        ArtifactError: a version that wrote other files made the artifact, or it is of another SID
            space, or of a family that is not known.
    """
    part = artifact.part(stage)
    shopper = _shopper_settings(artifact, stage)
    settings = artifact.read_json(STAGES_FILE)
    match settings["family"]:
        case "compact":
            groups = SidGroups.load(part, items.trie)
            titles = CompactWeights.load(part, space=items.table.space)
            own = map_rows(part.file(OWN_VECTORS))
            views = see_items(CompactReader(titles), encoder, items, own)
            usual = LevelWeights.usual(head_weight=head_weight)
            serving = CompactServing(usual, settings["temperature"], groups, shopper)
            reads = titles
            if weights is not None:
                reads = CompactWeights.load(weights, space=items.table.space)
            return CompactGenerator(reads, encoder, items.seen_as(views), serving, titles)
        case "lm":
            return _load_lm(weights or part, stage, encoder, items, shopper)
        case family:
            raise ArtifactError(
                f"{artifact.path} holds a generator of the family {family!r}, which this version "
                "does not know. Serve it with the version that made it."
            )


def _shopper_settings(artifact: Artifact, stage: str) -> ShopperSettings:
    """Before the last stage a generator has never seen a shopper: it reads nothing of one."""
    if stage != USER_QUERY_TO_SID:
        return ShopperSettings()
    settings = artifact.read_json(SHOPPER_FILE)
    pairs = frozenset((field, value) for field, value in settings.pop("pairs"))
    return ShopperSettings(pairs, **settings)


def _load_lm(
    part: Artifact, stage: str, encoder: Views, items: LiveItems, shopper: ShopperSettings
) -> Generator[Any]:
    # The compact family does not wait for transformers.
    from genrecall.generator.lm.generator import LmGenerator
    from genrecall.generator.lm.model import LmModel

    kind = ITEM if stage == ITEM_TO_SID else QUERY
    limit_torch()
    lm = LmModel.load(part, space=items.table.space).to(_device())
    return LmGenerator(lm, encoder, items, shopper=shopper, kind=kind)


def _device() -> torch.device:
    """A GPU where there is one; of several processes that a launcher started, each has its own."""
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu")
    number = int(os.environ.get("LOCAL_RANK", "0"))
    return torch.device("cuda", number % torch.cuda.device_count())
