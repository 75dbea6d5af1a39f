"""How the report says names and numbers, and its headlines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from genrecall.evaluate.alignment import STAGE_3
from genrecall.evaluate.names import (
    ANONYMOUS,
    CONTROLS,
    GENERATIVE,
    HEADS,
    JOIN,
    LOOK_AHEAD,
    POPULARITY,
    TWO_VIEWS,
    K,
    Metrics,
    stage_order,
)

Figure = Mapping[str, Any]
"""`{"value": x, "ci": [lo, hi], "n": searches}`."""

_CHANNELS: Final = {
    "bm25": "BM25",
    TWO_VIEWS: "two views (control)",
    LOOK_AHEAD: "look-ahead alone (control)",
    HEADS: "heads alone (control)",
    ANONYMOUS: "anonymous (control)",
    POPULARITY: "popularity (baseline)",
}
_STAGES: Final = {
    "two-tower encoder": "Text encoder",
    "rq-vae": "Quantizer",
    "item_to_sid": "item → SID",
    "query_to_sid": "query → SID",
    "user_query_to_sid": "shopper and query → SID",
    "align": "alignment",
    LOOK_AHEAD: "look-ahead alone (control)",
    HEADS: "heads alone (control)",
    ANONYMOUS: "anonymous (control)",
    POPULARITY: "popularity (baseline)",
}
_ARMS: Final = {
    STAGE_3: "stage 3",
    "more_sft": "cross entropy alone",
    "grpo_k0": "GRPO, no experts",
    "experts_only": "experts alone",
}
_HEALTH_EXAMPLES: Final = {
    "largest": "The largest clusters",
    "typical": "Typical clusters, drawn at random",
    "mixed": "Clusters that mix categories",
    "singletons": "Clusters of one item",
    "far": "Items far from the others of their cluster",
}
_SLICES: Final = {
    "head": "head: frequent queries",
    "torso": "torso",
    "tail": "tail: rare queries",
    "unseen": "queries never seen in training",
    "new_items": "new items only",
    "known_items": "items chosen in training",
    "cold_items": "items never shown or chosen in training",
}


class Headline(NamedTuple):
    """One finding.

    Attributes:
        number: what stands out.
        text: what it means.
    """

    number: str
    text: str


class Cell(NamedTuple):
    """A figure in a narrow column.

    Attributes:
        value: the number.
        ends: its interval, which stands below it.
        tone: `up` or `down` for a clear difference.
    """

    value: str
    ends: str = ""
    tone: str = ""


_NOTHING: Final = Cell("–")


def stages(metrics: Metrics) -> list[str]:
    """What has beams: training stages in their order, then controls and baselines."""
    return stage_order(metrics.get("hit@beam", {}))


def slices(metrics: Metrics) -> list[str]:
    """Parts of the searches, from the most frequent queries to those never seen.

    A part that holds every search would only repeat the figures of the channels.
    """
    return _parts(metrics["slices"], metrics["channels"])


def aligned_slices(metrics: Metrics) -> list[str]:
    """The same of the searches that arms of the alignment are measured on."""
    return _parts(metrics.get("slices_align", {}), metrics.get("align"))


def health_examples(examples: Mapping[str, Sequence[Any]]) -> list[tuple[str, Sequence[Any]]]:
    """Examples of the health report that there are, with what they are."""
    return [
        (title, examples[name]) for name, title in _HEALTH_EXAMPLES.items() if examples.get(name)
    ]


def channel(name: str) -> str:
    """Say the name of a channel or fusion.

    >>> channel("bm25+dense+generative")
    'BM25 + dense + generative'
    """
    return " + ".join(_CHANNELS.get(part, part) for part in name.split(JOIN))


def stage(name: str) -> str:
    """Say the name of a training stage."""
    return _STAGES.get(name, name)


def slice_name(name: str) -> str:
    """Say the name of a part of the searches."""
    return _SLICES.get(name, name)


def arm(name: str) -> str:
    """Say the name of an arm of the alignment.

    >>> arm("eg_grpo_k2"), arm("more_sft")
    ('EG-GRPO, K=2', 'cross entropy alone')
    """
    head, _, experts = name.partition("eg_grpo_k")
    return f"EG-GRPO, K={experts}" if experts and not head else _ARMS.get(name, name)


def sid(codes: Sequence[int]) -> str:
    """Say a SID.

    >>> sid([12, 3, 4])
    '12-3-4'
    """
    return "-".join(str(code) for code in codes)


def share(figure: Figure) -> str:
    """Three decimals."""
    return f"{figure['value']:.3f}"


def ends(figure: Figure) -> str:
    """The interval of a share.

    >>> ends({"value": 0.5, "ci": [0.25, 0.75], "n": 4})
    '[0.250–0.750]'
    """
    lo, hi = figure["ci"]
    return f"[{lo:.3f}–{hi:.3f}]"


def change(figure: Figure) -> str:
    """A difference with its interval.

    >>> change({"value": 0.01, "ci": [-0.002, 0.02], "n": 4})
    '+0.010 [−0.002, +0.020]'
    """
    value, lo, hi = (_signed(x) for x in (figure["value"], *figure["ci"]))
    return f"{value} [{lo}, {hi}]"


def told(figure: Figure, measure: str) -> Cell:
    """A figure of an arm.

    >>> told({"value": 61.25, "ci": [60.0, 62.5], "n": 4}, "candidates@10")
    Cell(value='61.2', ends='[60.0–62.5]', tone='')
    """
    if not figure["n"]:
        return _NOTHING
    if not measure.startswith("candidates"):
        return Cell(share(figure), ends(figure))
    lo, hi = figure["ci"]
    return Cell(f"{figure['value']:,.1f}", f"[{lo:,.1f}–{hi:,.1f}]")


def changed(figure: Figure, measure: str) -> Cell:
    """A difference between arms; more items behind the beams are neither good nor bad.

    >>> changed({"value": 0.01, "ci": [0.002, 0.02], "n": 4}, "clk@1")
    Cell(value='+0.010', ends='[+0.002 +0.020]', tone='up')
    """
    if not figure["n"]:
        return _NOTHING
    counts = measure.startswith("candidates")
    value, lo, hi = (_signed(x, 1 if counts else 3) for x in (figure["value"], *figure["ci"]))
    clear = "up" if figure["ci"][0] > 0 else "down" if figure["ci"][1] < 0 else ""
    return Cell(value, f"[{lo} {hi}]", "" if counts else clear)


def percent(value: float) -> str:
    r"""A share of a hundred.

    >>> percent(0.9849), percent(0.0001)
    ('98.5\xa0%', '<\xa00.1\xa0%')
    """
    if 0 < value < 0.0005:
        return "<\xa00.1\xa0%"
    return f"{100 * value:.1f}\xa0%"


def count(value: float) -> str:
    """A number of things."""
    return f"{value:,.0f}"


def headlines(metrics: Metrics) -> list[Headline]:
    """What a reader should know first, at most four findings."""
    found = [
        _gain(metrics),
        _beams(metrics),
        _alone(metrics),
        _latency(metrics),
        _clusters(metrics),
    ]
    return [headline for headline in found if headline is not None][:4]


def added(metrics: Metrics) -> tuple[str, str] | None:
    """The strongest fusion without the generative channel, and before it the same with it."""
    compared = metrics.get("headline")
    return None if compared is None else (compared["with"], compared["without"])


def _gain(metrics: Metrics) -> Headline | None:
    compared = added(metrics)
    if compared is None:
        return None
    figure = metrics["paired"][f"{compared[0]} - {compared[1]}"]["recall@100"]
    lo, hi = figure["ci"]
    adding = f"Adding the {GENERATIVE} channel to {channel(compared[1])}"
    interval = f"[{_signed(lo)}, {_signed(hi)}]"
    if lo > 0:
        text = f"{adding} raises recall@100 by this much {interval}."
    elif hi < 0:
        text = f"{adding} lowers recall@100 by this much {interval}."
    else:
        text = f"{adding} shows no clear change of recall@100: its interval {interval} holds zero."
    return Headline(_signed(figure["value"]), text)


def _beams(metrics: Metrics) -> Headline | None:
    trained = [name for name in stages(metrics) if name not in CONTROLS]
    if not trained:
        return None
    last = trained[-1]
    widths = metrics["hit@beam"][last]
    width = max(widths, key=int)
    items = metrics["candidates@beam"][last][width]["value"]
    beams = "1 beam" if width == "1" else f"{width} beams"
    text = f"of the relevant items stand behind {beams}, with {count(items)} items on average."
    return Headline(percent(widths[width]["value"]), text)


def _alone(metrics: Metrics) -> Headline | None:
    figure = metrics.get(f"only_{GENERATIVE}@{K}")
    if figure is None or metrics.get("quantize", {}).get("items", K + 1) <= K:
        return None  # in a small shop every channel may have all items among its first
    lo, hi = (f"{100 * end:.1f}" for end in figure["ci"])
    return Headline(
        percent(figure["value"]),
        f"of the relevant items [{lo}–{hi}\xa0%] are among the {K:,} of the {GENERATIVE} channel "
        "and of no other.",
    )


def _latency(metrics: Metrics) -> Headline | None:
    latency = metrics.get("latency_ms")
    if latency is None:
        return None
    asked = f" of {latency['k']:,} items" if "k" in latency else ""
    return Headline(
        f"{latency['p50']['value']:.1f}\xa0ms",
        f"for a request{asked} at the median, on one thread; 99 of 100 take at most "
        f"{latency['p99']['value']:.1f}\xa0ms.",
    )


def _clusters(metrics: Metrics) -> Headline | None:
    quantize = metrics.get("quantize", {})
    if "items_per_sid" not in quantize:
        return None
    mean = quantize["items_per_sid"]["mean"]
    return Headline(count(quantize["sids"]), f"SIDs name clusters of {mean:.1f} items on average.")


def _parts(slices: Mapping[str, Any], every: Any) -> list[str]:
    return _in_order([name for name, part in slices.items() if part != every], _SLICES)


def _in_order(names: Iterable[str], order: Iterable[str]) -> list[str]:
    """Known names in their order, then the others by name."""
    known = list(order)
    return sorted(names, key=lambda name: (known.index(name) if name in known else 99, name))


def _signed(value: float, decimals: int = 3) -> str:
    return f"{value:+.{decimals}f}".replace("-", "−")
