"""What each part of CQ-SID is worth, at equal candidates: `python -m benchmarks.ablation -h`."""
