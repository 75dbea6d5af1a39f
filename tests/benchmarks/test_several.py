import json

from benchmarks.several import main


def test_processes_answer_together(shop_run, tmp_path, capsys):
    out = tmp_path / "several.json"
    words = ["--processes", "1", "2", "--queries", "5", "--beam", "4", "-k", "6"]
    main([str(shop_run.bundle), *words, "--json", str(out)])
    found = json.loads(out.read_text("utf-8"))["found"]
    assert [(row["work"], row["processes"]) for row in found] == [
        ("beams", 1),
        ("beams", 2),
        ("answer", 1),
        ("answer", 2),
    ]
    assert all(row["per_second"] > 0 for row in found)
    assert "queries a second" in capsys.readouterr().out
