import json
import random
import sys

import pytest

from benchmarks import importers


def test_a_log_has_as_many_rows_as_asked_for_and_is_the_same_for_a_seed(tmp_path):
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        importers.write_log(tmp_path / name, 500, random.Random(7))
        texts.append([file.read_text() for file in sorted((tmp_path / name).iterdir())])
    assert texts[0] == texts[1]
    rows = [json.loads(line) for text in texts[0] for line in text.splitlines()]
    assert len(rows) == 500
    asked = {row["query_id"] for row in rows if "user_query" in row}
    assert {row["query_id"] for row in rows} == asked


def test_it_measures_every_size(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["importers.py", "--rows", "200", "400"])
    importers.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["200", "400", "2.0"]
    assert int(lines[-2].split()[2]) == pytest.approx(400 / 5.5, abs=20)  # searches
