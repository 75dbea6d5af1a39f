"""Trained weights of the compact family as arrays: what is on disk, and what serves.

Shapes: `W` width, `K_l` codes of level `l`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from safetensors.numpy import save_file

from genrecall.foundation.artifact import Artifact
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.files import write_json
from genrecall.foundation.halves import map_weights, with_halves
from genrecall.foundation.layers import Weights
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.text_encoder import TABLE
from genrecall.generator.prompts import Pair

_SETTINGS: Final = "compact.json"
_WEIGHTS: Final = "compact.safetensors"
_HALVES: Final = (TABLE, "shopper.leaf.weight")
"""Tables, which are nearly all of the weights."""


@dataclass(frozen=True, eq=False)
class CompactWeights:
    """The weights of a `CompactModel`, in no need of torch.

    Attributes:
        arrays: by the names that the model gives them.
        own_share: of the generator's own vectors in the look-ahead; see `CompactModel`.
        pairs: pairs (field, value) of profiles that it knows.
        length: chosen items at most that it reads of a shopper.
    """

    arrays: Weights
    own_share: float
    pairs: tuple[Pair, ...] = ()
    length: int = 0

    @property
    def reads_shoppers(self) -> bool:
        """Whether it has learned to."""
        return "shopper.leaf.weight" in self.arrays

    def halved(self) -> CompactWeights:
        """As they serve: the tables in halves."""
        return replace(self, arrays=with_halves(self.arrays, _HALVES))

    @classmethod
    def load(cls, artifact: Artifact, *, space: SidSpace) -> CompactWeights:
        """Read what `save` wrote.

        Raises:
            ArtifactError: the weights are of another SID space.
        """
        settings = artifact.read_json(_SETTINGS)
        if settings["space"] != space.digest:
            raise ArtifactError(
                f"{artifact.path} was trained for another SID space than the catalog's "
                f"{space.sizes}. Run the generator stage again."
            )
        arrays, shopper = map_weights(artifact.file(_WEIGHTS)), settings["shopper"]
        if shopper is None:
            return cls(arrays, settings["own_share"])
        pairs = tuple((field, value) for field, value in shopper["pairs"])
        return cls(arrays, settings["own_share"], pairs, shopper["length"])

    def save(self, folder: Path, *, space: SidSpace) -> None:
        """Write settings and weights into a new folder, the tables in halves."""
        folder.mkdir()
        shopper = {"length": self.length, "pairs": self.pairs} if self.reads_shoppers else None
        settings = {"space": space.digest, "own_share": self.own_share, "shopper": shopper}
        write_json(folder / _SETTINGS, settings)
        save_file(dict(self.halved().arrays), folder / _WEIGHTS)
