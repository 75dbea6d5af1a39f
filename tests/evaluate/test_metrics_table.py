import io
import json
import re

import numpy as np
from rich.console import Console

from genrecall.evaluate.inputs import EvaluationInputs
from genrecall.evaluate.metrics import build_metrics
from genrecall.evaluate.names import CONTROLS, HEADS, LOOK_AHEAD, STAGES
from genrecall.evaluate.slices import SLICES
from genrecall.evaluate.table import WIDTH, print_metrics
from genrecall.generator.compact.weights import BOTH, WAYS
from genrecall.generator.load import ALIGN
from genrecall.generator.load import STAGES as TRAINED

CHANNELS = (
    "generative",
    "bm25",
    "dense",
    "two_views",
    "bm25+dense",
    "bm25+dense+two_views",
    "bm25+dense+generative",
)


def printed(**changes):
    random = np.random.default_rng(0)
    given = {
        "split": "validation",
        "positives": [random.choice(200, 3, replace=False) for _ in range(40)],
        "channels": {
            name: [random.choice(200, 120, replace=False) for _ in range(40)] for name in CHANNELS
        },
        "beams": {"user_query_to_sid": random.integers(0, 50, (40, 100))},
        "sid_of_item": np.arange(200) % 50,
        "slices": {"unseen": np.ones(40, dtype=bool), "tail": np.arange(40) < 9},
        "beams_found": random.integers(100, 800, 40),
        "latencies_ms": {name: random.exponential(20, 90) for name in ("bm25", "generative")},
        "latency_k": 1000,
        "quantize": {"sids": 50, "items_per_sid": {"mean": 4.0, "weighted": 4.0, "max": 4}},
        "excluded": {"no relevant item": 1200},
    }
    out = io.StringIO()
    metrics = build_metrics(EvaluationInputs(**(given | changes)))
    print_metrics(metrics, console=Console(file=out, width=WIDTH, color_system=None))
    return metrics, out.getvalue()


def lines_of(text, name):
    return [line for line in text.splitlines() if line.startswith(f"{name} ")]


def rows_of(text, title):
    """The rows of a table by name, with what is added to a fusion under the fusion's own name."""
    rows, fusion = {}, ""
    for line in text[text.index(title) :].split("\n\n")[0].splitlines()[3:]:
        name = line.split(" ")[0] or line.split()[0]
        if name.startswith("+"):
            name = fusion + name
        else:
            fusion = name
        rows[name] = line
    return rows


def test_every_line_fits_and_nothing_is_cut_or_folded():
    _, text = printed()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= WIDTH
    assert "…" not in text
    assert lines_of(text, "user_query_to_sid")
    for title in ("Channels and their fusions", "The order of the first items"):
        assert set(CHANNELS) <= set(rows_of(text, title)), title


def test_fusions_with_popularity_fit_and_the_strongest_rival_is_named():
    random = np.random.default_rng(0)
    longer = [f"bm25+dense+popularity{added}" for added in ("", "+generative", "+two_views")]
    names = (*CHANNELS, "popularity", *longer)
    lists = {name: [random.choice(200, 60) for _ in range(40)] for name in names}
    lists[longer[0]] = [np.arange(200)] * 40
    metrics, text = printed(channels=lists, categories=np.arange(200) % 7)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= WIDTH
    assert list(rows_of(text, "Channels and their fusions"))[:11] == [
        *("bm25", "dense", "generative", "popularity", "two_views"),
        *("bm25+dense", "bm25+dense+generative", "bm25+dense+two_views"),
        *longer,
    ]
    rival = "The strongest rival without generative, bm25+dense+popularity, stands first."
    assert metrics["headline"]["without"] == "bm25+dense+popularity"
    assert rival in text
    added = text[text.index("What generative adds") : text.index("Generative beside")]
    end = ", at an equal number of items"
    first, second = (added.index(f" to {kept}{end}") for kept in (longer[0], "bm25+dense"))
    assert first < added.index(rival) < second
    labels = [re.split(r" +[+-]\.", line)[0] for line in added.splitlines() if " [" in line]
    assert labels == [
        *("added", "replacing two_views"),
        *("added", "replacing two_views", "replacing popularity"),
    ]
    slices = text[text.index("Slices") :].splitlines()
    assert "+popularity" in " ".join(slices[:5])


def test_report_fits_two_screens():
    stages = dict.fromkeys(("item_to_sid", "query_to_sid", "user_query_to_sid"))
    beams = {stage: np.random.default_rng(1).integers(0, 50, (40, 100)) for stage in stages}
    slices = {name: np.arange(40) % 4 == at for at, name in enumerate(SLICES)}
    _, text = printed(beams=beams, slices=slices, item_slices={"new_items": np.arange(100)})
    assert len(text.splitlines()) <= 64


