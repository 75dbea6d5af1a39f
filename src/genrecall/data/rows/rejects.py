"""Rows that could not be used: named by line and cause, counted, and kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from genrecall.foundation.errors import DataError

_SHOWN: Final = 3
"""How many causes an error shows."""


class Reject(NamedTuple):
    r"""One row that could not be used.

    Attributes:
        line: where the row begins, counted from 1; in Parquet the number of the row.
        cause: why, without the value, so that equal causes can be counted.
        given: the value or the reader's complaint; "" when the cause says all.
        raw: the row as it stood in the file; bytes that are not UTF-8 are written `\xe9`.
    """

    line: int
    cause: str
    given: str
    raw: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.cause}" + (f": {self.given}" if self.given else "")


def count_causes(rejects: Sequence[Reject]) -> dict[str, int]:
    """How often each cause occurs, the most frequent first.

    >>> count_causes([Reject(2, "title is empty", "", "7,"), Reject(9, "title is empty", "", "8,")])
    {'title is empty': 2}
    """
    return dict(Counter(reject.cause for reject in rejects).most_common())


def check_share(
    rejects: Sequence[Reject],
    *,
    table: str,
    file: Path,
    rows: int,
    allowed: float,
    remedies: Sequence[str] = (),
) -> None:
    """Refuse a table of which too much is unreadable; `remedies` say what would help.

    Raises:
        DataError: more than the share `allowed` of the `rows` was rejected.
    """
    if len(rejects) <= allowed * rows:
        return
    first: dict[str, Reject] = {}
    for reject in rejects:
        first.setdefault(reject.cause, reject)
    counts = count_causes(rejects)
    causes = "".join(
        f"\n  {reject}  ({counts[cause]:,} such rows)"
        for cause, reject in list(first.items())[:_SHOWN]
    )
    helps = "".join(f"\n  {remedy}" for remedy in remedies)
    raise DataError(
        f"{file}: {len(rejects):,} of {rows:,} rows of `{table}` cannot be used; "
        f"max_rejects allows {allowed:.0%}. The first causes:{causes}\n"
        + (f"What would help:{helps}\n" if helps else "")
        + "Correct the file or its `columns`, or raise `max_rejects`."
    )


def write_rejects(rejects: Sequence[Reject], path: Path, *, file: Path) -> None:
    """Write one JSON object a line: file, line, cause, given, raw."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(reject_line(reject, file=file.name) for reject in sorted(rejects))


def reject_line(reject: Reject, *, file: str) -> str:
    """Write a reject as one JSON line; `file` is the name under which its file is known."""
    return json.dumps({"file": file, **reject._asdict()}, ensure_ascii=False) + "\n"
