"""What the stages before have made, read back for the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from genrecall.config import Config
from genrecall.data.load import load_shop
from genrecall.data.shop_data import ShopData
from genrecall.embed.load import Embedded, load_embedded
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.progress import RunLog
from genrecall.foundation.sid import SidTable
from genrecall.pipeline.outputs import Outputs
from genrecall.quantize.load import load_table


@dataclass(frozen=True, eq=False)
class Made:
    """What a stage may read.

    Attributes:
        config: of the run.
        outputs: of the run.
        stages: what each stage so far has made, by its name; grows as the run goes on.
        log: where long encodings report to.
    """

    config: Config
    outputs: Outputs
    stages: Mapping[str, Artifact]
    log: RunLog

    @cached_property
    def data(self) -> ShopData:
        """The tables; read once, as several stages learn from them."""
        return load_shop(self.stages["data"])

    def embedded(self) -> Embedded:
        """Encoder and item vectors; read anew, so that no large model outlives its stage."""
        return load_embedded(self.stages["embed"], log=self.log)

    def table(self) -> SidTable:
        """The SID of each item."""
        return load_table(self.stages["quantize"])
