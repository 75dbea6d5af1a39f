from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tables import searches_of

from benchmarks.ablation.cell import (
    BEAMS,
    MODES,
    RECALL_AT,
    WIDTHS,
    Decoded,
    Measured,
    settings_hash,
)
from benchmarks.ablation.cells import CELLS, REFERENCE
from benchmarks.ablation.markdown import as_markdown
from benchmarks.ablation.printing import print_tables
from benchmarks.ablation.results import Results
from benchmarks.ablation.tables import build_tables
from genrecall.config import Config
from genrecall.data.config import DataConfig, TableSource
from genrecall.foundation.errors import DataError

SEARCHES_MEASURED = 40


def _config(tmp_path: Path) -> Config:
    return Config(data=DataConfig(items=TableSource(file=tmp_path / "items.jsonl")))


def _measured(rng: np.random.Generator, *, hit: float) -> Measured:
    """Random searches whose `hit` rate of the relevant item grows with the beams."""
    at = rng.geometric(hit, size=SEARCHES_MEASURED)  # beam at which the relevant item is found
    found = (np.arange(BEAMS + 1) >= at[:, None]).astype(np.float32)
    items = np.tile(np.arange(BEAMS + 1, dtype=np.float32) * 5, (SEARCHES_MEASURED, 1))

    decoded = Decoded(
        found, items, truncated=found[:, WIDTHS], recall=found[:, RECALL_AT[:1] * len(RECALL_AT)]
    )
    return Measured(dict.fromkeys(MODES, decoded), health={"warnings": []}, sizes=np.full(100, 5))


def _shop() -> Any:
    """What the tables need of a shop: its name, its searches, its settings."""
    searches = searches_of(
        {"query": f"query {i}", "split": "validation", "positives": [0]}
        for i in range(SEARCHES_MEASURED)
    )
    stage = SimpleNamespace(digest="0")
    return SimpleNamespace(
        name="synthetic",
        tables=SimpleNamespace(searches=searches),
        config=_config(Path("shop")),
        data=stage,
        embed=stage,
    )


def _write(results: Results, cell: str, seed: int, measured: Measured) -> None:
    """Keep it as measured with the settings of `_shop`."""
    (config,) = (known.applied_to(_shop().config) for known in CELLS if known.name == cell)
    results.write(cell, seed, settings_hash(_shop(), config, seed), measured)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_cell_changes_the_quantizer_and_nothing_else(cell: Any, tmp_path: Path) -> None:
    config = _config(tmp_path)
    changed = cell.applied_to(config)
    assert (changed.quantize != config.quantize) == (cell.name != REFERENCE)
    assert changed.model_copy(update={"quantize": config.quantize}) == config


def test_names_of_cells_are_distinct() -> None:
    assert len({cell.name for cell in CELLS}) == len(CELLS)


def test_a_cell_is_read_as_it_was_written_and_not_measured_again(tmp_path: Path) -> None:
    results = Results(tmp_path)
    measured = _measured(np.random.default_rng(0), hit=0.1)
    assert not results.has("cq_sid", 3, "settings")
    results.write("cq_sid", 3, "settings", measured)
    assert results.has("cq_sid", 3, "settings")
    assert not results.has("cq_sid", 3, "other settings")
    assert results.seeds("cq_sid") == [3]
    read = results.read("cq_sid", 3)
    np.testing.assert_array_equal(read.modes["heads"].found, measured.modes["heads"].found)
    assert read.health == measured.health


def test_a_cell_that_another_process_has_claimed_is_left_to_it(tmp_path: Path) -> None:
    one, two = Results(tmp_path), Results(tmp_path)
    with one.claim("cq_sid", 0) as mine, two.claim("cq_sid", 0) as theirs:
        assert mine is not None
        assert theirs is None
    with two.claim("cq_sid", 0) as again:
        assert again is not None


