"""What report.html shows of an evaluation beside the metrics: curves, examples, single queries.

What comes out is plain JSON of bounded size and is kept with the metrics, so that the page can be
made again without a model. Shapes: `N` items, `S` SIDs, `M` searches, `Q` distinct requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.bundle import OpenBundle
from genrecall.channels.base import Ranking
from genrecall.data.tables import Rows
from genrecall.decode.base import Beams
from genrecall.evaluate.inputs import EvaluationInputs
from genrecall.evaluate.measures import recall, target_ranks
from genrecall.foundation.progress import RunLog
from genrecall.foundation.sid import Sid
from genrecall.generator.prompts import Prompt
from genrecall.offline.generated import GeneratedAnswers
from genrecall.offline.queries import Asked, contest_of, described
from genrecall.offline.requests import DistinctRequests
from genrecall.report.clusters import Clusters, shorten
from genrecall.report.curves import beam_curves, budget_curves, cut_curve, overlap, steps
from genrecall.report.examples import RULE, choose
from genrecall.report.page import ReportData

SHOWN_BEAMS: Final = 8
SHOWN_ITEMS: Final = 10
SHOWN_MISSED: Final = 8
SHOWN_HISTORY: Final = 3
"""Of an example query."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What an evaluation leaves for the report.

    Attributes:
        inputs: what the metrics were computed from.
        generated: what the generative channel says of the distinct requests.
        requests: these, and which of them each search made.
        rankings: the generative channel's answer to each search.
        stages: by training stage the SIDs generated for each search, best first, int64 `[M, B]`;
            the last stage's are the widest.
    """

    inputs: EvaluationInputs
    generated: GeneratedAnswers
    requests: DistinctRequests
    rankings: Sequence[Ranking]
    stages: Mapping[str, NDArray[np.int64]]

    @cached_property
    def served(self) -> Beams:
        """The last stage's beams of each distinct request, the widest."""
        return self.generated.generate(self.requests.distinct, self.generated.widest)


def gather(evidence: Evidence, bundle: OpenBundle, *, seed: int, log: RunLog) -> ReportData:
    """What was measured beside the metrics, for the page.

    Args:
        evidence: of an evaluation.
        bundle: whose channels have answered.
        seed: of the choice of examples.
        log: where to report; each part may take a while.
    """
    items = bundle.items
    log.say("  for the page: curves of beams and items")
    data: ReportData = {
        "beams": beam_curves(evidence.inputs, evidence.stages),
        "budgets": budget_curves(evidence.inputs),
        "overlap": overlap(evidence.inputs),
    }
    if not bundle.channels.generative.fold_variants:  # which variant stays depends on the beams
        log.say("  for the page: answers of more and more beams")
        data["cut"] = _cut(evidence)
    log.say("  for the page: queries")
    clusters = Clusters(items.catalog, items.table, items.vectors, live=items.available)
    data["examples"] = _examples(clusters, evidence, seed=seed)
    codes = items.table.codes
    asked = Asked(evidence.inputs, evidence.requests, items.catalog, codes, seed)
    return data | contest_of(asked)


def _cut(evidence: Evidence) -> dict[str, Any]:
    """Answers of more and more beams, cut to as many items as every channel may give."""
    beams, channel = evidence.served, evidence.generated.channel.channels[0]
    sid_of_item = channel.items.table.sid_of_item
    place = np.empty(len(channel.items.trie), dtype=np.int64)
    answers = []
    for number, request in enumerate(evidence.requests.distinct):
        mask = channel.items.mask(request.filters)
        rows = channel.order(evidence.generated.asked(request), beams[number], mask).rows
        leaves = beams.leaves[number]
        filled = leaves[leaves >= 0]
        place[filled] = np.arange(len(filled))
        answers.append((rows, place[sid_of_item[rows]]))
    widths = steps(max(int((beams.leaves >= 0).sum(axis=1).max(initial=0)), 1))
    return cut_curve(
        evidence.inputs, [answers[i] for i in evidence.requests.place.tolist()], widths
    )


def _examples(clusters: Clusters, evidence: Evidence, *, seed: int) -> dict[str, Any]:
    asked = evidence.requests.distinct
    n = len(evidence.requests.distinct)
    searches_of = np.bincount(evidence.requests.place, minlength=n)
    rows = [ranking.rows for ranking in evidence.rankings]
    found = recall(target_ranks(rows, evidence.inputs.positives), SHOWN_ITEMS)
    mean = np.bincount(evidence.requests.place, weights=found, minlength=n) / searches_of
    chosen = choose(mean, seed=seed)
    shown = {
        name: [
            {
                "query": described(asked[query]),
                "shopper": _shopper(clusters, evidence.generated.prompt(asked[query])),
                "searches": int(searches_of[query]),
                "recall": float(mean[query]),
                **_example(clusters, evidence, query),
            }
            for query in queries.tolist()
        ]
        for name, queries in chosen._asdict().items()
    }
    return {"rule": RULE, **shown}


def _shopper(clusters: Clusters, prompt: Prompt) -> dict[str, Any] | None:
    """What the generator read of a shopper, and nothing else; the latest items first."""
    if not (prompt.profile or prompt.history):
        return None
    rows = prompt.history[: -SHOWN_HISTORY - 1 : -1]
    return {
        "profile": [list(pair) for pair in prompt.profile],
        "history": [shorten(clusters.catalog.titles[row]) for row in rows],
        "history_more": len(prompt.history) - len(rows),
    }


def _example(clusters: Clusters, evidence: Evidence, query: int) -> dict[str, Any]:
    """What one query generated, answered and missed."""
    asked = np.flatnonzero(evidence.requests.place == query).tolist()
    relevant = np.unique(np.concatenate([evidence.inputs.positives[search] for search in asked]))
    rows = evidence.rankings[asked[0]].rows
    beams = evidence.served
    leaves, logprob = beams.leaves[query], beams.logprob[query]
    missed = np.setdiff1d(relevant, rows[:SHOWN_ITEMS])
    missed = np.concatenate([rows[np.isin(rows, missed)], np.setdiff1d(missed, rows)])  # by rank
    return {
        "beams": [
            clusters.describe(leaf) | {"probability": math.exp(nats)}
            for leaf, nats in zip(leaves.tolist(), logprob.tolist(), strict=True)
            if leaf >= 0
        ][:SHOWN_BEAMS],
        "items": [
            _item(clusters, row) | {"relevant": bool(row in relevant)}
            for row in rows[:SHOWN_ITEMS].tolist()
        ],
        "relevant": len(relevant),
        "missed": [
            _item(clusters, row) | _place(clusters, row, rows=rows, leaves=leaves)
            for row in missed[:SHOWN_MISSED].tolist()
        ],
        "missed_more": max(len(missed) - SHOWN_MISSED, 0),
    }


def _item(clusters: Clusters, row: int) -> dict[str, Any]:
    return {
        "item_id": clusters.catalog.item_ids[row],
        "title": shorten(clusters.catalog.titles[row]),
        "sid": list(Sid(*clusters.table.codes[row].tolist())),
    }


def _place(
    clusters: Clusters, row: int, *, rows: Rows, leaves: NDArray[np.int64]
) -> dict[str, int | None]:
    """Where a missed item stands in the answer, and its SID among the beams, both from 1."""
    rank = np.flatnonzero(rows == row)
    beam = np.flatnonzero(leaves == clusters.table.sid_of_item[row])
    return {
        "rank": int(rank[0]) + 1 if len(rank) else None,
        "beam": int(beam[0]) + 1 if len(beam) else None,
    }
