"""The section about the alignment: reading of its events, its tables, charts and warnings."""

import json
import math
import re

import plotly.graph_objects
import pytest
from alignment_data import ARMS, POINTS, RATES, aligned, line, log_lines, validation
from report_data import EVIL, measured, unmeasured_data
from test_report_page import Reader, without_dash_colors, words

from genrecall.align import trainer
from genrecall.evaluate.alignment import COMPARED
from genrecall.foundation.progress import MEASURED
from genrecall.report import alignment
from genrecall.report.alignment import MOST, read_alignment
from genrecall.report.alignment_charts import gain_charts, training_charts
from genrecall.report.page import render_report
from genrecall.report.training import read_curves

TOLD = ("reward", "kl", "entropy", "groups", "distinct")


def step(arm, at, **figures):
    return line("align", arm=arm, step=at, **figures)


@pytest.fixture(scope="module")
def read():
    return Reader(render_report(*aligned()))


def section(page):
    (found,) = re.findall(r'<section id="alignment".*?</section>', page, re.S)
    return Reader(found)


# Events


def test_events_are_those_of_the_trainer():
    assert (alignment.STEP, alignment.VALIDATED) == (trainer.STEP, trainer.VALIDATED)


def test_each_arm_has_its_curves():
    arms = read_alignment(log_lines(), ARMS)
    assert [arm["arm"] for arm in arms] == list(ARMS)
    first, more, plain = arms
    assert first["steps"] == [100 * point for point in range(1, POINTS + 1)]
    assert first["validated"] == [0, *first["steps"]]
    assert {len(values) for values in first["figures"].values()} == {POINTS}
    assert first["measured"]["clk@1"][0] == RATES["clk@1"]
    assert (first["kept"], first["collapsed"]) == (1000, [])
    assert more["figures"].keys() == {"cross_entropy"}
    assert (plain["kept"], plain["collapsed"]) == (0, list(range(200, 1001, 100)))


def test_only_arms_of_the_bundle_are_read_in_its_order():
    arms = read_alignment(
        log_lines(("grpo_k0", "eg_grpo_k2")), ("eg_grpo_k2", "more_sft", "grpo_k0")
    )
    assert [arm["arm"] for arm in arms] == ["eg_grpo_k2", "grpo_k0"]
    assert read_alignment(log_lines(), ()) == []


def test_a_resumed_training_replaces_what_was_lost():
    lines = [
        line("run"),
        validation("a", 0, 0.0),
        *(step("a", at, reward=0.1 * at) for at in (1, 2, 3)),
        *(validation("a", at, 0.0) for at in (1, 2, 3)),
        '{"event": "align", "arm": "a", "ste',  # cut off
        line("run"),
        step("a", 2, reward=7.0),
        line("align_validation", arm="a", step=2, measured={"clk@1": 0.5}, gain=0.25),
    ]
    (arm,) = read_alignment(lines, ["a"])
    assert arm["steps"] == [1, 2]
    assert arm["figures"]["reward"] == [0.1, 7.0]
    assert arm["validated"] == [0, 1, 2]
    assert arm["measured"]["clk@1"][-1] == 0.5
    assert arm["measured"]["clk@10"][-1] is None
    assert arm["kept"] == 2


def test_a_cut_off_line_at_the_end_is_left_out():
    lines = log_lines(("a",))
    whole = read_alignment(lines, ["a"])
    assert read_alignment([*lines, lines[-1][:40]], ["a"]) == whole


def test_a_training_from_the_start_keeps_nothing_of_the_one_before():
    before, after = log_lines(("a",)), [line("run"), validation("a", 0, 0.0), step("a", 50, kl=0.5)]
    (arm,) = read_alignment([*before, *after], ["a"])
    assert (arm["steps"], arm["validated"]) == ([50], [0])
    assert arm["figures"] == {"kl": [0.5]}


def test_a_run_that_finds_the_arms_up_to_date_keeps_their_curves():
    lines = log_lines()
    assert read_alignment([*lines, line("run"), line("data")], ARMS) == read_alignment(lines, ARMS)


def test_the_other_arms_of_a_resumed_run_stay():
    """An arm that was finished before the run was killed tells nothing again."""
    lines = [*log_lines(("a", "b")), line("run"), validation("b", 0, 0.0), step("b", 9, kl=1.0)]
    a, b = read_alignment(lines, ["a", "b"])
    assert len(a["steps"]) == POINTS
    assert b["steps"] == [9]


def test_figures_that_are_not_finite_are_gaps():
    lines = [
        line("align_validation", arm="a", step=0, measured={"clk@1": 0.5}, gain=0.0),
        step("a", 1, kl=math.nan, reward=1.0),
        step("a", 2, kl=math.inf),
        line("align_validation", arm="a", step=2, measured={"clk@1": math.nan}, gain=math.nan),
    ]
    (arm,) = read_alignment(lines, ["a"])
    assert arm["figures"] == {"kl": [None, None], "reward": [1.0, None]}
    assert arm["measured"] == {"clk@1": [0.5, None]}
    assert arm["kept"] == 0
    json.dumps(arm, allow_nan=False)


