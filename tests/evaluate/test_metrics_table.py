import io

import numpy as np
from rich.console import Console

from genrecall.evaluate.metrics import EvaluationInputs, build_metrics
from genrecall.evaluate.table import WIDTH, print_metrics

CHANNELS = ("generative", "bm25", "dense", "bm25+dense", "bm25+dense+generative")


def printed(**changes):
    random = np.random.default_rng(0)
    given = {
        "split": "validation",
        "positives": [random.choice(200, 3, replace=False) for _ in range(40)],
        "channels": {
            name: [random.choice(200, 120, replace=False) for _ in range(40)] for name in CHANNELS
        },
        "beams": {"user_query_to_sid": random.integers(0, 50, (40, 100))},
        "sid_of_item": np.arange(200) % 50,
        "slices": {"unseen": np.ones(40, dtype=bool), "tail": np.arange(40) < 9},
        "latencies_ms": random.exponential(20, 90),
        "quantize": {"sids": 50, "items_per_sid": {"mean": 4.0, "weighted": 4.0, "max": 4}},
        "excluded": {"no good item": 1200},
    }
    out = io.StringIO()
    metrics = build_metrics(EvaluationInputs(**(given | changes)))
    print_metrics(metrics, console=Console(file=out, width=WIDTH, color_system=None))
    return metrics, out.getvalue()


def test_every_line_fits_and_nothing_is_cut_or_folded():
    _, text = printed()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= WIDTH
    assert "…" not in text
    for name in (*CHANNELS, "user_query_to_sid"):
        assert any(line.startswith(name) for line in text.splitlines())


def test_figures_stand_with_their_intervals():
    metrics, text = printed()
    figure = metrics["channels"]["dense"]["recall@100"]
    lo, hi = (f"{end:.3f}".removeprefix("0") for end in figure["ci"])
    assert f"{figure['value']:.3f} [{lo}–{hi}]" in text
    assert "1,200 left out: no good item" in text
    assert "Slice tail: 9 searches" in text
    assert "to bm25+dense" in text
    assert "p99" in text
    assert "only generative has" in text


def test_slice_of_every_search_is_not_repeated():
    assert "Slice unseen" not in printed()[1]


def test_tables_without_figures_are_left_out():
    channels = {"bm25": [np.arange(3)] * 40}
    _, text = printed(
        channels=channels, beams={}, slices={}, latencies_ms=None, quantize={}, excluded={}
    )
    assert "bm25" in text
    for absent in ("Items per SID", "beams", "Slice", "adds", "Milliseconds", "left out"):
        assert absent not in text
