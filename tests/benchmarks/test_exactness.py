import json

import pytest

from benchmarks.exactness import main


@pytest.mark.parametrize("split", ["validation", "test"])
def test_what_serves_is_compared_with_the_oracle(shop_run, split, tmp_path, capsys):
    out = tmp_path / "exact.json"
    main([str(shop_run.bundle), "--split", split, "--beam", "5", "--json", str(out)])
    found = json.loads(out.read_text("utf-8"))
    assert found["searches"] > 10
    names = ["hit@beam 10", "hit@beam 5", "recall@10", "recall@100", "recall@1000"]
    assert list(found["figures"]) == names
    for of in found["figures"].values():
        assert 0 < of["exact"] <= 1
        assert of["relative"] == pytest.approx(of["served"] / of["exact"] - 1)
    assert "relative" in capsys.readouterr().out
