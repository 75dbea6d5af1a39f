"""Every block of figures in README and docs, by the name that stands there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from figures import SKIPPED, Chosen, Figure, Printed, Told

_RECALL: Final = ("recall@10", "recall@100", "recall@1000")
_BESIDE: Final = "bm25+dense+generative - bm25+dense"
_ALIGNED: Final = r"pvr@10 \| recall@100"
"""The first line of the benchmark's table of differences in all worlds."""

_TABLES: Final = ("Relevant items whose", "Channels and their", "What generative adds")
_SHOPPER: Final = ("hit@beam 1", "hit@beam 10", "recall@10", "recall@100")


def _channel(label: str, name: str) -> tuple[str, ...]:
    return (label, *(f"channels/{name}/{measure}" for measure in _RECALL))


def _beams(name: str) -> tuple[str, str]:
    return f"hit@beam/{name}/1", f"hit@beam/{name}/10"


def _items(name: str) -> tuple[str, str]:
    return f"channels/{name}/recall@10", f"channels/{name}/recall@100"


def _less(other: str) -> tuple[str, ...]:
    beams, items = f"user_query_to_sid - {other}", f"generative - {other}"
    return (
        f"{SKIPPED} less {other}",
        *(f"paired_hit@beam/{beams}/{width}" for width in (1, 10)),
        *(f"paired_shopper/{items}/recall@{k}" for k in (10, 100)),
    )


_OF_SHOPPERS: Final = (
    ("popularity within the category", *_beams("popularity"), *_items("popularity")),
    ("stage 2, query→SID", *_beams("query_to_sid"), "", ""),
    ("stage 3, anonymous", *_beams("anonymous"), *_items("anonymous")),
    ("stage 3, personalised", *_beams("user_query_to_sid"), *_items("generative")),
)

FIGURES: Final[Mapping[str, Figure]] = {
    "readme-demo": Told(
        "demo",
        lines=(
            "^data:$",
            "^  searches: .* train, ",
            "^quantize:$",
            " SIDs in ",
            "^generator:$",
            " searches with a shopper",
            f"  {SKIPPED}",
            "^evaluate:$",
            f"  {SKIPPED}",
            "^One thread",
        ),
    ),
    "readme-homedepot": Chosen(
        "homedepot",
        _RECALL,
        (
            _channel("BM25", "bm25"),
            _channel("dense", "dense"),
            _channel("generative", "generative"),
            _channel("BM25 + dense", "bm25+dense"),
            _channel("BM25 + dense + generative", "bm25+dense+generative"),
            (
                f"{SKIPPED} what generative adds",
                *(f"paired/{_BESIDE}/{measure}" for measure in _RECALL),
            ),
        ),
        split="test",
    ),
    "demo": Told(
        "demo",
        lines=(
            "^data:$",
            "^  items: ",
            "^  searches: .* rows",
            "^  users: ",
            "^  searches: .* train, ",
            "^embed:$",
            " titles, .* pairs",
            "two-tower encoder: 100%",
            "^quantize:$",
            "^  categories: ",
            "^  clusters: ",
            " SIDs in ",
            "^generator:$",
            " logged queries, ",
            " searches with a shopper",
            "^  query_to_sid: 100%",
            "^  user_query_to_sid: 100%",
            "^align:$",
            " searches to learn from",
            "^  eg_grpo_k2: 100%",
            "^evaluate:$",
            f"  {SKIPPED}",
        ),
        headings=None,
    ),
    "recall": Printed("recall"),
    "homedepot-test": Told("homedepot", headings=_TABLES, split="test"),
    "homedepot-validation": Told("homedepot", headings=_TABLES),
    "beauty-validation": Chosen("beauty", _SHOPPER, _OF_SHOPPERS),
    "beauty-test": Chosen(
        "beauty", _SHOPPER, (*_OF_SHOPPERS, _less("popularity"), _less("anonymous")), split="test"
    ),
    "games-validation": Chosen("games", _SHOPPER, _OF_SHOPPERS),
    "personalisation": Printed("personalisation", start="^settings: "),
    "alignment": Printed("alignment", start=_ALIGNED, markdown=True),
    "alignment-clicks": Printed("alignment_clicks", start=_ALIGNED, markdown=True),
    "ablation": Printed("ablation"),
    "ablation-generic": Printed("ablation_generic"),
    "stability": Printed("stability", start="^settings: "),
    "new-items": Printed("new_items", start="^settings: "),
    "million": Printed("million", start="^settings: "),
}
