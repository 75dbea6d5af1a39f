"""Tables for `docs/`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns, but for the first, are aligned right.

    >>> markdown_table(["", "hit"], [["ours", "0.5"]])
    ['|  | hit |', '| --- | ---: |', '| ours | 0.5 |']
    """
    rule = f"| --- |{' ---: |' * (len(headings) - 1)}"
    return [_line(headings), rule, *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