def test_figures_stand_with_their_intervals():
    metrics, text = printed()
    figure = metrics["channels"]["dense"]["recall@100"]
    lo, hi = (f"{end:.3f}".removeprefix("0") for end in figure["ci"])
    assert f"{figure['value']:.3f} [{lo}–{hi}]" in text
    assert "1,200 left out: no relevant item" in text
    assert "In brackets: 95 % interval, over 40 searches." in text
    assert "relevant items are not available" not in text
    assert (
        "12 of 132 relevant items are not available today; no figure counts them."
        in printed(relevant={"available": 120, "unavailable": 12})[1]
    )
    told = printed(relevant={"available": 7, "unavailable": 2, "filtered_out": 3})[1]
    assert (
        "2 of 12 relevant items are not available today; 3 of 12 relevant items do not pass what "
        "their search was filtered by; no figure counts them."
    ) in " ".join(told.split())
    assert "50 SIDs; items per SID: mean 4, weighted 4, max 4." in text
    assert "What generative adds to bm25+dense, at an equal number of items" in text
    change = metrics["paired"]["bm25+dense+generative - bm25+dense+two_views"]["ndcg@10"]
    (line,) = lines_of(text, "replacing two_views")
    assert f"{change['value']:+.3f}".replace("0.", ".", 1) in line
    assert "two_views: exact search over the generator's vectors, a control without SIDs" in text
    assert f"Beams per search: mean {metrics['generative']['beams']['value']:.1f} [" in text
    assert "of the answers are full" not in text
    assert "One thread, 1,000 items: generative p50" in text
    assert ", bm25 p50" in text
    assert "p99" in text
    assert "only generative has" in text


def test_a_shop_too_small_for_a_full_answer_is_told_so():
    found = np.full(40, 50)
    text = " ".join(printed(beams_found=found)[1].split())
    assert (
        "Beams per search: mean 50.0 [50.0–50.0]; no answer can hold 1,000 items: 200 are "
        "available."
    ) in text
    large = np.full(50, 100)
    text = printed(beams_found=found, items_per_sid=large)[1]
    assert "mean 50.0 [50.0–50.0]; 0.0 % of the answers are full (1,000 items)." in text


def test_a_figure_that_cannot_move_is_not_certain():
    """Of 40 searches that found all, 8.8 % of all may still not: the exact binomial interval."""
    _, text = printed(channels={name: [np.arange(200)] * 40 for name in CHANNELS})
    channels = rows_of(text, "Channels and their fusions")
    assert "1.000 [.912–1.00]" in channels["bm25+dense+generative"]
    assert "+.000 [-.088 +.088]" in lines_of(text, "added")[0]


def test_single_channels_come_before_their_fusions():
    names = [line.split()[0] for line in printed()[1].splitlines() if line.strip()]
    places = [names.index(name) for name in ("bm25", "dense", "generative", "bm25+dense")]
    assert places == sorted(places)


def test_stages_stand_as_they_are_trained_and_controls_after_them():
    random = np.random.default_rng(1)
    controls = ("popularity", "anonymous")
    beams = {name: random.integers(0, 50, (40, 10)) for name in (*TRAINED, *controls)}
    channels = {name: [random.choice(200, 9)] * 40 for name in (*CHANNELS, *controls)}
    metrics, _ = printed(beams=beams, channels=channels)
    out = io.StringIO()
    read = json.loads(json.dumps(metrics, sort_keys=True))  # as from metrics.json
    print_metrics(read, console=Console(file=out, width=WIDTH, color_system=None))
    shown = out.getvalue()
    table = shown[shown.index("Relevant items whose SID") : shown.index("Channels and")]
    ordered = [*TRAINED, "anonymous", "popularity"]
    assert [name for name in table.split() if name in beams] == ordered
    others = shown[shown.index("What knowing the shopper adds") :].splitlines()
    compared = [line.split()[1] for line in others if line.startswith("to ")]
    assert compared == [name for name in ordered[1:] if name != TRAINED[-1]]


def test_the_stages_are_those_of_the_generator():
    assert (*TRAINED, ALIGN) == STAGES
    assert not set(STAGES) & set(CONTROLS)


def test_the_controls_are_the_ways_in_which_a_generator_decodes():
    assert {HEADS, LOOK_AHEAD} == set(WAYS) - {BOTH} < set(CONTROLS)


def test_slices_compare_the_fusion_without_and_with_the_generative_channel():
    metrics, text = printed(slices={"tail": np.arange(40) < 9, "head": np.arange(40) >= 9})
    (line,) = lines_of(text, "tail")
    with_it = metrics["slices"]["tail"]["bm25+dense+generative"]
    assert line.split()[1] == "9"
    assert line.rstrip().split()[-2] == f"{with_it['hit@10']['value']:.3f}"
    assert text.index("head ") < text.index("tail ")


def test_searches_with_filters_stand_behind_the_frequencies():
    filtered = np.arange(40) < 9
    slices = {"without_filters": ~filtered, "with_filters": filtered, "tail": filtered}
    text = printed(slices=slices, item_slices={"new_items": np.arange(100)})[1]
    places = [text.index(f"\n{name} ") for name in ("tail", "with_filters", "without_filters")]
    assert places == sorted(places)
    assert places[-1] < text.index("\nnew_items ")


def test_slice_of_every_search_is_not_repeated():
    _, text = printed(slices={"unseen": np.ones(40, dtype=bool)})
    assert "Slices" not in text


def test_slices_without_a_fusion_show_single_channels():
    channels = {"bm25": [np.arange(3)] * 40, "dense": [np.arange(3)] * 40}
    _, text = printed(channels=channels, beams={})
    assert "Slices" in text
    assert "recall@100" in text


def test_tables_without_figures_are_left_out():
    channels = {"bm25": [np.arange(3)] * 40}
    _, text = printed(
        channels=channels, beams={}, slices={}, latencies_ms={}, quantize={}, excluded={}
    )
    assert "bm25" in text
    for absent in ("items per SID", "beams", "Slice", "adds", "thread", "left out", "two_views"):
        assert absent not in text
