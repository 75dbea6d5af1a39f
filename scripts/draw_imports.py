#!/usr/bin/env python
"""Draw who imports whom: the rooms of the package on their floors, as `docs/img/imports.svg`.

    python scripts/draw_imports.py [FILE]

Floors are the layers of the import contract in `pyproject.toml`, the ground at the bottom. An arrow
goes from a room to one that it imports; one that follows from a way over other rooms is left out.
Rooms that a bundle needs to answer a query are filled. The same code gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

import grimp
from layered import BOX, Arrow, Layout, Spot, lay_out

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs/img/imports.svg"
PACKAGE: Final = "genrecall"
SERVES: Final = f"{PACKAGE}.bundle"
"""Whatever this module imports, directly or not, takes part in an answer."""

FLOOR: Final = 72  # from floor to floor
MARGIN: Final = 76  # at the left, where floors have their number
EDGE: Final = 34

STYLE: Final = """
  svg { --paper: #ffffff; --band: #f4f5f7; --ink: #1d232b; --soft: #6a7380; --line: #8a94a3;
        --box: #ffffff; --serves: #dbe9fb; --rim: #a9b4c2; --serves-rim: #5b8fd0; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #14181e; --band: #1b2028; --ink: #e8ecf1; --soft: #98a3b1; --line: #7d899a;
          --box: #232a34; --serves: #1d3a5f; --rim: #4a5563; --serves-rim: #5b8fd0; }
  }
  .paper { fill: var(--paper); }
  .band { fill: var(--band); }
  .room { fill: var(--box); stroke: var(--rim); stroke-width: 1.2; }
  .serves { fill: var(--serves); stroke: var(--serves-rim); }
  text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
  .name { fill: var(--ink); font-size: 14px; font-weight: 600; text-anchor: middle; }
  .lines { fill: var(--soft); font-size: 11px; text-anchor: middle; }
  .floor { fill: var(--soft); font-size: 11px; text-anchor: end; }
  .key { fill: var(--soft); font-size: 12px; }
  .import { fill: none; stroke: var(--line); stroke-width: 1.6; }
  .head { fill: var(--line); }
"""


@dataclass(frozen=True)
class House:
    """What is drawn.

    Attributes:
        floors: names of the rooms, floor by floor from the ground.
        imports: of each room, the rooms that it imports, without those that follow from others.
        lines: of code in each room.
        serving: rooms of which a bundle needs a module.
    """

    floors: Sequence[Sequence[str]]
    imports: Mapping[str, Sequence[str]]
    lines: Mapping[str, int]
    serving: frozenset[str]


def read_house() -> House:
    """Read the contract and the code."""
    floors = read_floors()
    rooms = {room for floor in floors for room in floor}
    sys.path.insert(0, str(ROOT / "src"))  # this copy, whichever is installed
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    imports: dict[str, set[str]] = {room: set() for room in rooms}
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            one, two = room_of(module), room_of(other)
            if one != two and {one, two} <= rooms:
                imports[one].add(two)
    needed = {room_of(module) for module in graph.find_upstream_modules(SERVES)}
    return House(
        floors=floors,
        imports=without_shortcuts(imports),
        lines={room: count_lines(room) for room in sorted(rooms)},
        serving=frozenset((needed | {room_of(SERVES)}) & rooms),
    )


def read_floors() -> list[list[str]]:
    """The layers of the import contract, from the ground up."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[room.strip() for room in layer.split("|")] for layer in reversed(layers)]


def room_of(module: str) -> str:
    """The folder, or loose module, that a module lies in; the package itself is a room of none."""
    return module.split(".")[1] if "." in module else ""


def count_lines(room: str) -> int:
    """Lines of a room's code, to two digits, so that not every change changes the picture."""
    place = ROOT / "src" / PACKAGE / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    lines = sum(len(file.read_text("utf-8").splitlines()) for file in files)
    return round(lines, 2 - len(str(lines)))


