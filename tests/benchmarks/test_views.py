"""The benchmark of views: which parts it measures."""

import json

from benchmarks.views import main


def test_parts_of_an_answer(shop_run, tmp_path, capsys):
    main([str(shop_run.bundle), "--queries", "4", "--k", "10", "--json", str(tmp_path / "v.json")])
    parts = json.loads((tmp_path / "v.json").read_text("utf-8"))["parts"]
    named = ["query, as it is read", "view in_domain", "generator reads", "answer"]
    assert sorted(parts) == sorted(named)
    assert all(part["ms"] >= 0 for part in parts.values())
    assert parts["answer"]["share"] == 1
    assert parts["view in_domain"]["numbers"] == 16
    assert parts["view in_domain"]["mb"] > 0
    printed = capsys.readouterr().out
    assert printed.startswith("queries 4, k 10, items 120, threads 1")
    assert "| view in_domain |" in printed
