"""Compact generators of any shape, with weights that are drawn and not trained."""

import numpy as np
import torch
from tables import catalog_of

from genrecall.foundation.eight_bits import EightBits
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.generator.base import Reading
from genrecall.generator.compact.generator import CompactGenerator, CompactRead, CompactServing
from genrecall.generator.compact.model import CompactModel
from genrecall.generator.compact.weights import LevelWeights
from genrecall.generator.history import ShopperSettings
from genrecall.generator.prompts import Prompt
from genrecall.index.centroids import SidGroups
from genrecall.index.live import LiveItems

WIDTH, DIM = 12, 20
WEIGHTS = LevelWeights((0.4, 0.3, 0.2), (0.8, 0.9, 1.0))


def drawn_generator(sizes, n_items, *, seed=0, weights=WEIGHTS):
    """Over items with random SIDs; siblings have something in common."""
    rng, space = np.random.default_rng(seed), SidSpace(sizes)
    codes = np.stack([rng.integers(0, size, n_items) for size in sizes], axis=1).astype(np.int32)
    views = rng.normal(size=(sizes[0], DIM))[codes[:, 0]] + rng.normal(size=(n_items, DIM))
    views = (views / np.linalg.norm(views, axis=1, keepdims=True)).astype(np.float32)
    table = SidTable(space, codes)
    catalog = catalog_of({"item_id": str(row)} for row in range(n_items))
    items = LiveItems(catalog, table, views)
    torch.manual_seed(seed)
    model = CompactModel(space=space, n_features=4, width=WIDTH, dim=DIM)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    round_heads(model)
    groups = SidGroups.by_means(items.trie, items.means, table.sizes)
    serving = CompactServing(weights, 0.1, groups, ShopperSettings())
    return CompactGenerator(model.weights, None, items, serving)


def drawn_reading(generator, n, *, seed=1):
    """`n` prompts, as if they had been read."""
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(n, DIM))
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    read = CompactRead(rng.normal(size=(n, WIDTH)).astype(np.float32), queries)
    prompts = [Prompt(str(number)) for number in range(n)]
    return Reading(prompts, queries, read, lambda: generator.policy.first(read))


@torch.no_grad()
def round_heads(model):
    """To what eight bits hold, in which a walk keeps them and the reference does not."""
    for head in model.head:
        head.weight.copy_(torch.from_numpy(EightBits.of(head.weight.numpy()).vectors))
