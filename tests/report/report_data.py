"""Metrics and report data of a shop of ten items, with foreign text that must not become markup."""

import numpy as np

from genrecall.evaluate.inputs import EvaluationInputs
from genrecall.evaluate.metrics import build_metrics
from genrecall.report.costs import Costs, Made, Training
from genrecall.report.curves import beam_curves, budget_curves, cut_curve, overlap

EVIL = "<script>alert('evil')</script><img src=x onerror=alert(1)> & \"quoted\""
HEALTH = {
    "codes_used": [2, 3, 2],
    "codes": [2, 4, 4],
    "wanted": {"sizes": [4, 4, 4], "reserve": 1, "items_per_sid": 2, "t_max": 4},
    "sids": 5,
    "items_per_sid": {"mean": 2.0, "weighted": 2.0, "p50": 2.0, "p99": 2.0, "max": 2},
    "levels": [
        {"codes": 4, "used": 2, "waiting": 0, "dead": 2, "perplexity": 2.0, "unexplained": 0.25}
        for _ in range(3)
    ],
    "singletons": 0.0,
    "mixed": 1,
    "distance": {"p50": 0.1, "p95": 0.2, "p99": 0.3, "far": 0.0},
    "warnings": [],
    "category_purity": 0.9,
    "entropy": 2.3,
    "perplexity": 5.0,
}


def rows(*values):
    return np.array(values, dtype=np.int32)


def inputs():
    """Four searches over ten items; item `i` has SID `i // 2`."""
    single = {
        "generative": [rows(1, 0), rows(4, 5), rows(), rows(8)],
        "bm25": [rows(3, 1), rows(), rows(9), rows()],
        "dense": [rows(0), rows(4), rows(), rows()],
        "two_views": [rows(0), rows(4), rows(7), rows(8)],
    }
    fused = {
        "bm25+dense": [rows(0, 1), rows(4), rows(9), rows(8)],
        "bm25+dense+generative": [rows(0, 1), rows(4, 5), rows(9), rows(8)],
    }
    return EvaluationInputs(
        split="validation",
        positives=[rows(0, 1), rows(4), rows(9, 7), rows(8)],
        channels=single | fused,
        beams={"item_to_sid": beams()[:, :1], "query_to_sid": beams()},
        sid_of_item=np.arange(10) // 2,
        slices={"tail": np.array([1, 1, 0, 0], bool), "head": np.array([0, 0, 1, 1], bool)},
        item_slices={"new_items": rows(7, 8)},
        beams_found=np.full(4, 12),
        latencies_ms={"generative": np.array([5.0, 7.0]), "bm25": np.array([3.0])},
        latency_k=100,
        quantize=HEALTH,
        excluded={"without a relevant item": 3},
    )


def beams():
    """Ten beams of each search; the third search has none."""
    found = np.full((4, 10), -1)
    found[0, :3], found[1, :3], found[3, :2] = [0, 1, 2], [1, 2, 4], [3, 4]
    return found


def cluster(number, items=2):
    return {
        "sid": [number, 0, 1],
        "items": items,
        "category": [EVIL, f"kind {number}"] if number else None,
        "titles": [f"Lamp {number}", EVIL],
    }


def answered_item(title, *, relevant, shared):
    return {"title": title, "sid": [0, 0, 1], "relevant": relevant, "shared": shared}


def contested(query, before, after, *, shopper=False):
    return {
        "query": query,
        "shopper": shopper,
        "searches": 2,
        "relevant": 1,
        "recall": {"with": after, "without": before},
        "answers": {
            "without": [answered_item("Both", relevant=False, shared=True)],
            "with": [
                answered_item("Both", relevant=False, shared=True),
                answered_item(EVIL, relevant=True, shared=False),
            ],
        },
    }


CONTEST = {
    "with": "bm25+dense+generative",
    "without": "bm25+dense",
    "at": 10,
    "won": 1,
    "lost": 1,
    "equal": 7,
    "queries": {
        "won": [contested(f"won {EVIL}", 0.0, 1.0)],
        "lost": [contested("lost", 1.0, 0.5, shopper=True)],
    },
}
QUERIES = {
    "channels": ["generative", "bm25+dense", "bm25+dense+generative"],
    "of": 3,
    "rows": [
        [f"lamp {EVIL}", "Light > Lamps", 4, 0.5, 0.25, 0.75],
        ["drill", "Tools", 2, 1.0, 0.5, 1.0],
        ["saw", "=1+1 Tools", 1, 0.0, 0.125, 0.25],
    ],
}
PARTS = [
    {
        "kind": "category",
        "channels": ["generative"],
        "parts": [
            {
                "name": EVIL,
                "searches": 3,
                "figures": {"generative": {"value": 0.5, "ci": [0.25, 0.75], "n": 3}},
                "paired": {"value": -0.25, "ci": [-0.5, -0.125], "n": 3},
            }
        ],
    }
]
COSTS = Costs(
    12.34,
    (Made("generator", 61.5, 812, (Training("query_to_sid", 4096, 5123.4),)),),
)


def example(query, *, good):
    item = {"item_id": "item-1", "title": EVIL, "sid": [0, 0, 1]}
    other = item | {"title": "Lamp", "relevant": False}
    return {
        "query": query,
        "shopper": None,
        "searches": 2,
        "recall": 1.0 if good else 0.0,
        "beams": [cluster(1) | {"probability": 0.75}] if good else [],
        "items": [item | {"relevant": True}, other] if good else [],
        "relevant": 3,
        "missed": [item | {"rank": 17, "beam": 2}, item | {"rank": None, "beam": None}],
        "missed_more": 4,
    }


def unmeasured_data():
    """What is there without a search."""
    none = {"all": 0, "usable": 0}
    return {
        "version": "1.2.3",
        "inputs": "0123456789abcdef",
        "seed": 0,
        "shop": {
            "items": 10,
            "available": 9,
            "categories": 2,
            "searches": {"train": none, "validation": none, "test": none},
        },
        "health": HEALTH,
        "health_examples": {},
        "codebook": {
            "levels": [{"codes": 4, "used": 2, "rank": [1, 2], "items": [7, 3]} for _ in range(3)],
            "items_per_sid": {"items": [1, 2], "sids": [0, 5]},
        },
        "map": {
            "x": [0.0, 1.0, 2.0],
            "y": [0.0, 1.0, 0.5],
            "clusters": [cluster(0), cluster(1, items=0), cluster(2)],
            "of": 5,
        },
        "training": [
            {
                "stage": "rq-vae",
                "done": [10, 20],
                "losses": [{"name": "loss", "values": [2.0, 1.0]}],
            },
            {"stage": "query_to_sid", "done": [5], "losses": [{"name": "loss", "values": [3.0]}]},
        ],
    }


def measured():
    """`metrics.json` and report data of the four searches."""
    given = inputs()
    behind = [(rows(0, 1, 2), np.array([0, 0, 1])), *[(rows(4, 9), np.array([1, 0]))] * 3]
    data = unmeasured_data() | {
        "beams": beam_curves(given, given.beams),
        "cut": cut_curve(given, behind, [1, 3]),
        "budgets": budget_curves(given),
        "overlap": overlap(given),
        "contest": CONTEST,
        "queries": QUERIES,
        "parts": PARTS,
        "examples": {
            "rule": "Drawn by lot.",
            "good": [example(f"lamp {EVIL}", good=True)],
            "bad": [example("gibberish", good=False)],
        },
    }
    data["shop"]["searches"]["validation"] = {"all": 7, "usable": 4}
    return build_metrics(given), data
