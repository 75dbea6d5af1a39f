"""Rankings of an evaluation as TREC files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from genrecall.data.tables import Catalog
from genrecall.evaluate.trec import write_qrels, write_run
from genrecall.offline.measure import Offline

TREC_DEPTH: Final = 100
"""Items of a search in the TREC runs; all 1,000 of them would be hundreds of megabytes."""


def write_trec(offline: Offline, catalog: Catalog, folder: Path) -> None:
    """Write the head of the rankings, and the relevant items: `<channel>.run` and `qrels.txt`.

    Args:
        offline: rankings and searches.
        catalog: names the items.
        folder: that does not exist yet, or is empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    search_ids = offline.searches.frame["search_id"].to_list()
    for name, rankings in offline.rankings.items():
        with (folder / f"{name}.run").open("w", encoding="utf-8") as stream:
            write_run(
                stream,
                search_ids=search_ids,
                item_ids=catalog.item_ids,
                rows=[ranking.rows[:TREC_DEPTH] for ranking in rankings],
                scores=[ranking.scores[:TREC_DEPTH] for ranking in rankings],
                tag=name,
            )
    with (folder / "qrels.txt").open("w", encoding="utf-8") as stream:
        write_qrels(
            stream,
            search_ids=search_ids,
            item_ids=catalog.item_ids,
            positives=offline.searches.positives,
            gains=offline.searches.gains,
        )
