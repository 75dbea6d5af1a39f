"""The words of the house are those of the field: in code, in what is printed, in the pages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WRITTEN = {".py", ".html", ".md", ".css", ".js"}
LOG = ROOT / "docs/log.md"  # says what was done in the words of its day
PLACES = [
    ROOT / "README.md",
    *(
        path
        for folder in ("src/genrecall", "benchmarks", "docs")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in WRITTEN and path != LOG
    ),
]
REFUSED = {r"good items?": "relevant item"}
"""Words of a dialect of our own, with the term of the field."""


def joined(text):
    """One line, so that no line break hides words: without the marks that begin or part lines.

    >>> joined("# a good\\n    # item")
    'a good item'
    """
    text = re.sub(r"[\"']\s*\n\s*[rf]*[\"']", "", text)  # a string that goes on in the next line
    return re.sub(r"\s+", " ", re.sub(r"^[ \t]*(?:#+|[-*>])?", "", text, flags=re.M)).strip()


def found(text):
    """What is refused in a text, with the term to write."""
    return [
        (match[0], term)
        for words, term in REFUSED.items()
        for match in re.finditer(rf"\b{words}\b", joined(text), re.I)
    ]


@pytest.mark.parametrize("path", PLACES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_words_are_those_of_the_field(path):
    assert found(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "Good items missing above",
        "queries with their good\nitems; pseudo-queries",
        "    # how many good\n    # items there are",
        'say("no search has a good "\n    f"item")',
        "- the share of good\n  items",
    ],
)
def test_no_line_break_hides_a_word(text):
    assert [term for _, term in found(text)] == ["relevant item"]


def test_other_words_pass():
    assert found("A relevant item. Queries, good and bad: items of good quality.") == []
