"""What a reader should do, in one sentence, and the findings that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from genrecall.evaluate.figures import clear
from genrecall.evaluate.names import ANONYMOUS, GENERATIVE, JOIN, TWO_VIEWS, K, Metrics
from genrecall.report.phrases import Figure, change, channel, percent, signed

Tone = Literal["up", "down", ""]
"""A clear gain, a clear loss, or neither."""

_DECIDES: Final = "recall@100"
"""A ranker reads about so many candidates."""

_AT_THE_HEAD: Final = "recall@10"
"""Decides where others find nearly all that is relevant among the first 100."""

_ENOUGH: Final = 0.98  # of the relevant items: little is left to find
_LENGTHS: Final = (_AT_THE_HEAD, _DECIDES, f"recall@{K}")


class Verdict(NamedTuple):
    """The decision.

    Attributes:
        tone: of it.
        text: one sentence.
        why: what else a reader should know of it; may be empty.
    """

    tone: Tone
    text: str
    why: str


class Card(NamedTuple):
    """One finding.

    Attributes:
        number: what stands out.
        text: what it means.
        against: whom the generative channel is compared with.
        tone: of the number: a clear gain; or a loss, be it clear or not, as the text says.
    """

    number: str
    text: str
    against: str
    tone: Tone = ""


def verdict(metrics: Metrics) -> Verdict | None:
    """Whether to serve the generative channel, and how; None where nothing was fused.

    Beside the others: by the difference to the strongest fusion without it. Instead of them: only
    if it is clearly better alone than the best single one of them.
    """
    pair = metrics.get("headline")
    if pair is None:
        return None
    measure = _deciding(metrics)
    figure = metrics["paired"][f"{pair['with']} - {pair['without']}"][measure]
    rivals, tone = said(pair["without"]), clear(figure)
    told = f"{signed(figure['value'])} {measure} {_interval(figure)}"
    alone = _alone(metrics)
    if tone == "up":
        text = f"Serve it beside {rivals}: {told}; {_instead(alone)}."
    else:
        reason = f"lowers {measure} clearly" if tone == "down" else "brings no clear gain"
        text = f"It does not pay here, because adding it to {rivals} {reason}: {told}"
        beats = alone is not None and clear(alone[1]) == "up"
        text += f"; {_instead(alone)}." if beats else "."
    return Verdict(tone, text, _why(metrics, pair, tone, alone))


def _deciding(metrics: Metrics) -> str:
    """The measure that decides, where something was fused."""
    pair = metrics.get("headline")
    before = metrics["channels"][pair["without"]][_DECIDES]["value"] if pair else 0.0
    return _AT_THE_HEAD if before >= _ENOUGH else _DECIDES


def said(fusion: str) -> str:
    """The channels of a fusion in a sentence.

    >>> said("bm25+dense+popularity")
    'BM25, dense and popularity'
    """
    *others, last = (channel(name) for name in fusion.split(JOIN))
    return f"{', '.join(others)} and {last}" if others else last


def best_single(metrics: Metrics) -> str | None:
    """The single channel with the highest recall that the generative one is compared with."""
    names = [pair.split(" - ")[1] for pair in metrics.get("paired_alone", {})]
    measure = _deciding(metrics)
    return max(
        names, key=lambda name: float(metrics["channels"][name][measure]["value"]), default=None
    )


def cards(metrics: Metrics) -> list[Card]:
    """Findings, each with the rival that it is against."""
    found = [
        _added(metrics),
        _single_card(metrics),
        _only(metrics),
        _less(metrics, "paired_controls", TWO_VIEWS, "exact search with the same vectors"),
        _less(metrics, "paired_shopper", ANONYMOUS, "itself without the shopper"),
    ]
    return [card for card in found if card is not None]


def _alone(metrics: Metrics) -> tuple[str, Figure] | None:
    """The best single rival, and the difference of the generative channel to it."""
    rival = best_single(metrics)
    if rival is None:
        return None
    return rival, metrics["paired_alone"][f"{GENERATIVE} - {rival}"][_deciding(metrics)]


def _instead(alone: tuple[str, Figure] | None) -> str:
    if alone is None:
        return "whether instead of them was not measured"
    rival, figure = channel(alone[0]), alone[1]
    if clear(figure) == "up":
        return f"alone, too, it finds more than {rival}, the best single one, {change(figure)}"
    if clear(figure) == "down":
        return f"not instead: alone it finds less than {rival}, {change(figure)}"
    return f"not instead: alone it is not clearly better than {rival}, {change(figure)}"


def _why(
    metrics: Metrics, pair: Mapping[str, str], tone: Tone, alone: tuple[str, Figure] | None
) -> str:
    """What the sentence leaves out: what there was to gain, other lengths, exact search."""
    names, measure = f"{pair['with']} - {pair['without']}", _deciding(metrics)
    before = metrics["channels"][pair["without"]][_DECIDES]["value"]
    told = [f"Without it {before:.3f} of the relevant items are among the first 100."]
    if measure != _DECIDES:
        told.append("So little is left to find there that the first 10 decide.")
    others = [
        f"{length} {change(metrics['paired'][names][length])}"
        for length in _LENGTHS
        if length != measure
    ]
    told.append(f"The same at other lengths: {', '.join(others)}.")
    control = pair["without"] + JOIN + TWO_VIEWS
    figure = metrics["paired"].get(f"{pair['with']} - {control}", {}).get(measure)
    if figure is not None:
        told.append(_of_generating(figure))
    if tone != "up" and alone is not None and clear(alone[1]) != "up":
        rival = channel(alone[0])
        told.append(f"Alone it is not clearly better than {rival} either: {change(alone[1])}.")
    return " ".join(told)


def _of_generating(figure: Figure) -> str:
    """What of it comes of generating, and what of the vectors that it generates with.

    Args:
        figure: the difference to an exact search by these vectors, added in its place.
    """
    if clear(figure) == "up":
        return (
            "Generating adds to what its vectors say: an exact search by them in its place finds "
            f"less, {change(figure)}."
        )
    found = "more" if clear(figure) == "down" else "as much"
    return (
        "What it adds comes of its vectors, not of generating: an exact search by them in its "
        f"place finds {found}, {change(figure)}."
    )


def _added(metrics: Metrics) -> Card | None:
    pair = metrics.get("headline")
    if pair is None:
        return None
    measure = _deciding(metrics)
    figure = metrics["paired"][f"{pair['with']} - {pair['without']}"][measure]
    text = f"{measure} {_interval(figure)}, when it is added; {_meant(figure)}"
    return Card(signed(figure["value"]), text, said(pair["without"]), _looks(figure))


def _single_card(metrics: Metrics) -> Card | None:
    alone = _alone(metrics)
    if alone is None:
        return None
    rival, figure = alone
    text = f"{_deciding(metrics)} {_interval(figure)}, when it answers alone; {_meant(figure)}"
    return Card(
        signed(figure["value"]), text, f"{channel(rival)}, the best single one", _looks(figure)
    )


def _only(metrics: Metrics) -> Card | None:
    figure = metrics.get(f"only_{GENERATIVE}@{K}")
    if figure is None or metrics.get(GENERATIVE, {}).get("items", K + 1) <= K:
        return None  # in a small shop every channel may have all items among its first
    lo, hi = (f"{100 * end:.1f}" for end in figure["ci"])
    others = JOIN.join(pair.split(" - ")[1] for pair in metrics["paired_alone"])
    text = f"of the relevant items [{lo}–{hi}\xa0%] are among its {K:,} and among nobody else’s."
    return Card(percent(figure["value"]), text, said(others))


def _less(metrics: Metrics, key: str, control: str, against: str) -> Card | None:
    figures: Mapping[str, Any] = metrics.get(key, {}).get(f"{GENERATIVE} - {control}", {})
    measure = _deciding(metrics)
    if measure not in figures:
        return None
    figure = figures[measure]
    text = f"{measure} {_interval(figure)}, when it answers alone; {_meant(figure)}"
    return Card(signed(figure["value"]), text, against, _looks(figure))


def _looks(figure: Figure) -> Tone:
    """A negative number looks like one."""
    return clear(figure) or ("down" if figure["value"] < 0 else "")


def _meant(figure: Figure) -> str:
    return {"up": "a clear gain.", "down": "a clear loss."}.get(
        clear(figure), "no clear difference: the interval holds zero."
    )


def _interval(figure: Figure) -> str:
    lo, hi = (signed(end) for end in figure["ci"])
    return f"[{lo}, {hi}]"
