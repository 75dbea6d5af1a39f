import io
import json

import numpy as np
from rich.console import Console

from genrecall.evaluate.alignment import COMPARED, STAGE_3, alignment_metrics, served_against
from genrecall.evaluate.table import WIDTH, print_metrics
from genrecall.generator.align_config import ARMS

MEASURES = (*COMPARED, "recall@100")
LONGEST = ("eg_grpo_k2", *sorted(set(ARMS) - {"eg_grpo_k2"}))


def metrics_of(arms=LONGEST, *, clicked=True):
    random = np.random.default_rng(0)
    found = {}
    for arm in (STAGE_3, *arms):
        found[arm] = {name: (random.random(40) < 0.5).astype(float) for name in MEASURES}
        if not clicked:
            found[arm] |= {name: np.full(40, np.nan) for name in ("clk@1", "clk@10")}
    metrics = alignment_metrics(found, groups=np.arange(40), slices={}, seed=0)
    plain = {"split": "validation", "searches": 40, "excluded": {}}
    plain |= {"channels": {}, "slices": {}, "paired": {}}
    return json.loads(json.dumps(plain | metrics, sort_keys=True))  # as from metrics.json


def printed(metrics):
    out = io.StringIO()
    print_metrics(metrics, console=Console(file=out, width=WIDTH, color_system=None))
    return out.getvalue()


def table(text, title):
    return text[text.index(title) :].split("\n\n")[0].splitlines()


def short(value, sign=""):
    return f"{value:{sign}.3f}".replace("0.", ".", 1)


def test_every_line_fits_and_nothing_is_cut_or_folded():
    text = printed(metrics_of())
    assert max(len(line.rstrip()) for line in text.splitlines()) <= WIDTH
    assert "…" not in text
    assert text.count("experts_only") >= 2


def test_arms_stand_in_their_order_with_intervals():
    metrics = metrics_of()
    lines = table(printed(metrics), "Alignment:")
    assert lines[1].split() == list(COMPARED)
    assert [line.split()[0] for line in lines[3 : 4 + len(LONGEST)]] == [STAGE_3, *LONGEST]
    for measure in COMPARED:
        figure = metrics["align"]["eg_grpo_k2"][measure]
        lo, hi = map(short, figure["ci"])
        assert f"{short(figure['value'])} [{lo}–{hi}]" in lines[4]
    assert "eg_grpo_k2 serves; stage3 is the generator before alignment." in "\n".join(lines)


def test_what_serves_is_told_against_every_other_arm():
    metrics = metrics_of(("eg_grpo_k2", "grpo_k0", "more_sft"))
    for other, ends in (("stage3", {"exp@1": (0.1, 0.3), "clk@1": (-0.3, -0.1)}), ("grpo_k0", {})):
        for measure in COMPARED:
            figure = metrics["paired_align"][f"eg_grpo_k2 - {other}"][measure]
            figure["ci"] = ends.get(measure, (-0.1, 0.1))
    metrics["align"]["more_sft"] = metrics["align"]["eg_grpo_k2"]
    assert served_against(metrics) == [
        ("stage3", "more exp@1; less clk@1"),
        ("grpo_k0", "no difference that is clear of chance"),
        ("more_sft", "the very same figures"),
    ]
    text = printed(metrics)
    assert "40 searches that tell what was shown, 40 of them with a click." in text
    assert "eg_grpo_k2 to stage3: more exp@1; less clk@1." in text


def test_differences_to_stage_3_stand_above_their_intervals():
    metrics = metrics_of(("eg_grpo_k2", "grpo_k0"))
    lines = table(printed(metrics), "What alignment changes")
    assert lines[1].split() == list(MEASURES)
    assert [line.split()[0] for line in lines[3::2]] == ["eg_grpo_k2", "grpo_k0", "eg_grpo_k2"]
    others = [" ".join(line.split()[:2]) for line in lines[4::2]]
    assert others == ["to stage3", "to stage3", "to grpo_k0"]
    for measure in MEASURES:
        figure = metrics["paired_align"]["grpo_k0 - stage3"][measure]
        lo, hi = (short(end, "+") for end in figure["ci"])
        assert short(figure["value"], "+") in lines[5]
        assert f"[{lo} {hi}]" in lines[6]


def test_a_collapse_is_told():
    metrics = metrics_of(("eg_grpo_k2", "grpo_k0"))
    for arm, clicks, exposure in (
        (STAGE_3, 0.5, 0.5),
        ("eg_grpo_k2", 0.5, 0.6),
        ("grpo_k0", 0.4, 0.6),
    ):
        metrics["align"][arm]["clk@10"]["value"] = clicks
        metrics["align"][arm]["exp@1"]["value"] = exposure
    text = printed(metrics)
    assert "Collapse: grpo_k0 shows more and is clicked less." in text
    assert "Collapse: eg_grpo_k2" not in text


def test_what_no_search_has_stays_empty():
    metrics = metrics_of(("eg_grpo_k2",), clicked=False)
    lines = table(printed(metrics), "Alignment:")
    assert lines[4].count("[") == len(COMPARED) - 2
    changes = table(printed(metrics), "What alignment changes")
    assert changes[4].count("[") == len(MEASURES) - 2


def test_without_alignment_there_is_no_table():
    plain = metrics_of()
    for key in ("align", "paired_align", "slices_align"):
        del plain[key]
    assert "lignment" not in printed(plain)
