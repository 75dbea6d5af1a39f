"""`hit@beam` and its companions: which SIDs were generated, by training stage and control."""

from __future__ import annotations

import numpy as np

from genrecall.evaluate.bootstrap import SHARE, Bootstrap, Estimate
from genrecall.evaluate.inputs import EvaluationInputs
from genrecall.evaluate.measures import Floats, candidates, recall, target_ranks
from genrecall.evaluate.names import BEAM_WIDTHS, CONTROLS, Metrics


def beam_figures(inputs: EvaluationInputs, bootstrap: Bootstrap) -> Metrics:
    """`hit@beam` and its companions of every stage, and the differences to the last one."""
    assert inputs.sid_of_item is not None  # `_check` saw to it
    sid_of_item = inputs.sid_of_item
    per_sid = inputs.items_per_sid
    if per_sid is None:
        per_sid = np.bincount(sid_of_item)
    targets = [sid_of_item[rows] for rows in inputs.positives]
    tables: Metrics = {"hit@beam": {}, "hit_micro@beam": {}, "candidates@beam": {}}
    hits: dict[str, dict[int, Floats]] = {}
    for stage, beams in inputs.beams.items():
        ranks = target_ranks(list(beams), targets)
        widths = [width for width in BEAM_WIDTHS if width <= beams.shape[1]]
        hits[stage] = {b: recall(ranks, b) for b in widths}
        figures: dict[str, dict[int, Estimate]] = {
            "hit@beam": {b: bootstrap.share(hits[stage][b]) for b in widths},
            "hit_micro@beam": {
                b: bootstrap.ratio(ranks.found(b), ranks.n_targets, bounds=SHARE) for b in widths
            },
            "candidates@beam": {b: bootstrap.mean(candidates(beams, per_sid, b)) for b in widths},
        }
        for key, by_width in figures.items():
            tables[key][stage] = {str(b): figure.to_json() for b, figure in by_width.items()}
    served = [stage for stage in hits if stage not in CONTROLS][-1]
    tables["paired_hit@beam"] = {
        f"{served} - {other}": {
            str(b): bootstrap.difference(hits[served][b], hits[other][b]).to_json()
            for b in hits[served]
            if b in hits[other]
        }
        for other in hits
        if other != served
    }
    return tables
