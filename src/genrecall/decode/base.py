"""What a decoder finds.

Shapes: `Q` prompts, `B` beams.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Beams:
    """The best SIDs of each prompt, best first.

    Attributes:
        leaves: position of each SID among the trie's SIDs, int64 `[Q, B]`; -1 where a prompt has
            fewer than `B` valid SIDs.
        logprob: the generator's log-probability, float32 `[Q, B]`; -inf where there is no SID.
    """

    leaves: NDArray[np.int64]
    logprob: NDArray[np.float32]
