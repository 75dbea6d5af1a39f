"""Which comparisons terminal and page tell."""

from genrecall.evaluate.compared import beside_controls, beside_shopperless


def test_the_shopper_is_compared_with_stage_2_and_with_itself_without():
    hits = {"1": "hit"}
    stages = ("item_to_sid", "query_to_sid", "user_query_to_sid", "anonymous", "heads")
    metrics = {
        "paired_shopper": {"generative - anonymous": {"recall@10": "answer"}},
        "paired_hit@beam": {f"align - {stage}": hits for stage in stages},
    }
    found = beside_shopperless(metrics)
    assert found.title == "What knowing the shopper adds"
    assert found.rows == [
        ("query_to_sid", hits, {}),
        ("anonymous", hits, {"recall@10": "answer"}),
    ]


def test_without_shoppers_popularity_is_left():
    metrics = {
        "paired_shopper": {"generative - popularity": {"recall@10": "answer"}},
        "paired_hit@beam": {"query_to_sid - item_to_sid": {}, "query_to_sid - popularity": {}},
    }
    found = beside_shopperless(metrics)
    assert found.title == "Generative beside popularity"
    assert [row.less for row in found.rows] == ["popularity"]


def test_controls_have_beams_where_they_generate():
    metrics = {
        "paired_controls": {"generative - heads": {"mrr": 1}, "generative - two_views": {"mrr": 2}},
        "paired_hit@beam": {"align - heads": {"1": 3}},
    }
    assert beside_controls(metrics).rows == [
        ("heads", {"1": 3}, {"mrr": 1}),
        ("two_views", {}, {"mrr": 2}),
    ]
    assert beside_controls({}) is None
    assert beside_shopperless({}) is None
