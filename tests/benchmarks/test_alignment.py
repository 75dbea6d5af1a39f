"""The alignment benchmark on a tiny world: what it makes, resumes and compares."""

import json

import numpy as np
import pytest
from tables import searches_of

from benchmarks.alignment.__main__ import main
from benchmarks.alignment.cell import thin_clicks
from benchmarks.alignment.cells import OPTIONS, PAPER, SPARSITY, TABLES
from benchmarks.alignment.printing import as_markdown
from benchmarks.alignment.tables import MEASURES, build_table
from genrecall.align.pages import Pages
from genrecall.generator.prompts import Prompt

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
            assert cell.config({}).steps > 0
    assert [cell.name for cell in PAPER if cell.config({}).experts == 4] == ["eg_grpo_k4"]
    assert {cell.clicks_kept for cell in SPARSITY} == {5, 20, 100}
    configs = [cell.config({}).model_dump_json() for cell in (*OPTIONS[1:], *PAPER)]
    assert len(set(configs)) == len(configs)


def test_thinned_clicks_leave_what_was_shown():
    row = {"split": "train", "impressions": [1, 2], "positives": [2], "gains": [1.0]}
    searches = searches_of([row | {"query": str(n), "bought": [False]} for n in range(200)])
    pages = Pages([Prompt(query) for query in searches.queries], searches, np.arange(3))
    thinned = thin_clicks(pages, 5)
    clicks = thinned.searches.frame["positives"].list.len()
    assert 20 < clicks.sum() < 65
    assert thinned.searches.frame["bought"].list.len().equals(clicks)
    assert thinned.searches.frame["impressions"].equals(searches.frame["impressions"])
    assert thin_clicks(pages, 1) is pages
    assert thin_clicks(pages, 5).searches.frame.equals(thinned.searches.frame)


def test_differences_are_paired_by_search_and_seed():
    blank = {name: np.array([np.nan, np.nan, np.nan]) for name in MEASURES}
    one = blank | {"clk@1": np.array([1.0, 0.0, np.nan]), "seconds": np.full(3, 2.0)}
    two = blank | {"clk@1": np.array([0.0, 0.0, np.nan]), "seconds": np.full(3, 4.0)}
    runs = {"stage3": [two, two], "more_sft": [one, two]}
    table = build_table(runs, np.array([0, 1, 2]), [("more_sft", "stage3")])
    assert table["cells"]["more_sft"]["clk@1"]["value"] == pytest.approx(0.25)
    found = table["paired"]["more_sft - stage3"]["clk@1"]
    assert (found["value"], found["n"]) == (0.25, 2)
    assert "exp@1" not in table["cells"]["more_sft"]
    page = as_markdown({"settings": {"seeds": 2}, "worlds": {"w": {"paper": table}}})
    assert "| more_sft | .250 [" in page
    assert "| more_sft - stage3 | +.250 [" in page
