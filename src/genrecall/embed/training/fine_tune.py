"""A pretrained model learns from the log which titles a query means: low-rank adapters (LoRA).

The adapters are added to the weights in the end, so that the model is a plain one again and costs
what it did. Minutes on a GPU; on a CPU about as long as the model takes to read three times what it
learns from.

Shapes: `B` pairs of a batch, `R` vector size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrecall.data.pairs import LoggedPairs
from genrecall.embed.config import FineTuneConfig
from genrecall.embed.losses import in_batch_loss
from genrecall.embed.pretrained import PretrainedModel
from genrecall.foundation.libraries import library
from genrecall.foundation.progress import RunLog
from genrecall.learning.adapters import adapt
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.loop import train_steps
from genrecall.learning.sampling import draw_weighted

_NAME: Final = "pretrained model"
_STEPS: Final = 1 << 32  # more than any training has: seed and step as one number
_SEEDS: Final = 1 << 63  # of torch


class Logged(NamedTuple):
    """What shoppers asked for and what was relevant to it.

    Attributes:
        titles: of all items.
        queries: distinct ones.
        pairs: which item was relevant to which query.
    """

    titles: Sequence[str]
    queries: Sequence[str]
    pairs: LoggedPairs


class _Schedule(NamedTuple):
    steps: int
    batch: int
    learning_rate: float
    embedding_learning_rate: float = 0.0


def fine_tune(
    reader: PretrainedModel,
    logged: Logged,
    config: FineTuneConfig,
    *,
    seed: int,
    checkpoints: Checkpoints,
    log: RunLog,
) -> PretrainedModel:
    """Train a model in its folder, and open it again.

    Args:
        reader: in a folder of its own.
        logged: at least one pair.
        config: steps and rates.
        seed: same seed, same model, on the same kind of machine.
        checkpoints: where to save and to resume from.
        log: where to report.

    Raises:
        ConfigError: peft is not installed, or the model has no transformer to adapt.
    """
    peft = library(
        "peft",
        extra="lm",
        needed_by="embed.pretrained.fine_tune",
        instead="Without steps of it the model stays as it came.",
    )
    model, transformer = reader.model, reader.transformer
    torch.manual_seed(seed)
    transformer.model = adapted = adapt(peft, transformer.model, config, dropout=0.0)

    def losses(step: int) -> dict[str, Tensor]:
        # What the model's own dropout draws, too, follows from the step.
        torch.manual_seed((seed * _STEPS + step) % _SEEDS)
        rng = np.random.default_rng([seed, step])
        chosen = draw_weighted(cumulative, config.batch, rng)
        query, item = logged.pairs.query[chosen], logged.pairs.item[chosen]
        asked = [logged.queries[number] for number in query.tolist()]
        titles = [logged.titles[row] for row in item.tolist()]
        loss = in_batch_loss(
            _read(model, asked, reader.query_prefix),
            _read(model, titles, reader.item_prefix),
            query_ids=torch.from_numpy(query).to(model.device),
            item_ids=torch.from_numpy(item).to(model.device),
            temperature=config.temperature,
        )
        return {"loss": loss}

    cumulative = np.cumsum(logged.pairs.weight)
    schedule = _Schedule(config.steps, config.batch, config.learning_rate)
    # Of the frozen weights nothing is kept.
    trained = nn.ParameterList(weight for weight in model.parameters() if weight.requires_grad)
    model.train()
    train_steps(_NAME, trained, losses, schedule=schedule, checkpoints=checkpoints, log=log)
    model.eval()
    transformer.model = adapted.merge_and_unload()
    transformer.model.requires_grad_(False)
    return reader.rewritten()


def _read(model: Any, texts: list[str], prefix: str) -> Tensor:
    """Unit vectors `[B, R]`, with what a gradient needs."""
    features = model.preprocess(texts, prompt=prefix or None)
    on_device = {
        name: value.to(model.device) if isinstance(value, Tensor) else value
        for name, value in features.items()
    }
    vectors: Tensor = model(on_device)["sentence_embedding"]
    return F.normalize(vectors, dim=-1)
