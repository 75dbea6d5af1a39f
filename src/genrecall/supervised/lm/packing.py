"""Packs prompts and the SIDs they should generate into rows without padding.

A prompt's targets share it: their codes stand behind the prompt in the same row, each a branch that
sees the prompt and itself. Prompts in the same row do not see each other.

    row   query : drill <sid> c1 c2 c1 c2  query : saw <sid> c1 c2 c1 c2
    branch  0   0   0     0    1  1  2  2    0   0  0    0    1  1  2  2
    scores                c1  c2 c3 c2 c3                c1  c2 c3 c2 c3

The third code of a SID is never read, only scored.

Shapes: `n` prompts, `T` targets a prompt, `R` rows, `L` tokens a row.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.foundation.ragged import ragged_offsets, ragged_owners, rank_in_run
from genrecall.foundation.sid import LEVELS

_READ = LEVELS - 1  # codes of a target that stand in the row
_MULTIPLE = 8  # row lengths that the kernels like


class Packed(NamedTuple):
    """Prompts computed at once.

    Attributes:
        ids: token ids, 0 in the rest of a row, int64 `[R, L]`.
        positions: of a token in its prompt and SID, int64 `[R, L]`.
        document: which prompt a token belongs to, -1 in the rest of a row, int64 `[R, L]`.
        branch: 0 in a prompt, from 1 on the target that a code belongs to, int64 `[R, L]`.
        at: where in the flat rows each level is scored: the prompt's end, the first codes and the
            second codes, int64 `[n]`, `[n, T]` and `[n, T]`.
        codes: to be scored, int64 `[n, T, 3]`.
    """

    ids: Tensor
    positions: Tensor
    document: Tensor
    branch: Tensor
    at: tuple[Tensor, Tensor, Tensor]
    codes: Tensor

    def to(self, device: torch.device) -> Packed:
        """The same on a device."""
        moved = (self.ids, self.positions, self.document, self.branch)
        ids, positions, document, branch = (t.to(device, non_blocking=True) for t in moved)
        first, second, third = (t.to(device, non_blocking=True) for t in self.at)
        codes = self.codes.to(device, non_blocking=True)
        return Packed(ids, positions, document, branch, (first, second, third), codes)

    def mask(self) -> Tensor:
        """Which tokens of its row each token sees: bool `[R, 1, L, L]`."""
        query, key = (self.document[:, :, None], self.document[:, None, :])
        query_branch, key_branch = (self.branch[:, :, None], self.branch[:, None, :])
        place = torch.arange(self.ids.shape[1], device=self.ids.device)
        before = place[:, None] >= place[None, :]
        mask = (query == key) & before & ((key_branch == 0) | (key_branch == query_branch))
        return mask[:, None]

    @property
    def n_tokens(self) -> int:
        """Tokens without the rest of the rows."""
        return int((self.document >= 0).sum())

    @property
    def n_pairs(self) -> int:
        """How many tokens each token sees, itself included, summed over the tokens."""
        return int((self.positions + 1)[self.document >= 0].sum())


def pack(
    prompts: Sequence[Sequence[int]],
    tokens: NDArray[np.int64],
    codes: NDArray[np.int64],
    *,
    row_tokens: int,
    micro_tokens: int,
) -> Iterator[Packed]:
    """Pack a batch, in parts that fit into memory.

    Args:
        prompts: token ids of each prompt, `n` of them.
        tokens: token ids of the first two codes of its targets, int64 `[n, T, 2]`.
        codes: codes of its targets, int64 `[n, T, 3]`.
        row_tokens: length of a row, unless one prompt with its targets is longer.
        micro_tokens: most tokens of a part, but at least a row.
    """
    n_codes = tokens.shape[1] * _READ
    lengths = np.array([len(prompt) for prompt in prompts]) + n_codes
    longest = max(row_tokens, int(lengths.max()))
    length = -(-longest // _MULTIPLE) * _MULTIPLE
    rows = _fill_rows(lengths, length)
    per_part = max(micro_tokens // length, 1)
    for start in range(0, len(rows), per_part):
        part = rows[start : start + per_part]
        chosen = np.array([document for row in part for document in row])
        yield _lay_out(part, [prompts[i] for i in chosen], tokens[chosen], codes[chosen], length)


def _fill_rows(lengths: NDArray[np.int64], room: int) -> list[list[int]]:
    """Put documents into rows, the longest first, each where it leaves the least room."""
    rows: list[list[int]] = []
    free: list[tuple[int, int]] = []  # room left in a row, its number; sorted
    for document in np.argsort(-lengths, kind="stable").tolist():
        need = int(lengths[document])
        place = bisect.bisect_left(free, (need, 0))
        if place == len(free):
            left, row = room, len(rows)
            rows.append([])
        else:
            left, row = free.pop(place)
        rows[row].append(document)
        bisect.insort(free, (left - need, row))
    return rows


def _lay_out(
    rows: Sequence[Sequence[int]],
    prompts: Sequence[Sequence[int]],
    tokens: NDArray[np.int64],
    codes: NDArray[np.int64],
    length: int,
) -> Packed:
    """Lay prompts, which stand in the order of the rows, into a rectangle."""
    n_targets = tokens.shape[1]
    n_codes = n_targets * _READ
    prompt_lengths = np.array([len(prompt) for prompt in prompts])
    lengths = prompt_lengths + n_codes
    row_of = ragged_owners([len(row) for row in rows])
    before = ragged_offsets(lengths)[:-1]
    first_of_row = np.searchsorted(row_of, row_of)
    starts = row_of * length + before - before[first_of_row]  # (n)
    document = ragged_owners(lengths)
    place = rank_in_run(document)
    behind = place - prompt_lengths[document]  # from 0 on in the codes
    in_codes = behind >= 0
    flat = np.empty(len(document), dtype=np.int64)
    flat[~in_codes] = np.concatenate([np.asarray(prompt) for prompt in prompts])
    flat[in_codes] = tokens.reshape(-1)
    at = starts[document] + place

    def spread(values: NDArray[np.int64], rest: int) -> Tensor:
        table = np.full(len(rows) * length, rest, dtype=np.int64)
        table[at] = values
        return torch.from_numpy(table).view(len(rows), length)

    end = starts + prompt_lengths - 1
    firsts = (end + 1)[:, None] + np.arange(n_targets) * _READ
    return Packed(
        ids=spread(flat, 0),
        positions=spread(np.where(in_codes, prompt_lengths[document] + behind % _READ, place), 0),
        document=spread(document, -1),
        branch=spread(np.where(in_codes, behind // _READ + 1, 0), 0),
        at=(torch.from_numpy(end), torch.from_numpy(firsts), torch.from_numpy(firsts + 1)),
        codes=torch.from_numpy(codes.astype(np.int64)),
    )
