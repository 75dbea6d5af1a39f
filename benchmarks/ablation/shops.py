"""The shops that the ablation is run on, each with its vectors made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import changed
from genrecall.config import Config, load_config
from genrecall.data.load import load_shop
from genrecall.data.shop_data import ShopData
from genrecall.embed.load import Embedded, load_embedded
from genrecall.foundation.artifact import Artifact
from genrecall.pipeline.demo import make_demo
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run

_EXAMPLES = Path(__file__).parents[2] / "examples"

SHOPS = {
    "homedepot": "Home Depot, 54,667 products; categories are derived types, not a taxonomy",
    "homedepot_generic": "Home Depot with word vectors as they come, which know no query of it",
    "synthetic": "the synthetic shop with 20,000 items and its true category tree",
}

_GENERIC: Mapping[str, Any] = {"embed": {"views": ["static"], "learn_maps": False, "fields": []}}
"""Nothing of the shop's log in the vectors."""

# A cell trains a generator, and there are hundreds of cells: a seventh of what a run gives it.
_SHORT: Mapping[str, Any] = {
    "item_to_sid": {"steps": 50},
    "query_to_sid": {"steps": 300},
    "pseudo_queries": 30_000,
}


@dataclass(frozen=True, eq=False)
class Shop:
    """A shop with its vectors, as the quantize stage gets them.

    Attributes:
        name: one of `SHOPS`.
        config: what its stages were made with.
        data: the tables.
        embed: encoder and item vectors.
    """

    name: str
    config: Config
    data: Artifact
    embed: Artifact

    @cached_property
    def tables(self) -> ShopData:
        """Catalog and searches."""
        return load_shop(self.data)

    @cached_property
    def embedded(self) -> Embedded:
        """The encoder of titles and queries, and the vectors of the items."""
        return load_embedded(self.embed)

    @cached_property
    def query_vectors(self) -> NDArray[np.float32]:
        """Of the training queries, `[Q, D]`."""
        return self.embedded.encoder.encode(self.tables.queries)


def make_shop(name: str, out: Path, *, threads: int, full: bool) -> Shop:
    """Read the shop and train its encoder, or find both in `out`.

    Args:
        name: one of `SHOPS`.
        out: where to look and to write.
        threads: of training.
        full: train generators as long as `genrecall run` does.
    """
    folder = out / name
    if name.startswith("homedepot"):
        config = load_config(_EXAMPLES / "homedepot.yaml")
        config = changed(config, _GENERIC if name == "homedepot_generic" else {})
    else:
        config = make_demo(folder / "shop", items=20_000, searches=100_000, seed=0)
    unseen = {"data": {"split": {"by": "query"}}, "threads": threads}  # on both shops
    config = changed(config, unseen, {} if full else {"generator": _SHORT})
    outputs = Outputs(folder / "run")
    run(config, outputs, last="embed")
    return Shop(
        name=name,
        config=config,
        data=outputs.open_stage("data"),
        embed=outputs.open_stage("embed"),
    )
