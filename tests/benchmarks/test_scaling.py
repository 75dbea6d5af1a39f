import json

import numpy as np
import pytest

from benchmarks.scaling import main, synthetic
from genrecall.foundation.eight_bits import EightBits
from genrecall.native.library import library


def test_each_number_of_sids_is_measured(tmp_path, capsys):
    sizes = ["300", "3000"]
    main(["--sids", *sizes, "--dim", "16", "--queries", "8", "--json", str(tmp_path / "a.json")])
    told = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert [row["sids"] for row in told["found"]] == [300, 3000]
    assert all(0 < row["p50"] <= row["p99"] for row in told["found"])
    assert told["found"][0]["bytes"] < told["found"][1]["bytes"]
    assert all(0.5 < row["exact"] <= 1 for row in told["found"])
    assert all((row["limit"] is not None) == (library() is not None) for row in told["found"])
    assert "3,000" in capsys.readouterr().out


@pytest.mark.parametrize("n_sids", [1, 700])
def test_sids_lie_around_their_prefixes(n_sids):
    made = synthetic(n_sids, dim=32, queries=5, seed=1)
    trie, leaves = made.tables.trie, made.tables.levels[2]
    assert len(trie) == n_sids
    assert isinstance(leaves.kept, EightBits)
    first = trie.path(np.arange(n_sids))[:, 0]
    near = leaves.vectors @ leaves.vectors.T
    alike = first[:, None] == first
    if n_sids > 1:
        assert near[alike].mean() > near[~alike].mean() + 0.2
