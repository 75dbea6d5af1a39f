"""What a run has cost is read from its log."""

import json

from genrecall.report.costs import Made, Training, read_costs


def progress(stage, done, per_second):
    return {"event": "progress", "stage": stage, "done": done, "total": 9, "per_second": per_second}


def made(stage, seconds, peak=100):
    return {"event": "made", "stage": stage, "seconds": seconds, "peak_mib": peak}


def test_a_stage_has_its_last_time_and_the_last_throughput_of_its_trainings(tmp_path):
    events = [
        {"event": "run"},
        progress("two-tower encoder", 3, 10.0),  # and then it was killed
        {"event": "run"},
        progress("query_to_sid", 4, 90.0),
        progress("query_to_sid", 9, 80.0),
        made("generator", 5.0),
        made("evaluate", 7.0, 300),
        {"event": "run"},
        progress("query_to_sid", 9, 70.0),
        made("generator", 6.0, 200),
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, events)) + '\n{"event": "ma', "utf-8")
    bundle = tmp_path / "bundle/data"
    bundle.mkdir(parents=True)
    (bundle / "items").write_bytes(bytes(3 * 2**19))
    costs = read_costs(log, tmp_path / "bundle")
    assert costs.bundle_mib == 1.5
    assert costs.stages == (
        Made("evaluate", 7.0, 300, ()),
        Made("generator", 6.0, 200, (Training("query_to_sid", 9, 70.0),)),
    )


def test_without_a_log_there_is_the_size(tmp_path):
    assert read_costs(tmp_path / "log.jsonl", tmp_path) == (0.0, ())
