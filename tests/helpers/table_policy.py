"""A policy that is a table, over seven SIDs, and two searches for it to learn from."""

import numpy as np
import torch
from tables import catalog_of, searches_of
from torch import nn

from genrecall.align.pages import Pages
from genrecall.data.filters.items import ItemFilters
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.base import Reading
from genrecall.generator.prompts import Prompt

SPACE = SidSpace((3, 2, 3))
SIDS = [(0, 0, 0), (0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 2), (2, 0, 1)]
TRIE = Trie(SPACE, SidTable(SPACE, np.array(SIDS, dtype=np.int32)).packed)
EMPTY = -60.0  # logit of a code that continues no SID, as in the family `compact`


class TablePolicy(nn.Module):
    """Logits of each prompt and prefix, of which only those of existing SIDs count."""

    def __init__(self, tables, trie=TRIE):
        super().__init__()
        self.tables = nn.ParameterList([torch.tensor(table) for table in tables])
        self.trie, self.there = trie, []
        for level in range(3):
            there = torch.zeros(trie.space.sizes[: level + 1], dtype=torch.bool)
            there[tuple(torch.from_numpy(trie.sids[:, : level + 1].astype(np.int64)).T)] = True
            self.there.append(there)

    def begin(self, prompts):
        state = torch.tensor([int(prompt.text) for prompt in prompts], dtype=torch.long)[:, None]
        roots = torch.zeros(len(prompts), dtype=torch.long)
        return state, self._logprobs(state, roots).view(len(prompts), self.trie.n_nodes[0])

    def append(self, state, rows, nodes):
        codes = torch.from_numpy(self.trie.codes[state.shape[1] - 1])[nodes]
        grown = torch.cat([state[rows], codes[:, None]], dim=1)
        return grown, self._logprobs(grown, nodes)

    @torch.no_grad()
    def read(self, prompts):
        state, step = self.begin(prompts)
        return Reading(prompts, np.zeros((len(prompts), 1), np.float32), state, lambda: step)

    @torch.no_grad()
    def advance(self, state, rows, nodes):
        return self.append(state, rows, nodes)

    def _logprobs(self, state, nodes):
        level = state.shape[1] - 1
        every = self._of_codes(state)
        parent, _, code = map(torch.from_numpy, self.trie.children(level, nodes.numpy()))
        return every[parent, code]

    def _of_codes(self, state):
        level = state.shape[1] - 1
        logits = self.tables[level][tuple(state.T)]
        there = self.there[level][tuple(state.T[1:])]
        return torch.where(there, logits, EMPTY).log_softmax(dim=-1)

    def every(self, prompt):
        """Log-probabilities of all SIDs, one code after another, with gradient: `[S]`."""
        codes = torch.tensor(SIDS)
        along = torch.cat([torch.full((len(SIDS), 1), prompt), codes], dim=1)
        return sum(
            self._of_codes(along[:, : level + 1]).gather(1, codes[:, level, None])[:, 0]
            for level in range(3)
        )


def random_policy(prompts=2, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(prompts, *SPACE.sizes[: level + 1]) for level in range(3)]
    return TablePolicy([rng.normal(0, 0.7, shape).astype(np.float32) for shape in shapes])


def pages_of(*searches):
    """Pages of catalogs with one item a SID, whose price is its row; the prompt is the number of
    the search."""
    prompts = [Prompt(str(number)) for number in range(len(searches))]
    rows = [{"split": "train"} | search for search in searches]
    items = catalog_of({"item_id": str(row), "price": row} for row in range(len(SIDS)))
    filtered = any(search.get("filters") for search in searches)
    fields = ItemFilters(items) if filtered else None
    return Pages(prompts, searches_of(rows), np.arange(len(SIDS)), fields=fields)


PAGES = pages_of(
    {"impressions": [0, 3, 5], "positives": [3], "bought": [False]},
    {"impressions": [1, 6], "positives": [6, 2], "bought": [True, False]},
)


def plain_config(**settings):
    plain = {"experts": 0, "scale": "none", "kl_weight": 0.0, "temperature": 1.0, "anchor": 0.0}
    return AlignConfig(**({"searches": 32, "group": 4} | plain | settings))


RARE = 1e-3


def rare_policy():
    """One search, whose click has a probability of one in a thousand."""
    tables = [np.zeros((1, *SPACE.sizes[: level + 1]), np.float32) for level in range(3)]
    tables[0][0] = np.log([(1.0 - RARE) / 2, (1.0 - RARE) / 2, RARE])
    return TablePolicy(tables)
