"""A generator that reads its scores from tables."""

import numpy as np
import torch

from genrecall.generator.base import Reading


class TableGenerator:
    """Scores by prompt number and prefix: `[Q, K_1]`, `[Q, K_1, K_2]`, `[Q, K_1, K_2, K_3]`.

    Attributes:
        scores: the tables.
        trie: the SIDs in use.
        passes: how many prompts or prefixes each pass read.
    """

    def __init__(self, scores, trie):
        self.scores, self.trie, self.passes = scores, trie, []

    def read(self, prompts):
        """The state is the prompt number and the codes so far, one row a prefix."""
        self.passes.append(len(prompts))
        state = torch.tensor([int(prompt.text) for prompt in prompts], dtype=torch.long)[:, None]
        roots = torch.zeros(len(prompts), dtype=torch.long)
        step = self._scores(state, roots).view(len(prompts), self.trie.n_nodes[0])
        return Reading(prompts, np.zeros((len(prompts), 1)), state, lambda: step)

    def advance(self, state, rows, nodes):
        self.passes.append(len(rows))
        codes = torch.from_numpy(self.trie.codes[state.shape[1] - 1])[nodes]
        grown = torch.cat([state[rows], codes[:, None]], dim=1)
        return grown, self._scores(grown, nodes)

    def _scores(self, state, nodes):
        level = state.shape[1] - 1
        every = torch.from_numpy(self.scores[level][tuple(state.T.numpy())])
        parent, _, code = map(torch.from_numpy, self.trie.children(level, nodes.numpy()))
        return every[parent, code]
