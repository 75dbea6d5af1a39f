"""What it is worth that queries are read as they were meant: every channel, as typed and as read.

    python -m benchmarks.spelling runs/demo/bundle [--json FILE]

Answers the validation searches of the bundle's shop twice, once with `queries` in front of all
channels and once without, and compares the searches whose query is read otherwise. Beside that it
says how many queries hold a word that the shop does not know, how many of these are read otherwise,
and that all others are read as they were typed, to the byte. Synonyms count as what they are: part
of how queries are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from benchmarks.command import bundle_parser, channel_of, open_run, write_figures
from benchmarks.figures import say_all, say_figure
from benchmarks.markdown import markdown_table
from genrecall.bundle import OpenBundle
from genrecall.channels.base import Request
from genrecall.data.tables import Rows
from genrecall.evaluate.bootstrap import Bootstrap, numbered
from genrecall.evaluate.measures import recall_at
from genrecall.evaluate.names import GENERATIVE, RECALL_AT, K
from genrecall.queries.reader import AS_TYPED
from genrecall.queries.spelling import Speller
from genrecall.text.normalize import query_keys, read_words

_HEADINGS: Final = ("channel", "recall", "as typed", "as read", "difference")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print what was read and a table."""
    parser = bundle_parser("spelling", __doc__)
    given = parser.parse_args(arguments)
    bundle, shop = open_run(given.bundle)
    searches = shop.searches.of("validation")
    read = counted(bundle, searches.queries)
    print(say_all(read))
    changed = [n for n, query in enumerate(searches.queries) if bundle.reader.read(query).changes]
    if not changed:
        print("no validation query is read otherwise")
        write_figures(given, {"read": read, "channels": {}})
        return
    queries = [searches.queries[n] for n in changed]
    found = compared(bundle, queries, [searches.positives[n] for n in changed])
    print(*markdown_table(_HEADINGS, _rows(found)), sep="\n")
    write_figures(given, {"read": read, "channels": found})


def counted(bundle: OpenBundle, queries: Sequence[str]) -> dict[str, int]:
    """How many searches there are, and what is read of them."""
    assert bundle.words is not None
    vocabulary = bundle.words.vocabulary
    speller = Speller(vocabulary)
    read = [bundle.reader.read(query) for query in queries]
    unknown = [
        not all(map(speller.knows, read_words(query, vocabulary.stemmer))) for query in queries
    ]
    return {
        "searches": len(queries),
        "with an unknown word": sum(unknown),
        "read otherwise": sum(bool(of.changes) for of in read),
        "read as typed, to the byte": sum(
            of.text == query for of, query in zip(read, queries, strict=True)
        ),
    }


def compared(
    bundle: OpenBundle, queries: Sequence[str], positives: Sequence[Rows]
) -> dict[str, dict[str, Any]]:
    """Recall of each channel for some queries, as they were typed and as they are read.

    Args:
        bundle: the channels.
        queries: of `M` searches.
        positives: relevant items of each.
    """
    assert bundle.words is not None
    typed = replace(bundle)
    typed.__dict__["words"] = bundle.words._replace(reader=AS_TYPED)
    bootstrap = Bootstrap(len(queries), groups=numbered(query_keys(queries)))
    requests, found = [Request(query) for query in queries], {}
    for name in (GENERATIVE, "dense", "bm25"):
        one, other = (
            recall_at(
                [r.rows for r in channel_of(of, name).rank(requests, K)], positives, RECALL_AT
            )
            for of in (typed, bundle)
        )
        found[name] = {
            measure: {
                "typed": bootstrap.share(one[measure]).to_json(),
                "read": bootstrap.share(other[measure]).to_json(),
                "difference": bootstrap.difference(other[measure], one[measure]).to_json(),
            }
            for measure in one
        }
    return found


def _rows(found: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    for name, measures in found.items():
        for measure, of in measures.items():
            said = [say_figure(of["typed"]), say_figure(of["read"])]
            yield [name, measure, *said, say_figure(of["difference"], "+")]


if __name__ == "__main__":
    main()
