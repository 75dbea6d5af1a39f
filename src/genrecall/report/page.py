"""The page itself: metrics and what was gathered beside them become one HTML file.

It needs no network: the style, the script and Plotly stand in it, and a content security policy
forbids it to load anything. All foreign text is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from genrecall.evaluate.alignment import (
    COMPARED,
    STAGE_3,
    arm_order,
    collapsed_arms,
    served_against,
)
from genrecall.evaluate.compared import (
    BEAMS,
    MEASURES,
    ORDERS,
    OTHER_KIND,
    PAIRED,
    RECALLS,
    Comparison,
    beside_controls,
    beside_shopperless,
    paired_fusions,
    told_unavailable,
    told_units,
    told_weights,
)
from genrecall.evaluate.figures import clear
from genrecall.evaluate.names import CONTROLS_TOLD, GENERATIVE, K, Metrics, channel_order
from genrecall.report import charts, phrases
from genrecall.report.alignment_charts import gain_charts, training_charts
from genrecall.report.costs import Costs
from genrecall.report.plotting import Chart
from genrecall.report.verdict import cards, verdict

ReportData = dict[str, Any]
"""What the page shows beside `metrics.json`, as in `report.json`:

- `version`, `seed`; `inputs`: hash of all that the figures were made from
- `shop`: `items`, `available`, `categories`, `searches` {split: {all, usable}}
- `health`, `health_examples`: `health.json` of the SIDs, and `examples.json` with titles
- `codebook`: see `codebook.describe_codebook`
- `map`: `x`, `y`, `clusters` [see `Clusters.describe`] and `of`, how many clusters there are
- `training`: see `training.read_curves`
- `alignment`: see `alignment.read_alignment`; only where the generator was aligned

and only where searches were measured:

- `beams`, `cut`, `budgets`, `overlap`: see `curves`
- `contest`: queries won and lost, both answers side by side; `queries`: all to be searched;
  `parts`: searches by category and length of the query; see `offline.queries`
