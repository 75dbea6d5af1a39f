import numpy as np

from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.figures import differences, estimates

ROWS = {
    "with": {"recall@10": np.array([1.0, 0.5]), "hit@10": np.array([1.0, 1.0])},
    "without": {"recall@10": np.array([0.5, 0.5])},
}


def test_every_row_and_measure_gets_a_figure():
    bootstrap = Bootstrap(2, seed=0)
    figures = estimates(ROWS, bootstrap.mean)
    assert {row: list(of_row) for row, of_row in figures.items()} == {
        row: list(measures) for row, measures in ROWS.items()
    }
    expected = bootstrap.share(ROWS["with"]["recall@10"]).to_json()
    assert figures["with"]["recall@10"] == expected


def test_a_figure_knows_the_range_of_its_measure():
    """Of two queries that are alike 84 % of all may be otherwise: 1 − 0.025^(1/2)."""
    rows = {"it": {"hit@10": np.ones(2), "candidates@10": np.full(2, 50.0)}}
    of_it = estimates(rows, Bootstrap(2).mean)["it"]
    assert np.round(of_it["hit@10"]["ci"], 3).tolist() == [0.158, 1.0]
    assert of_it["candidates@10"]["ci"] == [50.0, 50.0]
    less = estimates({"it - other": {"hit@10": np.zeros(2)}}, Bootstrap(2).mean, paired=True)
    assert np.round(less["it - other"]["hit@10"]["ci"], 3).tolist() == [-0.842, 0.842]


def test_rows_are_compared_by_the_measures_that_both_have():
    found = differences(ROWS, [("with", "without")])
    assert list(found) == ["with - without"]
    assert {name: values.tolist() for name, values in found["with - without"].items()} == {
        "recall@10": [0.5, 0.0]
    }