def test_tables_compare_with_the_reference_over_queries_and_seeds(tmp_path: Path) -> None:
    results, rng = Results(tmp_path), np.random.default_rng(0)
    for seed in range(3):
        _write(results, "cq_sid", seed, _measured(rng, hit=0.5))
        _write(results, "rq_vae", seed, _measured(rng, hit=0.05))
    chosen = [cell for cell in CELLS if cell.group == "parts"]
    tables = build_tables(_shop(), chosen, results)
    heads = tables["modes"]["heads"]
    assert heads["candidates"] == {"1": 5.0, "10": 50.0, "100": 500.0}
    assert set(heads["variants"]) == {"cq_sid", "rq_vae"}  # the others are not measured
    difference = heads["variants"]["rq_vae"]["less_than_reference"]["hit@10 equal"]
    assert difference["seeds"] == difference["seeds_above"] == 3
    assert difference["ci"][0] > 0
    values = [
        heads["variants"][cell]["figures"]["hit@10 equal"]["value"] for cell in heads["variants"]
    ]
    assert difference["value"] == pytest.approx(values[0] - values[1])
    assert difference["relative"] == pytest.approx(values[0] / values[1] - 1)
    cut = heads["cut"]
    assert cut["saved"]["rq_vae"] == cut["best"]["rq_vae"] > cut["saved"]["cq_sid"]
    ends = [figure["ci"] for figure in cut["difference"]]
    assert len(ends) == len(WIDTHS)
    assert ends[0][0] > 0


def test_only_cells_of_todays_settings_are_told(tmp_path: Path) -> None:
    results, rng = Results(tmp_path), np.random.default_rng(0)
    _write(results, "cq_sid", 0, _measured(rng, hit=0.5))
    results.write("cq_sid", 1, "other settings", _measured(rng, hit=0.01))
    results.write("rq_vae", 0, "other settings", _measured(rng, hit=0.01))
    tables = build_tables(_shop(), CELLS, results)
    assert tables["outdated"] == ["cq_sid seed 1", "rq_vae seed 0"]
    assert set(tables["sids"]) == {"cq_sid"}
    assert tables["modes"]["heads"]["variants"]["cq_sid"]["seeds"] == 1


def test_seeds_are_compared_with_the_same_seed(tmp_path: Path) -> None:
    results, rng = Results(tmp_path), np.random.default_rng(0)
    alike = {seed: _measured(rng, hit=0.1 * (seed + 1)) for seed in range(3)}
    for seed in (0, 1, 2):
        _write(results, "cq_sid", seed, alike[seed])
    for seed in (1, 2):
        _write(results, "rq_vae", seed, alike[seed])
    _write(results, "no_category", 7, alike[0])
    variants = build_tables(_shop(), CELLS, results)["modes"]["heads"]["variants"]
    difference = variants["rq_vae"]["less_than_reference"]["hit@10"]
    assert (difference["value"], difference["seeds"]) == (0.0, 2)
    assert variants["no_category"]["less_than_reference"] == {}


def test_tables_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, rng = Results(tmp_path), np.random.default_rng(0)
    _write(results, "cq_sid", 0, _measured(rng, hit=0.5))
    _write(results, "rq_vae", 0, _measured(rng, hit=0.05))
    _write(results, "codes_16x8", 0, _measured(rng, hit=0.2))
    results.write("no_category", 4, "other settings", _measured(rng, hit=0.01))
    tables = build_tables(_shop(), CELLS, results)
    print_tables(tables)
    printed = capsys.readouterr().out
    page = as_markdown(tables)
    gain = tables["modes"]["heads"]["variants"]["rq_vae"]["less_than_reference"]["hit@10 equal"]
    assert "cq_sid over rq_vae: " in printed
    assert f"hit@10 equal {gain['relative']:+.1%}" in printed
    assert f"{gain['value']:+.3f}*" in printed
    assert f"({gain['value']:+.3f}*)" in page
    assert "**heads, codebooks**" in page
    assert "| `rq_vae`: plain RQ-VAE: without both |" in page
    for text in (
        "settings: version",
        "query_to_sid 2,000,",
        "measured with other settings: no_category seed 4",
        "heads · codebooks",
        "default · hit rate by beams, cut to 1,000 items",
        "difference",
    ):
        assert text in printed
    assert max(map(len, printed.splitlines())) <= 180


def test_without_the_reference_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cell cq_sid is not measured with these settings"):
        build_tables(_shop(), CELLS, Results(tmp_path))
