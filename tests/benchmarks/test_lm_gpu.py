"""The benchmark of decoding on a GPU: on a CPU it runs, with a small model."""

import json

import pytest

from benchmarks.lm_gpu import main

SMALL = {"layers": 2, "width": 32, "heads": 4, "key_heads": 2, "inner": 48, "sids": 200}
ASKED = {"vocabulary": 512, "prompt": 9, "beam": 5, "rounds": 2}


def test_ways_are_compared_in_one_run(tmp_path, capsys):
    file = tmp_path / "gpu.json"
    options = [f"--{name.replace('_', '-')}={value}" for name, value in (SMALL | ASKED).items()]
    main([*options, "--batches", "1", "3", "--json", str(file)])
    found = json.loads(file.read_text("utf-8"))
    assert found["settings"].items() >= (SMALL | ASKED).items()
    ways = {(way["way"], way["batch"]): way for way in found["ways"]}
    engines = ("reference", "engine, float32", "engine, bfloat16")
    assert list(ways) == [("generate", 1), *((name, n) for name in engines for n in (1, 3))]
    for (_, batch), way in ways.items():
        assert 0 < way["p50"] <= way["p99"]
        assert way["per_second"] == pytest.approx(1e3 * batch / way["p50"], rel=0.9)
    assert ways["engine, float32", 3]["same"] == 1
    assert ways["engine, bfloat16", 3]["same"] > 0.5
    assert "| engine, bfloat16 | 3 |" in capsys.readouterr().out