def test_without_its_start_nothing_is_said_of_gains():
    (arm,) = read_alignment(log_lines(("grpo_k0",))[2:], ["grpo_k0"])
    assert (arm["kept"], arm["collapsed"]) == (None, [])
    assert gain_charts([arm]) == {}
    assert (
        "Alignment"
        in Reader(render_report(measured()[0], measured()[1] | {"alignment": [arm]})).text
    )


def test_long_trainings_have_curves_of_bounded_size():
    lines = [validation("a", 0, 0.0)]
    lines += [step("a", at, kl=at) for at in range(1, 1001)]
    (arm,) = read_alignment(lines, ["a"])
    assert len(arm["steps"]) == MOST
    assert (arm["steps"][0], arm["steps"][-1]) == (1, 1000)
    assert arm["figures"]["kl"] == arm["steps"]


def test_arms_are_no_supervised_training():
    point = {"event": MEASURED, "done": 1, "total": 2, "loss": 1.0}
    lines = [json.dumps(point | {"stage": stage}) for stage in ("query_to_sid", "eg_grpo_k2")]
    assert len(read_curves(lines)) == 2
    assert [curve["stage"] for curve in read_curves([*lines, *log_lines()])] == ["query_to_sid"]


# Charts


def test_gains_are_relative_to_the_start():
    arms = read_alignment(log_lines(), ARMS)
    charts = gain_charts(arms)
    assert list(charts) == list(ARMS)
    data = {trace["name"]: trace for trace in charts["grpo_k0"].figure["data"]}
    assert list(data) == list(COMPARED)
    assert data["clk@10"]["y"][0] == 0
    assert data["clk@10"]["y"][-1] == pytest.approx(-8)
    (mark,) = charts["eg_grpo_k2"].figure["layout"]["shapes"]
    assert mark["x0"] == mark["x1"] == 1000
    assert len({str(chart.figure["layout"]["yaxis"]["range"]) for chart in charts.values()}) == 1


def test_charts_of_training_have_a_color_for_each_arm():
    charts = training_charts(read_alignment(log_lines(), ARMS))
    assert tuple(charts) == TOLD  # nothing was clipped
    for chart in charts.values():
        assert [series.color for series in chart.legend] == ["--c1", "--c3"]
    dashes = [trace["line"]["dash"] for trace in charts["entropy"].figure["data"]]
    assert dashes == ["solid", "dash", "dot"] * 2


def test_what_was_clipped_has_a_chart():
    lines = [step("a", at, clipped_generated=0.0, clipped_experts=0.2) for at in (1, 2)]
    (chart,) = training_charts(read_alignment(lines, ["a"])).values()
    (trace,) = chart.figure["data"]
    assert (chart.name, trace["y"], trace["line"]["dash"]) == ("align-clipped", [0.2, 0.2], "dash")


def test_a_single_point_is_seen():
    (chart,) = training_charts(read_alignment([step("a", 1, kl=0.5)], ["a"])).values()
    assert chart.figure["data"][0]["mode"] == "markers"


# The page


def test_page_without_alignment_says_nothing_of_it():
    read = Reader(render_report(*measured()))
    assert "lignment" not in read.text
    assert not [name for name in read.figures if name.startswith("align")]


def test_section_stands_in_the_contents_and_has_its_charts(read):
    ids = read.all("id")
    assert len(ids) == len(set(ids))
    assert ids.index("slices") < ids.index("alignment") < ids.index("codebook")
    assert "#alignment" in read.all("href")
    charts = {name for name in read.figures if name.startswith("align-")}
    assert charts == {f"align-{name}" for name in (*TOLD, "gain-0", "gain-1", "gain-2")}
    for name in charts:
        plotly.graph_objects.Figure(without_dash_colors(read.figures[name]))


def test_every_figure_stands_with_its_interval():
    metrics, data = aligned()
    text = words(section(render_report(metrics, data)).text)
    for figures in metrics["align"].values():
        for measure in (*COMPARED, "exposure_recall@10", "buy@10", "recall@100"):
            lo, hi = figures[measure]["ci"]
            assert f"{figures[measure]['value']:.3f} [{lo:.3f}–{hi:.3f}]" in text
        lo, hi = figures["candidates@10"]["ci"]
        assert f"{figures['candidates@10']['value']:.1f} [{lo:.1f}–{hi:.1f}]" in text
    for pair, figures in metrics["paired_align"].items():
        shown = [figures["clk@10"]["value"], *figures["clk@10"]["ci"]]
        value, lo, hi = (f"{x:+.3f}".replace("-", "−") for x in shown)
        assert f"{value} [{lo} {hi}]" in text, pair
    assert text.count(" less ") == len(metrics["paired_align"])
    assert "EG-GRPO, K=2 serves, the others are controls" in text


