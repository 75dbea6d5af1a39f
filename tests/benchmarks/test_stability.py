import json

import numpy as np
import pytest
from tiny_shop import write_shop

from benchmarks.stability import WAYS, main, quantization_error
from genrecall.foundation.errors import DataError
from genrecall.foundation.sid import SidSpace, SidTable


def table(*codes):
    return SidTable(SidSpace((4, 4, 4)), np.array(codes, dtype=np.int32))


def test_protocol(tmp_path, capfd):
    """Two repetitions; a second call trains nothing and finds the same."""
    path = write_shop(tmp_path, data={"split": {"by": "time"}})
    words = [str(path), "--share", "0.2", "--seeds", "2", "--out", str(tmp_path / "out")]
    main([*words, "--json", str(tmp_path / "stability.json")])
    printed = capfd.readouterr().out
    result = json.loads((tmp_path / "stability.json").read_text("utf-8"))
    assert tuple(result["ways"]) == tuple(sorted(WAYS))
    assert set(result["paired"]) == {"cold - frozen", "warm - frozen", "warm - cold"}
    frozen, cold, warm = (result["ways"][way] for way in WAYS)
    for figures in (frozen, cold, warm):
        assert len(figures["moved"]) == 2
        assert all(0 <= figures[name][0] <= 1 for name in ("moved", "regrouped"))
        assert 0 <= figures["hit@10"]["value"] <= figures["hit@100"]["value"] <= 1
    assert frozen["moved"] == frozen["regrouped"] == [0, 0]
    assert frozen["hit@10"]["value"] == pytest.approx(frozen["hit@10, equal items"]["value"])
    assert np.mean(warm["moved"]) < np.mean(cold["moved"])
    for text in ("share 0.2", "regrouped", "warm - cold", *WAYS):
        assert text in printed

    main(words)
    again = capfd.readouterr()
    assert "rq-vae" not in again.err
    assert again.out == printed.rsplit("wrote", 1)[0]


def test_without_a_measurable_search_it_says_so(tmp_path):
    path = write_shop(tmp_path, data={"split": {"validation": 0.0}})
    with pytest.raises(DataError, match="no validation search has a relevant item"):
        main([str(path), "--out", str(tmp_path / "out")])


def test_error_is_the_distance_to_the_mean_of_the_sid():
    vectors = np.array([[0, 0], [2, 0], [5, 5]], dtype=np.float32)
    assert quantization_error(table([0, 0, 0], [0, 0, 0], [1, 0, 0]), vectors) == pytest.approx(
        2 / 3
    )
