"""Metrics and events of an alignment with controls, one of which collapses."""

import json

import numpy as np
from report_data import measured

from genrecall.evaluate.alignment import alignment_metrics
from genrecall.report.alignment import read_alignment

ARMS = ("eg_grpo_k2", "more_sft", "grpo_k0")
RATES = {
    "clk@1": 0.15,
    "clk@10": 0.52,
    "exp@1": 0.5,
    "exp@10": 0.87,
    "buy@1": 0.2,
    "buy@10": 0.6,
    "pvr@10": 0.44,
    "exposure_recall@10": 0.35,
    "recall@10": 0.2,
    "recall@100": 0.55,
    "recall@1000": 0.9,
}
GAINS = {"stage3": 0.0, "eg_grpo_k2": 0.02, "more_sft": 0.005, "grpo_k0": 0.01}
LOST = ("clk@1", "clk@10")
"""What the arm that collapses loses."""

POINTS = 10


def arm_metrics():
    """What `alignment_metrics` makes of 600 searches, half of them with a click."""
    random = np.random.default_rng(0)
    luck = {name: random.random(600) for name in RATES}
    chosen = np.arange(600) % 2 == 0
    arms = {}
    for arm, gain in GAINS.items():
        arms[arm] = {
            name: np.where(luck[name] < rate * _factor(arm, name, gain), 1.0, 0.0)
            for name, rate in RATES.items()
        } | {"candidates@10": random.normal(61 + 100 * gain, 9, 600)}
        for name in arms[arm]:
            if name.startswith(("clk", "buy", "recall")):
                arms[arm][name] = np.where(chosen, arms[arm][name], np.nan)
    slices = {name: np.arange(600) % 4 == at for at, name in enumerate(("tail", "head", "unseen"))}
    return alignment_metrics(arms, groups=np.arange(600) // 2, slices=slices, seed=0)


def log_lines(arms=ARMS, every=100):
    """Events of a run that trains some arms one after another."""
    random = np.random.default_rng(1)
    lines = [line("run", version="1.2.3")]
    for arm in arms:
        lines.append(validation(arm, 0, 0.0))
        for point in range(1, POINTS + 1):
            far = point / POINTS
            told = {"cross_entropy": 5 - far} if arm == "more_sft" else _told(arm, far, random)
            lines.append(line("align", arm=arm, step=every * point, **told))
            lines.append(validation(arm, every * point, far))
    return lines


def line(event, **figures):
    return json.dumps({"event": event, "time": 1.5, **figures})


def validation(arm, step, far):
    found = {
        name: rate * (1 + (_factor(arm, name, GAINS.get(arm, 0.0)) - 1) * far)
        for name, rate in RATES.items()
        if name.startswith(("clk", "exp@", "pvr"))
    }
    gain = float(np.mean([found[name] / RATES[name] - 1 for name in found]))
    return line("align_validation", arm=arm, step=step, measured=found, gain=gain)


def aligned():
    """`metrics.json` and report data of a shop with an aligned generator."""
    metrics, data = measured()
    return metrics | arm_metrics(), data | {"alignment": read_alignment(log_lines(), ARMS)}


def _factor(arm, name, gain):
    return 0.92 if arm == "grpo_k0" and name in LOST else 1 + gain * (1 + 3 * (1 - RATES[name]))


def _told(arm, far, random):
    sure = 0.5 if arm == "grpo_k0" else 0.15
    figures = {f"entropy_{level}": (3.2 - level) * (1 - sure * far) for level in (1, 2, 3)}
    return figures | {
        "reward": 0.3 + 0.08 * far + random.normal(0, 0.004),
        "kl": 0.04 * far * (3 if arm == "grpo_k0" else 1),
        "clipped_generated": 0.0,
        "clipped_experts": 0.0,
        "without_hit": 0.55 - 0.06 * far,
        "without_gradient": 0.2 + 0.05 * far,
        "distinct": 5.4 - 2 * sure * far,
        "valid": 0.5,
        "exposed": 0.3,
        "clicked": 0.15,
        "bought": 0.05,
        "experts": 0.0 if arm == "grpo_k0" else 1.4,
        "cross_entropy": 5 - 0.5 * far,
        "loss": 0.1,
        "skipped": 0.0,
    }
