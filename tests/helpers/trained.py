"""The pieces of a trained generator, taken from a run's outputs."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from genrecall.bundle import RecallParts, load_parts
from genrecall.foundation.artifact import open_artifact
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.load import QUERY_TO_SID, load_generator

TEXTS = ["red cordless drill", "coffee maker", "shoes", "", "日本", "Acme table lamp blue M101"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A generator, what it was loaded from, and its item vectors, float32 `[N, D']`."""

    parts: RecallParts
    generator: CompactGenerator
    views: np.ndarray

    @property
    def trie(self):
        return self.generator.look_ahead.trie

    def with_random_weights(self, seed=0):
        """Heads that say something of their own, as after long training."""
        generator = copy.deepcopy(self.generator)
        torch.manual_seed(seed)
        for weight in generator.model.parameters():
            nn.init.normal_(weight, std=0.3)
        return generator


def load_trained(shop_run, stage=QUERY_TO_SID, **changes):
    """Load the generator of a run; `changes` replace what it is loaded with."""
    parts = load_parts(open_artifact(shop_run.bundle, kind="bundle"))
    inputs = {
        "encoder": parts.encoder,
        "titles": parts.catalog.titles,
        "item_vectors": parts.vectors,
        "table": parts.table,
        "head_weight": parts.channels.generative.head_weight,
    }
    loaded = load_generator(parts.stages["generator"], stage, **(inputs | changes))
    return Trained(parts, loaded.generator, loaded.vectors)