def test_slices_show_before_and_after_from_frequent_to_unseen():
    metrics, data = aligned()
    text = words(section(render_report(metrics, data)).text)
    table = text[text.index("Before and after by") : text.index("On validation searches,")]
    parts = ("head: frequent queries", "tail: rare queries", "queries never seen")
    assert sorted(parts, key=table.index) == list(parts)
    assert table.count("stage 3") == table.count("EG-GRPO, K=2") == 3
    assert "GRPO, no experts" not in table
    assert re.search(
        r"head: frequent queries\s*stage 3\s*150\s*–\s*–\s*0\.", table
    )  # no click in this part


def test_a_part_that_holds_every_search_is_not_repeated():
    metrics, data = aligned()
    metrics["slices_align"] = {"unseen": metrics["align"]}
    assert "Before and after by" not in section(render_report(metrics, data)).text


def test_a_collapse_is_warned_of():
    metrics, data = aligned()
    text = words(section(render_report(metrics, data)).text)
    assert re.search(
        r"Collapse: GRPO, no experts\. exp@1 rose from 0\.\d+ to 0\.\d+ while clk", text
    )
    assert "alarm went off in the training of GRPO, no experts, first at step 200" in text
    assert "The weights of step 0 were kept." in text
    assert "GRPO, no experts is stage 3 unchanged: on validation searches no step" in text
    assert "No collapse" not in text
    assert "Lower generator.align" not in text  # a control: nothing is to be done

    metrics["align"]["grpo_k0"] = metrics["align"]["stage3"]
    for name, change in (("clk@10", 0.9), ("exp@1", 1.1)):
        figure = metrics["align"]["stage3"][name]
        changed = figure | {"value": figure["value"] * change}
        metrics["align"]["eg_grpo_k2"] = metrics["align"]["eg_grpo_k2"] | {name: changed}
    text = words(section(render_report(metrics, data)).text)
    assert "Collapse: EG-GRPO, K=2, which serves." in text
    assert "Lower generator.align.learning_rate" in text


@pytest.mark.parametrize("served", ["eg_grpo_k2", "grpo_k0"])
def test_an_arm_that_stage_3_stays_the_best_of_is_named(served):
    metrics, data = aligned()
    metrics["paired_align"] = {f"{served} - stage3": metrics["paired_align"]["grpo_k0 - stage3"]}
    metrics["align_served"] = served
    page = render_report(metrics, data)
    assert page.count("is stage 3 unchanged") == 1
    warned = '<p class="note" role="note"><b>GRPO, no experts is stage 3 unchanged'
    assert (warned in page) == (served == "grpo_k0")


def test_without_a_collapse_the_page_says_so():
    metrics, data = aligned()
    metrics["align"]["grpo_k0"] = metrics["align"]["stage3"]
    data["alignment"] = data["alignment"][:2]
    text = section(render_report(metrics, data)).text
    assert "No collapse" in text
    assert "alarm" not in text


def test_figures_without_curves_have_a_page():
    metrics, data = aligned()
    del data["alignment"]
    read = section(render_report(metrics, data))
    assert "EG-GRPO, K=2 serves" in words(read.text)
    assert read.figures == {}


def test_curves_without_figures_have_a_page():
    metrics = {"split": "validation", "searches": 0, "excluded": {}, "quantize": {}}
    metrics |= {"channels": {}, "slices": {}, "paired": {}}
    read = section(
        render_report(metrics, unmeasured_data() | {"alignment": aligned()[1]["alignment"]})
    )
    assert "align-gain-0" in read.figures
    assert "table" not in read.tags
    assert "No collapse" not in read.text


def test_a_name_stays_text():
    metrics, data = aligned()
    named = json.loads(json.dumps(metrics).replace("grpo_k0", EVIL.replace('"', "'")))
    evil = EVIL.replace('"', "'")
    data["alignment"] = read_alignment(log_lines(("eg_grpo_k2", evil)), ("eg_grpo_k2", evil))
    page = Reader(render_report(named, data))
    assert "img" not in page.tags
    assert page.tags.count("script") == len(page.figures) + 3
    assert words(evil) in words(page.text)
    for name, figure in page.figures.items():
        if name.startswith("align-"):
            shown = [trace[key] for trace in figure["data"] for key in ("name", "hovertemplate")]
            assert set(re.findall("<[^>]*>", "".join(shown))) <= {"<extra>", "</extra>"}


def test_the_glossary_explains_the_measures_where_they_are_used(read):
    assert "Alignment, EG-GRPO, GRPO" in read.text
    assert "clk@k, exp@k, buy@k" in read.text


def test_the_page_is_a_function_of_what_is_stored():
    metrics, data = (json.loads(json.dumps(value, sort_keys=True)) for value in aligned())
    assert render_report(metrics, data) == render_report(*aligned())
