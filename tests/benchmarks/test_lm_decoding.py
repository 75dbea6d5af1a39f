"""The benchmark of decoding with a language model: what it measures, and that all do the same."""

import json

import pytest

from benchmarks.lm_decoding import main

SMALL = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 512, "sids": 200}
ASKED = {"prompt": 9, "beam": 5, "queries": 2}


def test_ways_are_compared_in_one_run(tmp_path, capsys):
    file = tmp_path / "lm.json"
    options = [f"--{name}={value}" for name, value in (SMALL | ASKED).items()]
    main([*options, "--json", str(file)])
    found = json.loads(file.read_text("utf-8"))
    assert found["settings"] == {**SMALL, **ASKED, "sharpness": 1.0, "seed": 0}
    assert sorted(found["ways"]) == ["engine", "engine, int8", "generate", "reference"]
    for way in found["ways"].values():
        assert 0 < way["ms"] <= way["median"]
        assert way["below"] == pytest.approx(found["ways"]["generate"]["ms"] / way["ms"])
    assert found["ways"]["engine"]["same"] == 1
    assert found["machine"]["arithmetic_ms"] > 0
    printed = capsys.readouterr().out
    assert printed.startswith("layers 2, width 32, heads 2, vocabulary 512, sids 200, prompt 9")
    assert "| engine |" in printed
