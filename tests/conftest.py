"""What all tests share: one thread, hypothesis without a deadline, a small shop's outputs."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# Read when the libraries are first imported, which happens after this file.
os.environ |= {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}

# Whoever runs the tests in the background may ignore Ctrl-C for them, and for what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine fails no test.
settings.register_profile("genrecall", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("genrecall")


@pytest.fixture(scope="session")
def shop_run(tmp_path_factory):
    """What a run on `tiny_shop` left, its encoder trained a little longer; only to be read."""
    from tiny_shop import in_domain, write_shop

    from genrecall.config import load_config
    from genrecall.foundation.progress import SilentLog
    from genrecall.pipeline.outputs import Outputs
    from genrecall.pipeline.run import run

    folder = tmp_path_factory.mktemp("shop_run")
    embed = in_domain(width=32, dim=16, steps=80, batch=64)
    outputs = Outputs(folder / "run")
    run(load_config(write_shop(folder, settings={"embed": embed})), outputs, log=SilentLog())
    return outputs


pytest_plugins = ["lm_models"]
