"""The metrics of a run as tables for the terminal; legible at 100 columns and without colour."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

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
from genrecall.evaluate.names import (
    CONTROLS_TOLD,
    GENERATIVE,
    JOIN,
    K,
    Metrics,
    base_of,
    channel_order,
    stage_order,
)
from genrecall.evaluate.slices import SLICES
from genrecall.evaluate.table_cells import (
    change,
    make_table,
    percent,
    share,
    short_share,
    with_notes,
)

WIDTH: Final = 100

_SLICE_MEASURES: Final = ("recall@100", "hit@10")
_SIZES: Final = ("mean", "weighted", "p50", "p99", "max")
_SLICE_ORDER: Final = (
    *SLICES,
    "with_filters",
    "without_filters",
    "corrected",
    "missed_by_bm25",
    "new_items",
    "known_items",
    "cold_items",
)


def print_metrics(metrics: Metrics, *, console: Console | None = None) -> None:
    """Print what `build_metrics` made.

    Args:
        metrics: the contents of `metrics.json`.
        console: where to print; the terminal at 100 columns when None, so that the output is the
            same on every terminal and in a file.
    """
    console = console or Console(width=WIDTH, highlight=False)
    excluded = "".join(f", {n:,} left out: {why}" for why, n in metrics["excluded"].items() if n)
    console.print(
        f"{metrics['split'].capitalize()} split: {metrics['searches']:,} searches{excluded}.",
        markup=False,
    )
    for line in (
        _intervals(metrics),
        told_unavailable(metrics),
        _sids(metrics),
        _answers(metrics),
        _latency(metrics),
    ):
        if line:
            console.print(line, markup=False)
    for table in (
        _beam_table(metrics),
        _channel_table(metrics),
        _order_table(metrics),
        _confidence_table(metrics),
        *_paired_tables(metrics),
        _parts_table(metrics),
        _shopper_table(metrics),
        _slice_table(metrics),
        _arm_table(metrics),
        _arm_change_table(metrics),
    ):
        if table is not None:
            console.print()
            console.print(table)


def _intervals(metrics: Metrics) -> str:
    over = told_units(metrics)
    return f"In brackets: 95 % interval{over and f', over {over}'}."


def _sids(metrics: Metrics) -> str:
    quantize = metrics.get("quantize", {})
    if "items_per_sid" not in quantize:
        return ""
    sizes = quantize["items_per_sid"]
    figures = ", ".join(f"{name} {sizes[name]:.4g}" for name in _SIZES if name in sizes)
    return f"{quantize['sids']:,} SIDs; items per SID: {figures}."


def _answers(metrics: Metrics) -> str:
    if GENERATIVE not in metrics:
        return ""
    told = metrics[GENERATIVE]
    lo, hi = told["beams"]["ci"]
    found = f"Beams per search: mean {told['beams']['value']:,.1f} [{lo:,.1f}–{hi:,.1f}]; "
    items = told.get("items", K)
    if items < K:
        return f"{found}no answer can hold {K:,} items: {items:,} are available."
    return f"{found}{percent(told['filled']['value'])} of the answers are full ({K:,} items)."


def _latency(metrics: Metrics) -> str:
    if "latency_ms" not in metrics:
        return ""
    latency = metrics["latency_ms"]
    size = f", {latency['k']:,} items" if "k" in latency else ""
    first = latency[GENERATIVE]
    low, high = first["p50"]["ci"]
    told = [
        f"{GENERATIVE} p50 {first['p50']['value']:.1f} ms [{low:.1f}–{high:.1f}]",
        f"p99 {first['p99']['value']:.1f}",
    ]
    others = channel_order(latency.keys() - {"k", GENERATIVE})
    told += [f"{channel} p50 {latency[channel]['p50']['value']:.1f}" for channel in others]
    return f"One thread{size}: {', '.join(told)}."


def _beam_table(metrics: Metrics) -> Table | None:
    if not metrics.get("hit@beam"):
        return None
    columns = ["beams", "hit@beam", "hit_micro@beam", "items behind"]
    table = make_table("Relevant items whose SID is among the beams", columns)
    for stage in stage_order(metrics["hit@beam"]):
        for place, (width, hit) in enumerate(metrics["hit@beam"][stage].items()):
            micro = metrics["hit_micro@beam"][stage][width]
            behind = metrics["candidates@beam"][stage][width]
            name = "" if place else stage
            table.add_row(name, width, share(hit), share(micro), f"{behind['value']:,.1f}")
    return table


def _channel_table(metrics: Metrics) -> Table | None:
    """How much every channel finds, and how much else it brings."""
    channels = metrics["channels"]
    if not channels:
        return None
    table = make_table("Channels and their fusions", [*RECALLS, "items", "empty", "other kind"])
    for name in channel_order(channels):
        figures = channels[name]
        other = figures.get(OTHER_KIND)
        table.add_row(
            _label(name, channels),
            *(share(figures[measure]) for measure in RECALLS),
            f"{figures['candidates']['value']:,.0f}",
            percent(figures["zero_results"]["value"]),
            percent(other["value"]) if other else "",
        )
    notes = [f"{name}: {what}" for name, what in CONTROLS_TOLD.items() if name in channels]
    notes.append("empty: searches without any item" + _told_kind(channels))
    if only := metrics.get(f"only_{GENERATIVE}@{K}"):
        notes.append(f"Relevant items that only {GENERATIVE} has among its {K:,}: {share(only)}")
    return with_notes(table, notes)


def _told_kind(channels: Mapping[str, Any]) -> str:
    if not any(OTHER_KIND in figures for figures in channels.values()):
        return ""
    return "; other kind: items of another category than any relevant one"


def _order_table(metrics: Metrics) -> Table | None:
    """Where in its answer a channel has the relevant items; a ranker orders them anew."""
    channels = metrics["channels"]
    if not channels:
        return None
    table = make_table("The order of the first items", ORDERS)
    for name in channel_order(channels):
        cells = (share(channels[name][measure]) for measure in ORDERS)
        table.add_row(_label(name, channels), *cells)
    return table


def _confidence_table(metrics: Metrics) -> Table | None:
    """Whether scores say the truth, and what is left where low ones are not answered."""
    told = metrics.get("confidence")
    if not told:
        return None
    columns = ["items", "of them relevant", "said", "left from there", f"recall@{K}", "empty"]
    table = make_table(f"Scores of the {GENERATIVE} channel, from … up to the next", columns)
    for band in told["items"]:
        left = told["least"][str(band["from"])]
        table.add_row(
            f"{band['from']:g}",
            f"{band['candidates']['value']:,.1f}",
            share(band["relevant"]),
            f"{band['said']['value']:.3f}",
            f"{left['candidates']['value']:,.1f}",
            share(left[f"recall@{K}"]),
            percent(left["zero_results"]["value"]),
        )
    areas = ", ".join(
        f"among the first {name[4:]} {share(told[name])}" for name in told if name[:4] == "auc@"
    )
    notes = ["said: by the scores, as share; left: items of an answer with min_score=…"]
    if areas:
        notes.append(f"AUC of the best score for an answer with a relevant item: {areas}")
    return with_notes(table, notes)


def _paired_tables(metrics: Metrics) -> list[Table]:
    """What the generative channel changes, by what it stands beside; the strongest rival first."""
    headline, pairs = metrics.get("headline", {}), paired_fusions(metrics)
    tables: dict[str, Table] = {}
    for fusion, without, figures in pairs:
        _, kept, _ = base_of(fusion)
        # What is added to stands in the title: as a label it were too wide or not told apart.
        title = f"What {GENERATIVE} adds to {kept}, at an equal number of items"
        table = tables.setdefault(fusion, make_table(title, PAIRED))
        replaced = set(without.split(JOIN)) - set(fusion.split(JOIN))
        label = f"replacing {replaced.pop()}" if replaced else "added"
        table.add_row(label, *(change(figures[measure]) for measure in PAIRED))
    shown = list(tables.values())
    if headline and len(shown) > 1:
        rival = f"The strongest rival without {GENERATIVE}, {headline['without']}, stands first."
        with_notes(shown[0], [rival])
    return shown


def _parts_table(metrics: Metrics) -> Table | None:
    """What heads, look-ahead and SIDs are worth: the generative channel less its controls."""
    compared, weights = beside_controls(metrics), told_weights(metrics)
    return with_notes(_comparison(compared), [weights] if weights else []) if compared else None


def _shopper_table(metrics: Metrics) -> Table | None:
    """What profile and history change: the SIDs of few beams, and the answer."""
    compared = beside_shopperless(metrics)
    return _comparison(compared) if compared else None


def _comparison(compared: Comparison) -> Table:
    columns = [*(f"hit@beam {width}" for width in BEAMS), *MEASURES]
    table = make_table(compared.title, columns)
    for row in compared.rows:
        cells = [change(row.hits[width]) if width in row.hits else "" for width in BEAMS]
        cells += [change(row.answers[m]) if row.answers else "" for m in MEASURES]
        table.add_row(f"to {row.less}", *cells)
    return table


def _slice_table(metrics: Metrics) -> Table | None:
    """The fusion without and with the generative channel, by slice; other figures: the JSON."""
    # A slice of every search would only repeat the table of the channels.
    slices = {n: s for n, s in metrics["slices"].items() if s != metrics["channels"]}
    if not slices:
        return None
    channels = _compared(metrics)
    columns = [f"{measure}\n{name}" for measure in _SLICE_MEASURES for name in channels]
    table = make_table("Slices", ["searches", *columns])
    for name in sorted(slices, key=_place):
        figures = [slices[name][channel] for channel in channels.values()]
        searches = f"{figures[0][_SLICE_MEASURES[0]]['n']:,}"
        shares = [share(figure[measure]) for measure in _SLICE_MEASURES for figure in figures]
        table.add_row(name, searches, *shares)
    return table


def _arm_table(metrics: Metrics) -> Table | None:
    """What the generator before alignment, the aligned one and controls generate."""
    if not metrics.get("align"):
        return None
    table = make_table(
        "Alignment: what is clicked and shown, among the SIDs of the first beams", COMPARED
    )
    for arm in arm_order(metrics):
        figures = metrics["align"][arm]
        table.add_row(arm, *(short_share(figures[measure]) for measure in COMPARED))
    served = metrics.get("align_served")
    counts = [metrics["align"][STAGE_3][measure]["n"] for measure in ("exp@10", "clk@10")]
    notes = ["{:,} searches that tell what was shown, {:,} of them with a click.".format(*counts)]
    if served:
        notes.append(f"{served} serves; {STAGE_3} is the generator before alignment.")
    notes += [f"{served} to {arm}: {told}." for arm, told in served_against(metrics)]
    notes += [f"Collapse: {arm} shows more and is clicked less." for arm in collapsed_arms(metrics)]
    return with_notes(table, notes)


def _arm_change_table(metrics: Metrics) -> Table | None:
    """What alignment has changed, and what of it the controls have not."""
    arms = arm_order(metrics)
    changed = {
        f"{arm}\nto {other}": metrics["paired_align"][pair]
        for other in arms
        for arm in arms
        if (pair := f"{arm} - {other}") in metrics.get("paired_align", {})
    }
    if not changed:
        return None
    measures = (*COMPARED, "recall@100")
    table = make_table("What alignment changes", measures)
    for pair, figures in changed.items():
        cells = (change(figures[measure]) if figures[measure]["n"] else "" for measure in measures)
        # The interval in a line of its own: six of them are wider than a screen.
        table.add_row(pair, *(cell.replace(" ", "\n", 1) for cell in cells))
    return table


def _compared(metrics: Metrics) -> Mapping[str, str]:
    """The channels that slices are shown for, by a short name: a fusion without and with."""
    if pair := metrics.get("headline"):
        return {_folded(pair["without"]): pair["without"], f"with {GENERATIVE}": pair["with"]}
    return {name: name for name in channel_order(metrics["channels"])[:2]}


_WIDEST: Final = len("bm25+dense+popularity")  # beside the columns of a table


def _label(name: str, channels: Collection[str]) -> str:
    """A fusion behind one that it adds to is named by what it adds; a long one has two lines."""
    _, kept, added = base_of(name)
    if added and JOIN in kept and kept in channels:
        return f"  +{added}"
    return _folded(name) if len(name) > _WIDEST else name


def _folded(fusion: str) -> str:
    r"""A long name in two lines.

    >>> _folded("bm25+dense+popularity")
    'bm25+dense\n  +popularity'
    """
    head, _, last = fusion.rpartition(JOIN)
    return f"{head}\n  +{last}" if JOIN in head else fusion


def _place(name: str) -> tuple[int, str]:
    return _SLICE_ORDER.index(name) if name in _SLICE_ORDER else len(_SLICE_ORDER), name
