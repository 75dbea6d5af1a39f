"""What to choose for a shop that is not in English: views of texts, on a German and a Chinese shop.

    python -m benchmarks.languages german --multilingual DIRECTORY
    python -m benchmarks.languages chinese --source FOLDER --multilingual DIRECTORY

Trains the shop with the in-domain view alone, with word vectors beside it, and, where a
sentence-transformers model is given, with that one beside it; then prints recall of each. German is
a synthetic shop (`german.py`): searches whose word for the thing nobody had used before stand
apart. Chinese is a folder with the tables of KuaiSearch (`chinese.py`), whose public sample is so
small that its figures say that all runs, and hardly more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.command import changed, channel_of, open_run, write_figures
from benchmarks.figures import say_all, say_figure
from benchmarks.languages import chinese, german
from benchmarks.markdown import markdown_table
from genrecall import __version__
from genrecall.bundle import OpenBundle
from genrecall.channels.base import Request
from genrecall.config import Config, parse_config
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Searches
from genrecall.evaluate.bootstrap import Bootstrap, numbered
from genrecall.evaluate.measures import recall_at
from genrecall.evaluate.names import GENERATIVE, K
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.text.normalize import query_keys

_AT: Final = (10, 100)
_CHANNELS: Final = ("bm25", "dense", GENERATIVE)
_HEADINGS: Final = ("views", "searches", *(f"{name} @{at}" for name in _CHANNELS for at in _AT))
_SETTINGS: Final[Mapping[str, Any]] = {
    "embed": {"subwords": {"stemmer": "none"}, "in_domain": {"steps": 1000}},
    "channels": {"lexical": {"stemmer": "none"}},
    "generator": {"query_to_sid": {"steps": 600}, "pseudo_queries": 40_000},
}
"""No English plurals, and a small shop's numbers of steps."""

_TINY: Final[Mapping[str, Any]] = {
    "embed": {"in_domain": {"steps": 200}},
    "generator": {"query_to_sid": {"steps": 150}, "pseudo_queries": 5000},
}
"""For a few hundred titles."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and measure, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.languages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("language", choices=("german", "chinese"))
    parser.add_argument("--source", type=Path, help="of KuaiSearch, for Chinese")
    parser.add_argument("--multilingual", type=Path, help="a sentence-transformers model")
    parser.add_argument("--threads", type=int, default=1, help="of training (1)")
    parser.add_argument("--out", type=Path, default=Path("runs/languages"))
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args(arguments)
    folder = given.out.resolve() / given.language
    if given.language == "german":
        german.write_shop(folder / "shop")
    elif given.source is None:
        parser.error("--source: where the tables of KuaiSearch are")
    else:
        chinese.write_shop(given.source, folder / "shop")
    config = _config(folder / "shop", given.threads)
    settings = {"version": __version__, "threads": given.threads} | {
        "embed.in_domain.steps": config.embed.in_domain.steps,
        "generator.query_to_sid.steps": config.generator.query_to_sid.steps,
    }
    print(say_all(settings))
    found = {}
    for name, views in _views(given.multilingual).items():
        outputs = Outputs(folder / name.replace(", ", "+").replace(" ", "-"))
        run(changed(config, {"embed": views}), outputs)
        found[name] = measure(*open_run(outputs.bundle))
        print(f"{name}: done", flush=True)
    print(*markdown_table(_HEADINGS, _rows(found)), sep="\n")
    write_figures(given, {"settings": settings, "views": found})


def measure(bundle: OpenBundle, shop: ShopData) -> dict[str, dict[str, Any]]:
    """Recall of each channel on validation searches, those with a new word apart.

    Returns:
        By group of searches: `searches`, and for each channel its figures.
    """
    searches, new = shop.searches.of("validation"), german.new_words()
    has_new = [bool(new.intersection(query.split())) for query in searches.queries]
    groups = {"all": searches}
    if any(has_new):
        groups = {
            "known words": Searches(searches.frame.filter([not of for of in has_new])),
            "new words": Searches(searches.frame.filter(has_new)),
        }
    return {name: _recalls(bundle, of) for name, of in groups.items() if len(of)}


def _recalls(bundle: OpenBundle, searches: Searches) -> dict[str, Any]:
    """Recall of each channel for some searches, and how many they are."""
    bootstrap = Bootstrap(len(searches), groups=numbered(query_keys(searches.queries)))
    requests = [Request(query) for query in searches.queries]
    found: dict[str, Any] = {"searches": len(searches)}
    for name in _CHANNELS:
        answered = [ranking.rows for ranking in channel_of(bundle, name).rank(requests, K)]
        recalls = recall_at(answered, searches.positives, _AT)
        found[name] = {measure: bootstrap.share(of).to_json() for measure, of in recalls.items()}
    return found


def _rows(found: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    for views, groups in found.items():
        for group, of in groups.items():
            figures = [say_figure(of[name][f"recall@{at}"]) for name in _CHANNELS for at in _AT]
            yield [views, f"{group} ({of['searches']:,})", *figures]


def _config(shop: Path, threads: int) -> Config:
    tables = {
        name: {"file": str(shop / f"{name}.parquet")}
        for name in ("items", "searches", "judgments")
        if (shop / f"{name}.parquet").is_file()
    }
    data: dict[str, Any] = dict(tables)
    judged = "judgments" in tables
    if judged:  # few: half of them measure
        data |= {"positive_from": chinese.POSITIVE_FROM, "split": {"validation": 0.5, "test": 0.0}}
    config = parse_config({"data": data}, folder=shop, name="languages")
    return changed(config, _SETTINGS, _TINY if judged else {}, {"threads": threads})


def _views(multilingual: Path | None) -> dict[str, dict[str, Any]]:
    """Settings of `embed` for each row of the table."""
    views: dict[str, dict[str, Any]] = {
        "in_domain": {"views": ["in_domain"]},
        "in_domain, static": {"views": ["in_domain", "static"]},
    }
    if multilingual is not None:
        model = {"model": str(multilingual.resolve()), "dim": 256}
        views["in_domain, multilingual"] = {
            "views": ["in_domain", "pretrained"],
            "pretrained": model,
        }
    return views


if __name__ == "__main__":
    main()
