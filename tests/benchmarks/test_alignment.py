"""The alignment benchmark on a tiny world: what it makes, resumes and compares."""

import json
import re

import numpy as np
import polars as pl
import pytest

from benchmarks.alignment import speed
from benchmarks.alignment.__main__ import main
from benchmarks.alignment.cells import OPTIONS, PAPER, SEARCH, TABLES
from benchmarks.alignment.printing import as_markdown, summary
from benchmarks.alignment.tables import MEASURES, build_table
from benchmarks.alignment.worlds import thin

TINY = (
    *("--items", "300", "--searches", "1500", "--shop-users", "60", "--quick"),
    *("--seeds", "1", "--validation", "40", "--test", "80", "--ranked", "20"),
    *("--policies", "bm25+dense", "--shoppers", "cascade", "--tables", "paper"),
)


def test_protocol(tmp_path, capsys):
    """Stage 3 and two arms; a second call trains nothing and finds the same."""
    words = [*TINY, "--cells", "grpo_k0,eg_grpo_k2", "--out", str(tmp_path / "out")]
    main([*words, "--json", str(tmp_path / "one.json"), "--markdown", str(tmp_path / "one.md")])
    result = json.loads((tmp_path / "one.json").read_text("utf-8"))
    (table,) = result["worlds"]["bm25+dense, cascade"].values()
    assert set(table["cells"]) == {"stage3", "grpo_k0", "eg_grpo_k2"}
    assert {"eg_grpo_k2 - stage3", "eg_grpo_k2 - grpo_k0"} < set(table["paired"])
    for figures in table["cells"].values():
        assert 0 < figures["clk@1"]["value"] <= figures["clk@10"]["value"] <= 1
        assert figures["recall@100"]["n"] < figures["clk@10"]["n"]
    assert (tmp_path / "one.md").read_text("utf-8") in capsys.readouterr().out + "\n"
    main([*words, "--json", str(tmp_path / "two.json")])
    again = json.loads((tmp_path / "two.json").read_text("utf-8"))
    assert again == result
    assert "eg_grpo_k2 at step" not in capsys.readouterr().err
    log = (tmp_path / "out/bm25+dense, cascade/shop/log.json").read_text("utf-8")
    assert json.loads(log)["logging_policy"] == "bm25+dense"


def test_every_cell_has_settings_that_can_be_trained():
    for cells in TABLES.values():
        names = [cell.name for cell in cells]
        assert len(set(names)) == len(names)
        for cell in cells:
            assert cell.config({"steps": 7}).steps == 7
    assert [cell.name for cell in PAPER if cell.config({}).experts == 4] == ["eg_grpo_k4"]
    for cells in (SEARCH, OPTIONS, PAPER):
        configs = [cell.config({}).model_dump_json() for cell in cells]
        assert len(set(configs)) == len(configs)


def test_a_thinned_log_keeps_what_was_shown_and_all_of_the_test_searches(tmp_path):
    row = {"impressions": ["1", "2"], "clicks": ["2"], "purchases": ["2"]}
    whole = pl.DataFrame([{"timestamp": 1000 - n, **row} for n in range(1000)])
    whole.write_ndjson(tmp_path / "whole.jsonl")
    thin(tmp_path / "whole.jsonl", tmp_path / "new/thin.jsonl", 5)
    thinned = pl.read_ndjson(tmp_path / "new/thin.jsonl")
    assert thinned["timestamp"].to_list() == list(range(1, 1001))
    clicks = thinned["clicks"].list.len()
    assert 130 < clicks[:900].sum() < 230
    assert clicks[900:].sum() == 100
    assert thinned["purchases"].list.len().equals(clicks)
    assert thinned["impressions"].equals(whole["impressions"])


def test_a_thinned_world_has_a_stage_3_of_its_own(tmp_path):
    words = [*TINY, "--cells", "grpo_k0", "--clicks", "1,5", "--out", str(tmp_path / "out")]
    main([*words, "--json", str(tmp_path / "one.json")])
    worlds = json.loads((tmp_path / "one.json").read_text("utf-8"))["worlds"]
    assert list(worlds) == ["bm25+dense, cascade", "bm25+dense, cascade, 1 click in 5"]
    whole, thinned = (world["paper"]["cells"]["stage3"] for world in worlds.values())
    assert whole["clk@10"]["n"] == thinned["clk@10"]["n"]
    assert whole["clk@10"]["value"] != thinned["clk@10"]["value"]


def test_differences_are_paired_by_search_and_seed():
    blank = {name: np.array([np.nan, np.nan, np.nan]) for name in MEASURES}
    one = blank | {
        "clk@1": np.array([1.0, 0.0, np.nan]),
        "seconds": np.full(3, 2.0),
        "gain": np.zeros(3),
    }
    two = one | {"clk@1": np.array([0.0, 0.0, np.nan]), "seconds": np.full(3, 4.0)}
    runs = {"stage3": [two, two], "more_sft": [one, two]}
    table = build_table(runs, np.array([0, 1, 2]), [("more_sft", "stage3")])
    assert table["cells"]["more_sft"]["clk@1"]["value"] == pytest.approx(0.25)
    found = table["paired"]["more_sft - stage3"]["clk@1"]
    assert (found["value"], found["n"]) == (0.25, 2)
    assert "exp@1" not in table["cells"]["more_sft"]
    result = {"settings": {"seeds": 2}, "worlds": {"w": {"paper": table}}}
    page = as_markdown(result)
    assert "| more_sft | .250 [" in page
    assert "| more_sft - stage3 | +.250 [" in page
    assert "| w: more_sft - stage3 | +.250 [" in summary(result)
    runs["eg_grpo_k2"] = [two, two]
    pairs = [("more_sft", "stage3"), ("eg_grpo_k2", "more_sft")]
    table = build_table(runs, np.array([0, 1, 2]), pairs)
    told = summary({"settings": {}, "worlds": {"w": {"paper": table}}})
    assert "| w: eg_grpo_k2 - more_sft | -.250 [" in told
    assert "more_sft - stage3" not in told


@pytest.mark.parametrize("family", ["compact", "lm"])
def test_speed_of_both_families_is_told(shop_run, capsys, family):
    counts = ("--steps", "1", "--searches", "2", "--group", "3", "--threads", "1")
    speed.main([family, str(shop_run.bundle), *counts])
    told = capsys.readouterr().out
    if family == "compact":
        assert "1,000 steps of 6 rollouts" in told
        return
    (apart,) = re.findall(r"log-probabilities differ by (\S+) at most", told)
    assert float(apart) < 1e-4
    assert re.search(r"6 rollouts: \d+ ms ours, \d+ ms by generate, [\d.]+ times as long", told)
