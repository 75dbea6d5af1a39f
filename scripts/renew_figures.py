#!/usr/bin/env python
"""Renew the figures in README and docs from runs.

    python scripts/renew_figures.py --list              # which figures there are, and of what
    python scripts/renew_figures.py --make demo recall  # run their commands, then renew
    python scripts/renew_figures.py                     # renew from what was run before

A block of figures stands between two comments, of which the first names it and the command of its
run. What is between them is replaced; where that changes, the figures in the prose of the same
document are told, since only a reader knows whether they still hold. Runs take from minutes to
hours and lie in `runs/`.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from figures import OUTPUTS, ROOT, RUNS, Figure, MissingError, output_of
from shown import FIGURES

DOCUMENTS: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK: Final = re.compile(
    r"^<!-- figures (?P<name>\S+): (?P<command>[^\n]+) -->\n(?P<text>.*?)^<!-- end of figures -->$",
    re.M | re.S,
)
FIGURE: Final = re.compile(r"(?<![\w.])[+−-]?0?\.\d{2,}\b")
"""What a figure in prose looks like."""


class Place(NamedTuple):
    """Where a block stands.

    Attributes:
        document: in which.
        command: that it names.
        text: what it shows.
    """

    document: Path
    command: str
    text: str


def places(documents: Sequence[Path] = DOCUMENTS) -> dict[str, Place]:
    """All blocks of figures, by name.

    Raises:
        ValueError: a name stands twice.
    """
    found: dict[str, Place] = {}
    for document in documents:
        for block in BLOCK.finditer(document.read_text("utf-8")):
            name = block["name"]
            if name in found:
                raise ValueError(f"two blocks of figures are called {name!r}")
            found[name] = Place(document, block["command"], block["text"])
    return found


def renew(name: str, text: str, place: Place) -> bool:
    """Write a block anew; says whether anything changed."""
    if text == place.text:
        return False

    def replaced(block: re.Match[str]) -> str:
        if block["name"] != name:
            return block[0]
        return block[0].replace(f"-->\n{block['text']}<!--", f"-->\n{text}<!--")

    old = place.document.read_text("utf-8")
    place.document.write_text(BLOCK.sub(replaced, old), "utf-8")
    return True


def prose(document: Path) -> Iterator[tuple[int, str]]:
    """Lines with figures that stand in no block, with their numbers."""
    text = BLOCK.sub(lambda block: "\n" * block[0].count("\n"), document.read_text("utf-8"))
    for number, line in enumerate(text.splitlines(), start=1):
        if FIGURE.search(line):
            yield number, line.strip()


def make(runs: Sequence[str]) -> None:
    """Run the commands of some runs; what the first of each prints is kept."""
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    for run in runs:
        for number, command in enumerate(RUNS[run].commands):
            print(f"$ {command}", flush=True)
            program, *words = shlex.split(command)
            program = str(Path(sys.executable).with_name(program))
            done = subprocess.run([program, *words], cwd=ROOT, stdout=subprocess.PIPE, check=True)
            if number == 0:
                output_of(run).write_bytes(done.stdout)


def main(figures: Mapping[str, Figure] = FIGURES) -> None:
    """Make runs if asked to, then renew all that their figures are there for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--make", nargs="+", choices=RUNS, metavar="RUN", default=[])
    parser.add_argument("--list", action="store_true", help="say what there is, and renew nothing")
    given = parser.parse_args()
    found = places()
    if given.list:
        for name, figure in figures.items():
            print(f"{found[name].document.relative_to(ROOT)}: {name}, of run {figure.run}")
        return
    make(given.make)
    changed = set()
    for name, figure in figures.items():
        try:
            new = renew(name, figure.write(), found[name])
        except MissingError as error:
            print(f"{name}: not renewed; {error}")
            continue
        print(f"{name}: {'renewed' if new else 'as it was'}")
        changed |= {found[name].document} if new else set()
        found = places()
    for document in sorted(changed):
        print(f"{document.relative_to(ROOT)}: read again whether these still hold:")
        for number, line in prose(document):
            print(f"  {number}: {line}")


if __name__ == "__main__":
    main()
