"""The pieces of a trained generator, taken from a run's outputs."""

from dataclasses import dataclass

import torch
from torch import nn

from genrecall.bundle import OpenBundle
from genrecall.decode.reference import ReferenceEngine
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.model import CompactModel
from genrecall.generator.load import QUERY_TO_SID, load_generator
from genrecall.pipeline.evaluate import open_measured

TEXTS = ["red cordless drill", "coffee maker", "shoes", "", "日本", "Acme table lamp blue M101"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A generator, and what it was loaded from."""

    parts: OpenBundle
    generator: CompactGenerator

    @property
    def trie(self):
        return self.generator.items.trie

    @property
    def views(self):
        """Of the items, float32 `[N, D']`."""
        return self.generator.items.views[:]

    def search(self, prompts, generator=None, **options):
        """Beams of prompts by this generator or another one over the same items."""
        generator = generator or self.generator
        return ReferenceEngine(generator).search(generator.read(prompts), **options)

    def with_random_weights(self, seed=0):
        """Heads that say something of their own, as after long training."""
        model = CompactModel.of(self.generator.weights, space=self.generator.space)
        torch.manual_seed(seed)
        for weight in model.parameters():
            nn.init.normal_(weight, std=0.3)
        return self.generator.with_weights(model.weights)


def open_whole(outputs):
    """What a run's bundle is, with the training stages before the last, as evaluation opens it."""
    return open_measured(outputs.bundle, None).bundle


def load_trained(shop_run, stage=QUERY_TO_SID, **changes):
    """Load the generator of a run; `changes` replace what it is loaded with."""
    parts = open_whole(shop_run)
    inputs = {
        "encoder": parts.encoder,
        "items": parts.items,
        "head_weight": parts.channels.generative.head_weight,
    }
    return Trained(parts, load_generator(parts.stages["generator"], stage, **(inputs | changes)))
