"""How the report says names and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from genrecall.evaluate.alignment import STAGE_3
from genrecall.evaluate.figures import clear
from genrecall.evaluate.names import Metrics, stage_order

Figure = Mapping[str, Any]
"""`{"value": x, "ci": [lo, hi], "n": searches}`."""

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
    "with_filters": "searches with filters",
    "without_filters": "searches without filters",
    "corrected": "queries read otherwise than typed",
    "missed_by_bm25": "queries of which BM25 finds nothing relevant",
    "new_items": "new items only",
    "known_items": "items chosen in training",
    "cold_items": "items never shown or chosen in training",
}


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


def heading(measure: str) -> str:
    """A measure of beams over a narrow column, as HTML."""
    return measure.replace("_", " ").replace("@", "<wbr>@")


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
    """Say the name of a channel in a sentence; tables and charts have it as `metrics.json` has it.

    >>> channel("bm25"), channel("dense")
    ('BM25', 'dense')
    """
    return "BM25" if name == "bm25" else name


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
    value, lo, hi = (signed(x) for x in (figure["value"], *figure["ci"]))
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
    value, lo, hi = (signed(x, 1 if counts else 3) for x in (figure["value"], *figure["ci"]))
    return Cell(value, f"[{lo} {hi}]", "" if counts else clear(figure))


def signed(value: float, decimals: int = 3) -> str:
    """A difference with its sign, which tells its side of zero even where it rounds to it.

    >>> signed(0.0123), signed(-0.0001)
    ('+0.012', '−0.000')
    """
    return f"{value:+.{decimals}f}".replace("-", "−")


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


def _parts(slices: Mapping[str, Any], every: Any) -> list[str]:
    return _in_order([name for name, part in slices.items() if part != every], _SLICES)


def _in_order(names: Iterable[str], order: Iterable[str]) -> list[str]:
    """Known names in their order, then the others by name."""
    known = list(order)
    return sorted(names, key=lambda name: (known.index(name) if name in known else 99, name))
