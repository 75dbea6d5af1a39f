"""Tune how a bundle searches, on the validation searches of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from genrecall.decode.base import BeamRule
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import TerminalLog
from genrecall.offline.beam_rule import judge_widths, tune_beams
from genrecall.pipeline.evaluate import open_measured

_MOST_WIDTHS: Final = 4  # of five there would be ten thousand rules


def tune_beams_of(
    bundle: Path, *, data: Path | None, k: int, widths: tuple[int, ...], loss: float
) -> dict[str, Any]:
    """The rule with the fewest beams; see `offline/beam_rule.py`.

    Args:
        bundle: the bundle's folder.
        data: the run's data stage; None for the one beside the bundle.
        k: items of an answer.
        widths: of beams.
        loss: of recall that is allowed, relative.

    Raises:
        ArtifactError: as of `evaluate_bundle`.
        ConfigError: a number out of range, or no search to tune on.
        RequestError: widths that are not in ascending order.
    """
    if min(k, *widths) < 1 or not 0 <= loss < 1:
        raise ConfigError(
            f"k={k}, widths={list(widths)}, loss={loss}; needed are numbers of at least 1, and a "
            "loss from 0 to below 1."
        )
    if len(widths) > _MOST_WIDTHS:
        raise ConfigError(
            f"{len(widths)} widths; rules of at most {_MOST_WIDTHS} are tried. Give fewer."
        )
    BeamRule(widths, (0.0,) * (len(widths) - 1))
    measured = open_measured(bundle, data)
    searches = measured.shop.searches.of("validation")
    rows = np.flatnonzero([len(of) > 0 for of in searches.positives])
    if not len(rows):
        raise ConfigError(f"{bundle}: no validation search of its run has a relevant item.")
    questions = measured.asked(rows)
    requests = questions.spread(questions.distinct)
    positives = [searches.positives[row] for row in rows.tolist()]
    channel = measured.bundle.generative()
    judged = judge_widths(channel, requests, positives, widths, k=k, log=TerminalLog())
    tuned = tune_beams(judged, widths, loss=loss)
    told = {"searches": len(rows), "k": k, "loss": loss, "widths": list(widths)}
    rule = {"widths": list(tuned.rule.widths), "entropies": list(tuned.rule.entropies)}
    return {"settings": told} | tuned._asdict() | {"rule": rule}
