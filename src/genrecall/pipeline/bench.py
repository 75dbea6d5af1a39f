"""Measure how fast a bundle decodes, on the validation searches of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import TerminalLog
from genrecall.offline.decoding import as_rows, measure_decoding, measured_machine
from genrecall.pipeline.evaluate import open_measured


def bench_decoding(
    bundle: Path, *, data: Path | None, queries: int, widths: tuple[int, ...], k: int
) -> dict[str, Any]:
    """Paces of all engines and of indexes; see `offline/decoding.py`.

    Args:
        bundle: the bundle's folder.
        data: the run's data stage; None for the one beside the bundle.
        queries: that are asked at most.
        widths: beams.
        k: items of an answer.

    Raises:
        ArtifactError: as of `evaluate_bundle`.
        ConfigError: a number below 1.
    """
    if min(queries, k, *widths) < 1:
        raise ConfigError(
            f"queries={queries}, k={k}, beams={list(widths)}; needed are numbers of at least 1."
        )
    measured = open_measured(bundle, data)
    searches = measured.shop.searches.of("validation")
    rows = np.random.default_rng(0).permutation(len(searches))[:queries]
    asked = measured.asked(np.sort(rows)).distinct
    channel = measured.bundle.generative()
    settings = {
        "queries": len(asked),
        "items": len(channel.items),
        "sids": len(channel.items.trie),
        "dim": channel.items.views.shape[1],
    }
    machine = measured_machine()
    paces = measure_decoding(channel, asked, widths=widths, k=k, machine=machine, log=TerminalLog())
    return {"settings": settings | machine._asdict(), "paces": as_rows(paces)}
