"""A generative channel over any catalog, trained for a second."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tiny_shop import SETTINGS, in_domain

from genrecall.config import parse_config
from genrecall.foundation.progress import SilentLog
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import open_made


def generative_channel(catalog):
    """The channel of a shop without a log."""
    with TemporaryDirectory() as folder:
        catalog.frame.write_parquet(Path(folder) / "items.parquet")
        embed = in_domain(width=32, dim=16, steps=80, batch=64)
        settings = SETTINGS | {"data": {"items": {"file": "items.parquet"}}, "embed": embed}
        config = parse_config(settings, folder=Path(folder), name="the test's config")
        outputs = Outputs(Path(folder) / "run")
        run(config, outputs, last="calibrate", log=SilentLog())
        return open_made(outputs, config.channels).generative()
