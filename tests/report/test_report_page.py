import copy
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import plotly.graph_objects
import pytest
import typer
from report_data import COSTS, EVIL, QUERIES, measured, unmeasured_data
from rich.console import Console

from genrecall.cli.app import app
from genrecall.evaluate.names import channel_order
from genrecall.evaluate.table import WIDTH, print_metrics
from genrecall.report.page import render_report

VOID = {"meta", "br", "img", "link", "input", "hr", "wbr"}
SECTIONS = [
    "beams",
    "budget",
    "overlap",
    "compared",
    "slices",
    "parts",
    "contest",
    "search",
    "codebook",
    "map",
    "training",
    "costs",
    "queries",
    "glossary",
    "next",
]


class Reader(HTMLParser):
    """Reads a page: checks that tags close in order, keeps what tests ask about."""

    def __init__(self, page):
        super().__init__()
        self.open, self.attributes, self.figures, self.text = [], [], {}, ""
        self.tags, self.last = [], {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        self.last = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            if self.last.get("id") == "queries-data":
                self.queries = json.loads(data)
            elif self.last.get("type") == "application/json":
                self.figures[self.last["id"].removeprefix("figure-")] = json.loads(data)
        elif not self.open or self.open[-1] != "style":
            self.text += data

    def all(self, name):
        return [value for _, key, value in self.attributes if key == name]


def words(text):
    return " ".join(text.split())


def without_dash_colors(value):
    """Plotly's own check knows no variables of our style sheet."""
    if isinstance(value, dict):
        return {key: without_dash_colors(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_dash_colors(inner) for inner in value]
    return "black" if isinstance(value, str) and value.startswith("--") else value


@pytest.fixture(scope="module")
def page():
    return render_report(*measured(), COSTS)


@pytest.fixture(scope="module")
def read(page):
    return Reader(page)


def test_all_sections_are_there_and_in_the_contents(read):
    ids = read.all("id")
    assert len(ids) == len(set(ids))
    assert [name for name in ids if name in SECTIONS] == SECTIONS
    assert {f"#{name}" for name in SECTIONS} <= set(read.all("href"))
    assert set(read.figures) == {
        "hit",
        "candidates",
        "budget",
        "slices",
        "codes",
        "sizes",
        "map",
        "training-0",
        "training-1",
    }


def test_every_chart_is_one_that_plotly_knows(read):
    for figure in read.figures.values():
        plotly.graph_objects.Figure(without_dash_colors(figure))


def test_every_color_is_in_the_style_sheet(page, read):
    named = set(re.findall(r'"(--[a-z0-9]+)"', json.dumps(read.figures)))
    assert named
    for name in named | set(re.findall(r"var\((--[a-z0-9]+)\)", page)) - {"--series"}:
        assert page.count(f"{name}: #") == 2, name  # in the light and in the dark


def test_every_chart_says_what_it_shows(read):
    charts = [value for tag, key, value in read.attributes if key == "class" and "chart" in value]
    labels = [value for tag, key, value in read.attributes if (tag, key) == ("div", "aria-label")]
    assert len([name for name in charts if name.split()[0] == "chart"]) == len(read.figures)
    assert len(set(labels)) == len(labels) >= len(read.figures)


def test_headings_step_down_one_by_one(read):
    levels = [int(tag[1]) for tag in read.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_nothing_is_loaded(page, read):
    assert [
        value for tag, key, value in read.attributes if key in ("src", "srcset", "action")
    ] == []
    assert all(link.startswith("#") for link in read.all("href"))
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in page


def test_foreign_text_stays_text(read):
    assert words(read.text).count(words(EVIL)) >= 3
    assert "img" not in read.tags
    assert read.tags.count("script") == len(read.figures) + 3  # queries, Plotly, ours
    for trace in read.figures["map"]["data"]:
        for shown in [trace["name"], *trace["text"]]:
            assert set(re.findall("<[^>]*>", shown)) <= {"<b>", "</b>", "<br>"}


def test_figures_are_those_of_the_metrics(read):
    metrics, data = measured()
    text = words(read.text)
    measures = ("recall@10", "recall@100", "recall@1000", "hit@10", "ndcg@10", "mrr")
    for figure in [
        *metrics["hit@beam"]["query_to_sid"].values(),
        *(figures[measure] for figures in metrics["channels"].values() for measure in measures),
        *(channels["generative"]["recall@100"] for channels in metrics["slices"].values()),
    ]:
        lo, hi = figure["ci"]
        assert f"{figure['value']:.3f} [{lo:.3f}–{hi:.3f}]" in text
    curves = {curve["stage"]: curve for curve in data["beams"]}
    for stage, widths in metrics["hit@beam"].items():
        for width, figure in widths.items():
            curve = curves[stage]
            if int(width) in curve["beams"]:
                assert curve["hit@beam"][curve["beams"].index(int(width))] == figure
    for name, figures in metrics["channels"].items():
        budget = data["budgets"][name]
        for k in (10, 100, 1000):
            assert budget["recall"][budget["items"].index(k)] == figures[f"recall@{k}"]
    (alone,) = [part for part in data["overlap"]["sets"] if part["channels"] == ["generative"]]
    assert alone["share"] == metrics["only_generative@1000"]


def test_the_verdict_comes_first_and_every_card_names_its_rival(read):
    text = words(read.text)
    verdict = text.index(
        "It does not pay here, because adding it to BM25 and dense brings no clear"
    )
    assert verdict < text.index("The generative channel answers a search by")
    for rival in ("BM25 and dense", "dense, the best single one", "exact search with the same"):
        assert f"Against {rival}" in text, rival


def test_a_small_shop_is_told_what_its_size_does(read):
    metrics, data = measured()
    assert "The shop has 9 items that can be answered with" in words(read.text)
    assert "only 9 items that can be answered with" in words(read.text)
    data["shop"] |= {"items": 5000, "available": 5000}
    metrics["generative"]["items"] = 5000
    text = words(Reader(render_report(metrics, data)).text)
    assert "here with 12 beams on average" in text
    assert "The shop has" not in text
    assert "This shop has only" not in text

    alone = "are among its 1,000 and among nobody else’s"
    assert alone in text
    metrics["generative"]["items"] = 1000
    assert alone not in words(Reader(render_report(metrics, data)).text)


def test_what_level_1_means_depends_on_the_categories(read):
    assert "level 1 follows the item’s category" in words(read.text)
    metrics, data = measured()
    wanted = data["health"]["wanted"] | {"reserve": 4}
    data["health"] = data["health"] | {"wanted": wanted}
    text = words(Reader(render_report(metrics, data)).text)
    assert "categories are not used" in text
    assert "level 1 follows" not in text


@pytest.mark.parametrize(
    ("value", "ci", "tone", "said"),
    [
        (0.01, [0.002, 0.017], "up", "+0.010"),
        (-0.01, [-0.02, -0.001], "down", "−0.010"),
        (-0.01, [-0.02, 0.001], "", "−0.010"),
        (0.01, [-0.02, 0.02], "", "+0.010"),
    ],
)
def test_a_gain_and_a_loss_look_like_it(value, ci, tone, said):
    metrics, data = measured()
    paired = metrics["paired"]["bm25+dense+generative - bm25+dense"]
    paired["recall@100"] = {"value": value, "ci": ci, "n": 4}
    page = render_report(metrics, data)
    assert f'<div class="verdict {tone or "open"}">' in page
    looks = "down" if value < 0 else tone  # what the number is, be it clear or not
    assert f'<strong class="{looks}">{said}</strong>' in page


def test_channels_have_the_order_and_the_names_of_the_terminal(page):
    metrics, _ = measured()
    out = io.StringIO()
    print_metrics(metrics, console=Console(file=out, width=WIDTH, color_system=None))
    table = out.getvalue()[out.getvalue().index("Channels and their fusions") :].split("\n\n")[0]
    names = [line.split()[0] for line in table.splitlines()[3:]]
    whole = [name if name[0] != "+" else f"bm25+dense{name}" for name in names]
    shown = page[page.index("<caption>Channels and their fusions") :].split("</table>")[0]
    found = re.findall(r'<th scope="row">(.*?)</th>', shown.replace("<wbr>", ""))
    assert found == whole[: len(found)] == list(channel_order(metrics["channels"]))


def test_empty_answers_and_other_categories_stand_beside_recall(page):
    def cells(page):
        rows = page[page.index("<caption>Channels and their fusions") :].split("</table>")[0]
        row = rows[rows.index('<th scope="row">bm25</th>') :].split("</tr>")[0]
        heads = re.findall(r'<th scope="col">(.*?)</th>', rows)
        return dict(zip(heads[1:], re.findall(r"<td>(.*?)</td>", row, re.DOTALL), strict=True))

    found = cells(page)
    assert found["empty"] == "50.0\xa0%"
    assert "other kind" not in found  # the shop has no categories
    metrics, data = measured()
    metrics["channels"]["bm25"]["other_category@1000"] = {"value": 0.25, "ci": [0, 1], "n": 4}
    assert cells(render_report(metrics, data))["other kind"] == "25.0\xa0%"


def test_the_strongest_rival_stands_first_among_the_differences():
    metrics, data = measured()
    pair = "bm25+dense+generative - bm25+dense"
    other = "bm25+dense+popularity+generative - bm25+dense+popularity"
    metrics["paired"] = {other: metrics["paired"][pair], pair: metrics["paired"][pair]}
    page = render_report(metrics, data)
    table = page[page.index("<caption>Differences on the same searches") :].split("</table>")[0]
    rows = [words(re.sub("<.*?>", "", row)) for row in re.findall(r'"row">(.*?)</th>', table)]
    assert rows == [name.replace(" - ", " less ") for name in (pair, other)]
    assert re.findall(r'"col">(.*?)</th>', table)[-1] == "ndcg@10"


def test_what_figures_rest_on_is_told():
    metrics, data = measured()
    assert "Intervals95 %, over 4 searches" in words(Reader(render_report(metrics, data)).text)
    metrics["bootstrap"] |= {"units": "shoppers", "clusters": 1234}
    metrics["relevant"] = {"available": 6, "unavailable": 2}
    metrics["level_weights"] = {
        "query_to_sid": {"heads": [0.25, 0.5, 1.0], "look_ahead": [1.0, 0.75, 0.5]}
    }
    text = words(Reader(render_report(metrics, data)).text)
    assert "Intervals95 %, over 1,234 shoppers" in text
    assert "95 % interval, by resampling shoppers" in text
    assert "2 of 8 relevant items are not available today; no figure counts them." in text
    assert "levels: heads 0.25, 0.50, 1.00; look-ahead 1.00, 0.75, 0.50." in text


def test_beams_are_of_stages_and_of_controls(page):
    heads = page[page.index("Relevant items whose cluster") :].split("</thead>")[0]
    assert re.findall(r'<th scope="col">(.*?)</th>', heads)[:2] == ["beams of", "beams"]


def test_controls_find_nothing_of_their_own(page):
    heads = page[page.index("by who finds them") :].split("</thead>")[0]
    assert re.findall(r'<th scope="col">(\w+)</th>', heads) == ["bm25", "dense", "generative"]


def test_queries_won_and_lost_stand_with_both_answers(page, read):
    text = words(read.text)
    assert "1 won, 1 lost, 7 with as many relevant items in both" in text
    assert "recall@10 0.00 → 1.00 · 1 relevant item · 2 searches" in text
    assert "lost by a known shopper · recall@10 1.00 → 0.50" in text
    assert text.count("by a known shopper") == 1
    section = page[page.index('id="contest"') : page.index('id="search"')]
    assert section.count('<li class="own">') == 2  # what only the answer with it has
    assert section.count("<h4>bm25+dense</h4>") == section.count("generative</h4>") == 2


def test_all_measured_queries_can_be_searched(read):
    assert read.queries == QUERIES["rows"]
    assert "All 3 measured queries" in words(read.text)


def test_costs_are_told_with_where_they_are_from(page, read):
    text = words(read.text.replace("\xa0", " "))
    channels = re.findall(r'row">(bm25|generative)</th><td>([\d.]+)</td><td>([\d.]+)<', page)
    assert channels == [("bm25", "3.0", "3.0"), ("generative", "5.0", "7.0")]
    assert "takes 12.3 MiB on disk" in text
    row = page[page.index('<th scope="row">generator</th><td>') :].split("</tr>")[0]
    assert re.findall(r"<td.*?>(.*?)</td>", row) == ["61.5", "812", "query_to_sid 5,123"]


def test_no_two_lines_of_a_chart_look_alike(read):
    for name in ("hit", "budget"):
        lines = [trace["line"] for trace in read.figures[name]["data"] if "dash" in trace["line"]]
        assert len({line["color"] for line in lines}) == len(lines) > 2, name


def test_commands_of_the_page_exist(page):
    commands = typer.main.get_command(app).commands
    shown = re.findall(r"<code>genrecall (\w+)(.*?)</code>", page)
    assert shown
    for name, rest in shown:
        options = {option for param in commands[name].params for option in param.opts}
        assert set(re.findall(r"(?<= )-\S+", rest)) <= options


def test_warnings_and_examples_of_the_health_report_are_shown(read):
    metrics, data = measured()
    assert "No warning" in read.text
    data["health"] = data["health"] | {"warnings": [f"level 2 uses 1 code {EVIL}. Lower it."]}
    data["health_examples"] = {
        "largest": [{"sid": [1, 2, 3], "items": 1234, "titles": [EVIL, "Lamp"]}],
        "mixed": [{"sid": [1, 2, 3], "items": 9, "purity": 0.5, "titles": ["Lamp"]}],
        "singletons": [],
        "far": [{"title": "A thing", "sid": [3, 2, 1], "distance": 1.5, "titles": ["Lamp"]}],
    }
    text = words(Reader(render_report(metrics, data)).text.replace("\xa0", " "))
    assert "1 warning level 2 uses 1 code <script>" in text
    assert "No warning" not in text
    assert "The largest clusters 1-2-3 1,234 items" in text
    assert "9 items, 50.0 % of one category" in text
    assert "Clusters of one item" not in text
    assert "A thing 3-2-1 distance 1.50; others there: Lamp" in text


def test_a_shop_that_was_not_measured_has_a_page():
    metrics = {"split": "validation", "searches": 0, "excluded": {}, "quantize": {}}
    metrics |= {"channels": {}, "slices": {}, "paired": {}}
    read = Reader(render_report(metrics, unmeasured_data()))
    assert [name for name in read.all("id") if name in SECTIONS] == [
        "codebook",
        "map",
        "training",
        "glossary",
        "next",
    ]
    assert "No search of the validation split has a relevant item, so nothing" in words(read.text)
    metrics["relevant"] = {"available": 0, "unavailable": 3}
    text = words(Reader(render_report(metrics, unmeasured_data())).text)
    assert (
        "No search of the validation split has a relevant item that it can be answered with, so"
        in text
    )


def test_a_part_that_holds_every_search_is_not_shown():
    metrics, data = measured()
    page = render_report(metrics | {"slices": {"unseen": metrics["channels"]}}, data)
    assert 'id="slices"' not in page


def test_the_test_split_is_called_so():
    metrics, data = measured()
    assert "Tune nothing" in render_report(metrics | {"split": "test"}, data)


def test_the_page_is_a_function_of_what_is_stored(page):
    """As JSON with sorted keys, in which `report.json` keeps it, it gives the same page."""
    metrics, data = (
        json.loads(json.dumps(copy.deepcopy(value), sort_keys=True)) for value in measured()
    )
    assert render_report(metrics, data, COSTS) == page
