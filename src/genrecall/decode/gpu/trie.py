"""The tree of SIDs on a device, and one level of a beam search over it in fixed shapes.

Nothing here asks the host for anything, so that a graph can record it: prefixes that are not there
have the log-probability -inf, and children are padded to the widest node of their level.

Shapes: `Q` prompts, `B` prefixes of each that are kept, `C` children of the widest node, `n_l`
nodes of level `l`, `S` SIDs.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from genrecall.decode.base import BeamRule
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie

_FIRST: Final = 1e6
"""Added to what is kept whatever its score; no sum of log-probabilities is as far from 0. It blurs
the order among these, which does not count: no width is below `min_level1`."""


class Kept(NamedTuple):
    """Prefixes of a level, best first.

    Attributes:
        node: in the trie, int64 `[Q, B]`; any where the log-probability is -inf.
        first: node of the first code, likewise.
        parent: which prefix of the level before it continues, likewise.
        logprob: float32 `[Q, B]`; -inf where there is no prefix.
    """

    node: Tensor
    first: Tensor
    parent: Tensor
    logprob: Tensor


class GpuTrie:
    """A tree of SIDs in flat tensors.

    Args:
        trie: the SIDs in use.
        device: where to hold them.
    """

    def __init__(self, trie: Trie, device: torch.device) -> None:
        self.codes = [torch.from_numpy(codes.astype("int64")).to(device) for codes in trie.codes]
        self._starts = [torch.from_numpy(starts).to(device) for starts in trie.offsets]
        self._widest = [int((starts[1:] - starts[:-1]).max()) for starts in trie.offsets]
        # Where the SIDs below each node begin; one more says where the last ones end.
        below = trie.offsets[2], trie.offsets[2][trie.offsets[1]]
        self._leaves = [torch.from_numpy(starts).to(device) for starts in reversed(below)]

    def alive(self, valid: Tensor | None) -> list[Tensor | None]:
        """Per level, which nodes have a valid SID below: bool `[1 or Q, n_l]`; None for all.

        Args:
            valid: bool `[1 or Q, S]`; None for all.
        """
        if valid is None:
            return [None] * LEVELS
        before = F.pad(valid.cumsum(dim=1, dtype=torch.int32), (1, 0))
        counts = [before[:, starts] for starts in self._leaves]
        return [*(count[:, 1:] > count[:, :-1] for count in counts), valid]

    def roots(self, n_prompts: int) -> Kept:
        """The empty prefix of each prompt."""
        zeros = torch.zeros(n_prompts, 1, dtype=torch.int64, device=self.codes[0].device)
        return Kept(zeros, zeros, zeros, zeros.float())

    def best(
        self,
        kept: Kept,
        level: int,
        scores: Tensor,
        alive: Tensor | None,
        *,
        widths: Tensor,
        beam: int,
        min_level1: int,
    ) -> Kept:
        """The best children of what was kept.

        Args:
            kept: of the level before.
            level: of the children.
            scores: log-probabilities of all codes of the level, `[Q, B, K_l]`.
            alive: nodes of the level that may be visited; None for all.
            widths: how many children each prompt keeps, int64 `[Q]`.
            beam: the most of them.
            min_level1: see `Engine.search`.

        Returns:
            Them; of children with equal scores, any may come first.
        """
        starts = self._starts[level]
        start = starts[kept.node][..., None]
        child = start + torch.arange(self._widest[level], device=start.device)  # (Q, B, C)
        exists = child < starts[kept.node + 1][..., None]
        child = child.clamp(max=len(self.codes[level]) - 1)
        if alive is not None:
            rows = torch.arange(len(alive), device=child.device)[:, None, None]
            exists = exists & alive[rows, child]
        logprob = kept.logprob[..., None] + scores.gather(2, self.codes[level][child])
        logprob = logprob.where(exists, -torch.inf)
        first = child if level == 0 else kept.first[..., None].expand_as(child)
        # The first codes that lead stay by themselves as long as these alone are compared.
        leads = min_level1 > 1 and level > 0
        key = _with_leads(logprob, kept.first, min_level1) if leads else logprob.flatten(1)
        key, at = key.topk(min(beam, key.shape[1]))
        found = logprob.flatten(1).gather(1, at)
        narrow = torch.arange(at.shape[1], device=at.device) >= widths[:, None]
        found = found.masked_fill(narrow, -torch.inf)
        if leads:
            found, order = found.sort(descending=True, stable=True)
            at = at.gather(1, order)
        return Kept(
            node=child.flatten(1).gather(1, at),
            first=first.flatten(1).gather(1, at),
            parent=at // child.shape[2],
            logprob=found,
        )


def widths_of(rule: BeamRule, first: Tensor) -> Tensor:
    """How many prefixes are kept of each prompt, by log-probabilities of first codes `[Q, n_0]`."""
    entropies = -(first.exp() * first).sum(dim=1)
    widths = torch.full_like(entropies, rule.widths[0], dtype=torch.int64)
    for width, entropy in zip(rule.widths[1:], rule.entropies, strict=True):
        widths = widths.masked_fill(entropies >= entropy, width)
    return widths


def _with_leads(logprob: Tensor, first: Tensor, n_first: int) -> Tensor:
    """Scores in which the best prefix of each of the leading first codes comes first.

    Args:
        logprob: of children, `[Q, B, C]`.
        first: node of the first code of their parents, `[Q, B]`.
        n_first: how many first codes lead.

    Returns:
        `[Q, B C]`.
    """
    best, at = logprob.max(dim=2)  # of each parent
    same = first[:, :, None] == first[:, None, :]
    of_first = best[:, None, :].where(same, -torch.inf).amax(dim=2)
    leads = best == of_first
    # Of equal ones that stands first.
    leads = leads & ~(same & leads[:, None, :]).tril(-1).any(dim=2)
    n_first = min(n_first, best.shape[1])
    parent = best.where(leads, -torch.inf).topk(n_first).indices
    place = parent * logprob.shape[2] + at.gather(1, parent)
    # A parent that does not lead is among them where there are fewer first codes.
    more = _FIRST * leads.gather(1, parent).float()
    return logprob.flatten(1).scatter_add(1, place, more)
