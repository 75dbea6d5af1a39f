"""The decision by what was measured: in the union, and alone."""

import pytest

from genrecall.report.verdict import cards, said, verdict

GAIN, NONE, LOSS = (0.02, 0.01, 0.03), (0.001, -0.004, 0.006), (-0.02, -0.03, -0.01)


LENGTHS = ("recall@10", "recall@100", "recall@1000")


def figure(value, lo, hi):
    return {"value": value, "ci": [lo, hi], "n": 400}


def metrics(union, alone=None, *, without=0.8, control=None):
    """Of BM25, dense (the better one) and the generative channel."""
    rivals = {"bm25": 0.6, "dense": 0.7, "bm25+dense": without}
    given = {
        "headline": {"with": "bm25+dense+generative", "without": "bm25+dense"},
        "channels": {
            name: dict.fromkeys(LENGTHS, figure(value, value - 0.1, value + 0.1))
            for name, value in rivals.items()
        },
        "paired": {
            "bm25+dense+generative - bm25+dense": {
                "recall@100": figure(*union),
                "recall@10": figure(*GAIN),
                "recall@1000": figure(*NONE),
            }
        },
    }
    if alone is not None:
        given["paired_alone"] = {
            "generative - bm25": dict.fromkeys(LENGTHS, figure(0.3, 0.2, 0.4)),
            "generative - dense": dict.fromkeys(LENGTHS, figure(*alone)),
        }
    if control is not None:
        given["paired"]["bm25+dense+generative - bm25+dense+two_views"] = {
            length: figure(*control) for length in LENGTHS
        }
    return given


SERVE = "Serve it beside BM25 and dense: +0.020 recall@100 [+0.010, +0.030]; "
REFUSE = "It does not pay here, because adding it to BM25 and dense "


@pytest.mark.parametrize(
    ("union", "alone", "tone", "text"),
    [
        (
            GAIN,
            NONE,
            "up",
            f"{SERVE}not instead: alone it is not clearly better than dense, "
            "+0.001 [−0.004, +0.006].",
        ),
        (
            GAIN,
            LOSS,
            "up",
            f"{SERVE}not instead: alone it finds less than dense, −0.020 [−0.030, −0.010].",
        ),
        (
            GAIN,
            GAIN,
            "up",
            f"{SERVE}alone, too, it finds more than dense, the best single one, "
            "+0.020 [+0.010, +0.030].",
        ),
        (GAIN, None, "up", f"{SERVE}whether instead of them was not measured."),
        (
            NONE,
            NONE,
            "",
            f"{REFUSE}brings no clear gain: +0.001 recall@100 [−0.004, +0.006].",
        ),
        (
            NONE,
            GAIN,
            "",
            f"{REFUSE}brings no clear gain: +0.001 recall@100 [−0.004, +0.006]; alone, too, it "
            "finds more than dense, the best single one, +0.020 [+0.010, +0.030].",
        ),
        (
            LOSS,
            LOSS,
            "down",
            f"{REFUSE}lowers recall@100 clearly: −0.020 recall@100 [−0.030, −0.010].",
        ),
    ],
)
def test_the_verdict_follows_from_the_union_and_the_best_single_rival(union, alone, tone, text):
    found = verdict(metrics(union, alone))
    assert (found.tone, found.text) == (tone, text)


def test_a_gain_at_an_interval_that_touches_zero_is_none():
    assert verdict(metrics((0.01, 0.0, 0.02))).tone == ""


def test_what_the_sentence_leaves_out_stands_below_it():
    why = verdict(metrics(NONE, NONE)).why
    assert "Without it 0.800 of the relevant items are among the first 100." in why
    assert "recall@10 +0.020 [+0.010, +0.030], recall@1000 +0.001 [−0.004, +0.006]" in why


def test_where_little_is_left_to_find_the_head_decides():
    found = verdict(metrics(NONE, NONE, without=0.99, control=LOSS))
    assert (found.tone, found.text) == (
        "up",
        "Serve it beside BM25 and dense: +0.020 recall@10 [+0.010, +0.030]; not instead: alone "
        "it is not clearly better than dense, +0.001 [−0.004, +0.006].",
    )
    assert "So little is left to find there that the first 10 decide." in found.why
    assert "recall@100 +0.001 [−0.004, +0.006], recall@1000" in found.why
    assert cards(metrics(NONE, LOSS, without=0.99))[0].text.startswith("recall@10 ")


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (
            GAIN,
            "Generating adds to what its vectors say: an exact search by them in its place "
            "finds less, +0.020 [+0.010, +0.030].",
        ),
        (
            NONE,
            "comes of its vectors, not of generating: an exact search by them in its place "
            "finds as much, +0.001 [−0.004, +0.006].",
        ),
        (LOSS, "in its place finds more, −0.020 [−0.030, −0.010]."),
    ],
)
@pytest.mark.parametrize("union", [GAIN, NONE])
def test_what_is_views_and_what_is_generating_is_one_sentence(union, control, said):
    assert said in verdict(metrics(union, NONE, control=control)).why


def test_without_fusions_there_is_no_verdict():
    assert verdict({"paired": {}, "channels": {}}) is None
    assert cards({"paired": {}, "channels": {}}) == []


def test_every_card_has_its_rival_and_its_tone():
    added, alone = cards(metrics(GAIN, LOSS))
    assert (added.number, added.against, added.tone) == ("+0.020", "BM25 and dense", "up")
    assert (alone.number, alone.against, alone.tone) == (
        "−0.020",
        "dense, the best single one",
        "down",
    )
    assert "a clear loss" in alone.text


def test_channels_are_listed_as_in_a_sentence():
    assert [said(name) for name in ("bm25", "a+b", "a+b+c")] == ["BM25", "a and b", "a, b and c"]
