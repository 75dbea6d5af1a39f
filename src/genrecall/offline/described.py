"""What report.html shows of a bundle, whatever was measured: the shop, its clusters, its training.

This only draws, so a run does it when its bundle stands. Shapes: `N` items, `S` SIDs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrecall import __version__
from genrecall.bundle import OpenBundle
from genrecall.data.tables import Searches
from genrecall.foundation.progress import RunLog
from genrecall.foundation.sid import Sid
from genrecall.quantize.health.examples import EXAMPLES, with_titles
from genrecall.quantize.load import HEALTH
from genrecall.report.alignment import read_alignment
from genrecall.report.clusters import Clusters, shorten
from genrecall.report.codebook import describe_codebook
from genrecall.report.page import ReportData
from genrecall.report.projection import draw_sample, project
from genrecall.report.training import read_curves


def describe(
    bundle: OpenBundle,
    searches: Searches,
    *,
    inputs: str,
    log_file: Path,
    seed: int,
    log: RunLog,
) -> ReportData:
    """Gather what the page shows of a bundle.

    Args:
        bundle: the channels.
        searches: of all splits, to be counted.
        inputs: hash of all that the figures were made from.
        log_file: `log.jsonl` of the run; may be missing.
        seed: of the map.
        log: where to report.
    """
    items = bundle.items
    clusters = Clusters(items.catalog, items.table, items.vectors, live=items.available)
    log.say(f"  for the page: a map of {len(clusters):,} clusters")
    data: ReportData = {
        "version": __version__,
        "inputs": inputs,
        "seed": seed,
        "shop": _shop(bundle, searches),
        "health": bundle.stages["quantize"].read_json(HEALTH),
        "health_examples": _health_examples(bundle),
        "codebook": describe_codebook(items.table),
        "map": _map(clusters, seed=seed),
        "training": _training(log_file),
    }
    if aligned := _alignment(log_file, bundle):
        data["alignment"] = aligned
    return data


def _shop(bundle: OpenBundle, searches: Searches) -> dict[str, Any]:
    catalog, live = bundle.items.catalog, bundle.items.available
    usable = searches.frame["positives"].list.len() > 0
    counts = {}
    for split in ("train", "validation", "test"):
        of_split = searches.frame["split"] == split
        counts[split] = {"all": int(of_split.sum()), "usable": int((of_split & usable).sum())}
    return {
        "items": len(catalog),
        "available": len(catalog) if live is None else int(live.sum()),
        "categories": len({path for path in catalog.categories if path}),
        "searches": counts,
    }


def _health_examples(bundle: OpenBundle) -> dict[str, Any]:
    titles = [shorten(title) for title in bundle.items.catalog.titles]
    examples = with_titles(bundle.stages["quantize"].read_json(EXAMPLES), titles)
    return {
        name: [one | {"sid": list(Sid.parse(one["sid"]))} for one in found]
        for name, found in examples.items()
    }


def _training(log_file: Path) -> list[dict[str, Any]]:
    if not log_file.is_file():
        return []
    with log_file.open(encoding="utf-8", newline="\n") as lines:
        return read_curves(lines)


def _alignment(log_file: Path, bundle: OpenBundle) -> list[dict[str, Any]]:
    if not log_file.is_file():
        return []
    with log_file.open(encoding="utf-8", newline="\n") as lines:
        return read_alignment(lines, list(bundle.arms))


def _map(clusters: Clusters, *, seed: int) -> dict[str, Any]:
    sids = draw_sample(len(clusters), seed=seed)
    places = project(clusters.means[sids], seed=seed)
    return {
        "x": [round(x, 2) for x in places[:, 0].tolist()],
        "y": [round(y, 2) for y in places[:, 1].tolist()],
        "clusters": [clusters.describe(sid) for sid in sids.tolist()],
        "of": len(clusters),
    }