- `examples`: `rule`, `good`, `bad` [query, recall, beams, items, missed relevant items]
"""


class Section(NamedTuple):
    """A part of the page; its template is named after `name`."""

    name: str
    title: str


_SECTIONS: Final = (
    Section("beams", "Beams: what the generator finds"),
    Section("budget", "Recall by number of items"),
    Section("overlap", "Who finds what"),
    Section("compared", "With and without"),
    Section("slices", "Frequent, rare and new"),
    Section("parts", "By category and length of the query"),
    Section("scores", "What a score says"),
    Section("contest", "Queries won and lost"),
    Section("search", "Look up a query"),
    Section("alignment", "Alignment: before and after"),
    Section("codebook", "Health of the codebook"),
    Section("map", "Map of the clusters"),
    Section("training", "Training"),
    Section("costs", "What it costs"),
    Section("queries", "Queries, good and bad"),
    Section("glossary", "Glossary"),
    Section("next", "What next"),
)

_SLICE_MEASURE: Final = "recall@100"
_ARM_MEASURES: Final = (*COMPARED, "buy@10", "exposure_recall@10", "recall@100", "candidates@10")
_ARM_SLICE_MEASURES: Final = (*COMPARED, "recall@100")


def render_report(metrics: Metrics, data: ReportData, costs: Costs | None = None) -> str:
    """Make the page; equal arguments make equal pages.

    Args:
        metrics: as in `metrics.json`.
        data: see `ReportData`; parts that are not there are left out of the page.
        costs: of the run; None where nothing tells them.
    """
    made = _charts(metrics, data)
    arms = data.get("alignment", [])
    of_arms = gain_charts(arms), training_charts(arms)
    made |= {chart.name: chart for charts_of in of_arms for chart in charts_of.values()}
    shown = {
        "beams": "hit" in made,
        "budget": "budget" in made,
        "overlap": "overlap" in data,
        "compared": bool(_comparisons(metrics)),
        "slices": "slices" in made,
        "parts": bool(data.get("parts")),
        "scores": bool(metrics.get("confidence", {}).get("items")),
        "contest": "contest" in data,
        "search": "queries" in data,
        "costs": costs is not None or "latency_ms" in metrics,
        "alignment": bool(arms or metrics.get("align")),
        "training": bool(data["training"]),
        "queries": bool(data.get("examples", {}).get("good")),
    }
    page = _environment().get_template("page.html")
    return page.render(
        metrics=metrics,
        data=data,
        charts=made,
        sections=[section for section in _SECTIONS if shown.get(section.name, True)],
        verdict=verdict(metrics),
        cards=cards(metrics),
        channels=channel_order(metrics["channels"]),
        told={name: text for name, text in CONTROLS_TOLD.items() if name in metrics["channels"]},
        recalls=list(RECALLS),
        orders=list(ORDERS),
        other_kind=OTHER_KIND,
        pairs=paired_fusions(metrics),
        pair_measures=list(PAIRED),
        units=told_units(metrics),
        unavailable=told_unavailable(metrics),
        comparisons=_comparisons(metrics),
        weights=told_weights(metrics),
        stages=phrases.stages(metrics),
        slices=phrases.slices(metrics),
        slice_channels=_slice_channels(metrics),
        slice_measure=_SLICE_MEASURE,
        generative=GENERATIVE,
        beam_widths=BEAMS,
        hit_columns=[f"hit@beam {width}" for width in BEAMS],
        compared_measures=list(MEASURES),
        alignment=_alignment(metrics, *of_arms) if shown["alignment"] else None,
        health_examples=phrases.health_examples(data["health_examples"]),
        costs=costs,
        k=K,
        plotly=get_plotlyjs(),
    )


def _charts(metrics: Metrics, data: ReportData) -> dict[str, Chart]:
    made = [
        charts.codes_chart(data["codebook"]["levels"]),
        charts.sizes_chart(data["codebook"]["items_per_sid"]),
        charts.map_chart(data["map"]),
        *(charts.training_chart(curve, number) for number, curve in enumerate(data["training"])),
    ]
    if "beams" in data:
        made.append(charts.hit_chart(data["beams"], data.get("cut")))
        made.append(charts.candidates_chart(data["beams"]))
    if "budgets" in data:
        made.append(charts.budget_chart(data["budgets"]))
    if phrases.slices(metrics):
        made.append(charts.slice_chart(metrics, _slice_channels(metrics), _SLICE_MEASURE))
    return {chart.name: chart for chart in made}


def _alignment(
    metrics: Metrics, gains: Mapping[str, Chart], training: Mapping[str, Chart]
) -> dict[str, Any]:
    """What the section about the alignment is made of, beside figures and events."""
    arms, served = arm_order(metrics), metrics.get("align_served")
    return {
        "arms": arms,
        "start": STAGE_3,
        "served": served,
        "measures": _ARM_MEASURES,
        "slices": phrases.aligned_slices(metrics),
        "slice_arms": [arm for arm in arms if arm in (STAGE_3, served)],
        "slice_measures": _ARM_SLICE_MEASURES,
        "collapsed": collapsed_arms(metrics),
        "against": served_against(metrics),
        "gains": {arm: chart.name for arm, chart in gains.items()},
        "training": {name: chart.name for name, chart in training.items()},
    }


def _comparisons(metrics: Metrics) -> list[Comparison]:
    found = (beside_shopperless(metrics), beside_controls(metrics))
    return [comparison for comparison in found if comparison is not None]


def _slice_channels(metrics: Metrics) -> list[str]:
    """The generative channel, and the fusion of the others without and with it."""
    pair = metrics.get("headline")
    return (
        [GENERATIVE, pair["without"], pair["with"]]
        if pair
        else channel_order(metrics["channels"])[:3]
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("genrecall.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Callable[..., str | phrases.Cell]] = {
        "arm": phrases.arm,
        "change": phrases.change,
        "changed": phrases.changed,
        "clear": clear,
        "count": phrases.count,
        "ends": phrases.ends,
        "heading": phrases.heading,
        "percent": phrases.percent,
        "share": phrases.share,
        "sid": phrases.sid,
        "slice_name": phrases.slice_name,
        "told": phrases.told,
    }
    environment.filters.update(filters)
    return environment