def without_shortcuts(imports: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """Leave out each import that a longer way makes good; there is no way round."""
    below: dict[str, set[str]] = {}

    def all_below(room: str) -> set[str]:
        if room not in below:
            below[room] = set(imports[room]).union(*(all_below(other) for other in imports[room]))
        return below[room]

    return {
        room: sorted(
            other
            for other in others
            if not any(other in all_below(between) for between in others - {other})
        )
        for room, others in sorted(imports.items())
    }


def draw(house: House) -> str:
    """The picture as SVG."""
    layout = lay_out(house.floors, house.imports)
    rows, arrows, x = layout
    wide = max(at + (0 if spot.passes else BOX[0] / 2) for spot, at in x.items())
    width, height = MARGIN + wide + EDGE, len(rows) * FLOOR + 76

    def middle(spot: Spot) -> float:
        return MARGIN + x[spot]

    def level(number: int) -> float:
        return (len(rows) - number - 0.5) * FLOOR + 12

    floor_of = {spot: number for number, row in enumerate(rows) for spot in row if not spot.passes}
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">',
        "<title>The rooms of GenRecall, floor by floor, and their imports</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width:g}" height="{height:g}"/>',
    ]
    for number in range(len(rows)):
        if number % 2 == 0:
            top = level(number) - FLOOR / 2
            out.append(f'<rect class="band" y="{top:g}" width="{width:g}" height="{FLOOR}"/>')
        label = "ground" if number == 0 else f"floor {number}"
        out.append(f'<text class="floor" x="58" y="{level(number) + 4:g}">{label}</text>')
    ports = find_ports(layout)
    for arrow in arrows:
        out += draw_arrow(arrow, floor_of[arrow.spots[0]], level, middle, ports)
    for number, row in enumerate(rows):
        for spot in row:
            if not spot.passes:
                out += draw_room(spot.name, middle(spot), level(number), house)
    out += draw_key(height - 40)
    return "\n".join([*out, "</svg>", ""])


Ports = Mapping[tuple[Arrow, str], float]
"""How far from the middle of its box an arrow leaves, or ends: by (arrow, `out` or `in`)."""


def find_ports(layout: Layout) -> Ports:
    """Spread the arrows of a box along its edge, in the order of where they come from or go."""
    rows, arrows, x = layout
    ports: dict[tuple[Arrow, str], float] = {}
    for spot in (spot for row in rows for spot in row):
        for side, own, other in (("out", 0, 1), ("in", -1, -2)):
            here = sorted(
                (x[arrow.spots[other]], arrow) for arrow in arrows if arrow.spots[own] == spot
            )
            step = min(26.0, (BOX[0] - 36) / max(len(here) - 1, 1))
            for place, (_, arrow) in enumerate(here):
                ports[arrow, side] = (place - (len(here) - 1) / 2) * step
    return ports


def draw_arrow(
    arrow: Arrow,
    top: int,
    level: Callable[[int], float],
    middle: Callable[[Spot], float],
    ports: Ports,
) -> list[str]:
    """An arrow from a box on floor `top` down to another one."""
    first, *between, last = arrow.spots
    half, head = BOX[1] / 2, 7
    x, y = middle(first) + ports[arrow, "out"], level(top) + half
    path = [f"M{x:g} {y:g}"]
    for step, spot in enumerate([*between, last], start=1):
        at = middle(spot) + (ports[arrow, "in"] if spot == last else 0)
        to = level(top - step) - half - (head if spot == last else 0)
        bend = (to - y) * 0.5
        path.append(f"C{x:g} {y + bend:g} {at:g} {to - bend:g} {at:g} {to:g}")
        x, y = at, to
        if spot != last:
            y = level(top - step) + half
            path.append(f"V{y:g}")
    tip = y + head
    return [
        f'<path class="import" d="{"".join(path)}"/>',
        f'<path class="head" d="M{x:g} {tip:g}l-4.5 {-head - 1}h9z"/>',
    ]


def draw_room(name: str, x: float, y: float, house: House) -> list[str]:
    """A box with the room's name and size."""
    kind = "room serves" if name in house.serving else "room"
    lines = house.lines[name]
    return [
        f'<rect class="{kind}" x="{x - BOX[0] / 2:g}" y="{y - BOX[1] / 2:g}" '
        f'width="{BOX[0]}" height="{BOX[1]}" rx="7"/>',
        f'<text class="name" x="{x:g}" y="{y - 2:g}">{escape(name)}</text>',
        f'<text class="lines" x="{x:g}" y="{y + 13:g}">{lines:,} lines</text>',
    ]


def draw_key(y: float) -> list[str]:
    """What the fill of a box means."""
    return [
        f'<rect class="room serves" x="20" y="{y - 12:g}" width="22" height="15" rx="4"/>',
        f'<text class="key" x="50" y="{y:g}">takes part in an answer</text>',
        f'<rect class="room" x="220" y="{y - 12:g}" width="22" height="15" rx="4"/>',
        f'<text class="key" x="250" y="{y:g}">trains, measures, imports, commands</text>',
        f'<text class="key" x="20" y="{y + 24:g}">Arrows point to what is imported. '
        "One that follows from a way over other rooms is left out.</text>",
    ]


def main() -> None:
    """Draw into the file of the documents, or into another one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", default=PICTURE)
    file = parser.parse_args().file
    file.write_text(draw(read_house()), encoding="utf-8")
    print(f"wrote {file}")


if __name__ == "__main__":
    main()
