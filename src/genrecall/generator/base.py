"""What a generator is: prompts in, log-probabilities over one level's codes out.

Only codes that continue a SID in use are scored. What a request may not be answered with is masked
by the decoder, which does not renormalize: a beam's log-probability is the same whatever a filter
excludes.

Shapes: `Q` prompts, `R` prefixes (beams of all prompts), `C` their children in the trie, `n_0`
first codes in use, `D` vector size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from genrecall.embed.views import Views
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.trie import Trie
from genrecall.generator.history import ShopperSettings
from genrecall.generator.prompts import Prompt
from genrecall.index.live import LiveItems

if TYPE_CHECKING:  # what serves the compact family does not wait for torch
    from torch import Tensor

State = TypeVar("State")
"""What a family carries along a prefix, such as hidden states; opaque to the decoder."""


@dataclass(frozen=True, eq=False)
class Reading(Generic[State]):
    """Prompts as a generator has read them, once for all that is made of them.

    Attributes:
        prompts: with what was read of their shoppers, and no more, `[Q]`.
        queries: unit vectors in the space of the items' views, float32 `[Q, D]`; zeros for a
            prompt without a known word.
        state: one row per prompt.
        start: scores the first codes; an engine that scores codes by itself never asks.
    """

    prompts: Sequence[Prompt]
    queries: NDArray[np.float32]
    state: State
    start: Callable[[], Tensor]

    def __len__(self) -> int:
        return len(self.prompts)

    @cached_property
    def step(self) -> Tensor:
        """Log-probabilities of the first codes, float32 `[Q, n_0]`, in main memory."""
        return self.start()


class ViewPart(NamedTuple):
    """A part of the vectors in which queries and items are compared.

    Attributes:
        name: of the view.
        size: numbers of it.
        share: of its cosine in the product of two vectors.
    """

    name: str
    size: int
    share: float


class Generator(Protocol[State]):
    """A family of generators over the items of a shop.

    A query costs one `read`, however often it is searched, and two `advance` a search.
    """

    @property
    def space(self) -> SidSpace:
        """The SID space it was trained for."""

    @property
    def trie(self) -> Trie:
        """The SIDs in use."""

    @property
    def items(self) -> LiveItems:
        """The items that it generates SIDs of, seen as it sees them."""

    @property
    def views(self) -> Sequence[ViewPart]:
        """How the vectors of what it reads, and of `items.views`, are put together, in order."""

    @property
    def shopper(self) -> ShopperSettings:
        """What it reads of shoppers."""

    def read(self, prompts: Sequence[Prompt]) -> Reading[State]:
        """Read prompts with their shoppers."""

    def advance(self, state: State, rows: Tensor, nodes: Tensor) -> tuple[State, Tensor]:
        """Append one code to each of `R` chosen prefixes.

        Args:
            state: as returned before.
            rows: which row of `state` each new prefix continues, int64 `[R]`.
            nodes: of the trie, to which it goes on, int64 `[R]`.

        Returns:
            The state with one row per new prefix, and log-probabilities of their children, in the
            order of `Trie.children`, float32 `[C]`, in main memory.
        """

    def over(self, items: LiveItems) -> Generator[State]:
        """The same weights over more items: those of `self.items` first, in their order."""


class Policy(Generator[State], Protocol[State]):
    """A generator that can be trained by what it generates: `read` and `advance` with gradients."""

    def begin(self, prompts: Sequence[Prompt]) -> tuple[State, Tensor]:
        """As `read`: the state, and log-probabilities of the first codes `[Q, n_0]`."""

    def append(self, state: State, rows: Tensor, nodes: Tensor) -> tuple[State, Tensor]:
        """As `advance`: the state, and log-probabilities of the children `[C]`."""


def view_parts(encoder: Views) -> list[ViewPart]:
    """How the vectors of stage `embed` are put together."""
    return [ViewPart(name, size, encoder.shares[name]) for name, size in encoder.sizes.items()]
