"""The control of clicks: what was chosen moves to the front, and nothing else moves."""

import json

import numpy as np

from benchmarks.chosen_first import chosen_first, main


def test_what_was_chosen_moves_to_the_front():
    chosen = np.zeros(9, dtype=bool)
    chosen[[2, 5]] = True
    assert chosen_first(np.array([7, 5, 0, 2, 8]), chosen).tolist() == [5, 2, 7, 0, 8]
    assert chosen_first(np.array([], dtype=np.int32), chosen).tolist() == []


def test_channels_are_compared_with_it(shop_run, tmp_path, capsys):
    for split in ("validation", "test"):
        out = tmp_path / f"{split}.json"
        main([str(shop_run.bundle), "--split", split, "--json", str(out)])
        told = json.loads(out.read_text("utf-8"))
        figures = told["figures"]
        assert figures["bm25, chosen first"]["recall@1000"] == figures["bm25"]["recall@1000"]
        change = figures["generative - dense, chosen first"]["recall@10"]["value"]
        one, other = (
            figures[name]["recall@10"]["value"] for name in ("generative", "dense, chosen first")
        )
        assert abs(change - (one - other)) < 1e-6
        assert 0 < told["settings"]["chosen"] < 120
        assert capsys.readouterr().out.startswith(f"split {split}, searches ")
