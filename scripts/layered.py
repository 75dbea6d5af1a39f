"""Where boxes on floors stand, and where the arrows between them pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

BOX: Final = (132, 40)
GAP: Final = 30  # between boxes
LANE: Final = 26  # between an arrow that passes a floor and its neighbours
SWEEPS: Final = 60
MOVES: Final = 400


class Spot(NamedTuple):
    """What takes room on a floor: a box, or an arrow that passes that floor."""

    name: str
    passes: int = 0


class Arrow(NamedTuple):
    """From a box to one below, with the spots at which it passes the floors between."""

    spots: tuple[Spot, ...]


class Layout(NamedTuple):
    """Where everything is.

    Attributes:
        rows: the spots of each floor from left to right, from the ground.
        arrows: from each box to those below it.
        x: the middle of each spot; 0 is where the leftmost begins.
    """

    rows: list[list[Spot]]
    arrows: list[Arrow]
    x: dict[Spot, float]


def lay_out(floors: Sequence[Sequence[str]], below: Mapping[str, Sequence[str]]) -> Layout:
    """Lay boxes out.

    Args:
        floors: names of the boxes, floor by floor from the ground.
        below: of each box, those on lower floors that an arrow leads to.
    """
    floor_of = {box: number for number, floor in enumerate(floors) for box in floor}
    rows = [[Spot(box) for box in floor] for floor in floors]
    arrows = []
    for box, others in below.items():
        for other in others:
            passed = range(floor_of[box] - 1, floor_of[other], -1)
            lane = [Spot(f"{box} to {other}", number) for number in passed]
            for number, spot in zip(passed, lane, strict=True):
                rows[number].append(spot)
            arrows.append(Arrow((Spot(box), *lane, Spot(other))))
    rows = order_rows(rows, arrows)
    return Layout(rows, arrows, place_spots(rows, arrows))


def links(rows: Sequence[Sequence[Spot]], arrows: Iterable[Arrow]) -> list[list[tuple[Spot, Spot]]]:
    """Of each floor but the ground, the pieces of arrows down to the floor below: (from, to)."""
    floor = {spot: number for number, row in enumerate(rows) for spot in row if not spot.passes}
    pieces: list[list[tuple[Spot, Spot]]] = [[] for _ in rows]
    for arrow in arrows:
        top = floor[arrow.spots[0]]
        for step, piece in enumerate(pairwise(arrow.spots)):
            pieces[top - step].append(piece)
    return pieces


def crossings(rows: Sequence[Sequence[Spot]], pieces: Sequence[Sequence[tuple[Spot, Spot]]]) -> int:
    """How often arrows cross."""
    total = 0
    for number in range(1, len(rows)):
        above = {spot: place for place, spot in enumerate(rows[number])}
        below = {spot: place for place, spot in enumerate(rows[number - 1])}
        ends = sorted((above[one], below[two]) for one, two in pieces[number])
        total += sum(
            one[0] < two[0] and one[1] > two[1] for i, one in enumerate(ends) for two in ends[i:]
        )
    return total


def order_rows(rows: list[list[Spot]], arrows: Sequence[Arrow]) -> list[list[Spot]]:
    """Order each floor so that few arrows cross: each spot near the middle of its neighbours."""
    pieces = links(rows, arrows)
    best, fewest = [list(row) for row in rows], crossings(rows, pieces)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        order = range(len(rows) - 2, -1, -1) if down else range(1, len(rows))
        for number in order:
            fixed = rows[number + 1] if down else rows[number - 1]
            place = {spot: at / max(len(fixed) - 1, 1) for at, spot in enumerate(fixed)}
            near: dict[Spot, list[float]] = {spot: [] for spot in rows[number]}
            for one, two in pieces[number + 1] if down else pieces[number]:
                near[two if down else one].append(place[one if down else two])
            own = {spot: at / max(len(rows[number]) - 1, 1) for at, spot in enumerate(rows[number])}
            middle = {
                spot: sum(found) / len(found) if found else own[spot]
                for spot, found in near.items()
            }
            turn = -1 if sweep % 4 >= 2 else 1  # ties fall to one side and to the other in turn
            keys = {spot: (middle[spot], turn * at) for at, spot in enumerate(rows[number])}
            rows[number] = sorted(rows[number], key=keys.__getitem__)
        found = crossings(rows, pieces)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    return best


def apart(one: Spot, two: Spot) -> float:
    """How far the middles of neighbours are apart at least."""
    halves = sum((0 if spot.passes else BOX[0] / 2) for spot in (one, two))
    return halves + (LANE if one.passes or two.passes else GAP)


def find_columns(arrows: Sequence[Arrow]) -> dict[Spot, Spot]:
    """By spot the one at whose middle it stands, too.

    A lane is straight, and a box stands below another one if they have but each other.
    """
    outs, ins = (Counter(arrow.spots[end] for arrow in arrows) for end in (0, -1))
    columns: dict[Spot, Spot] = {}
    for one, *lane, two in (arrow.spots for arrow in arrows):
        columns |= dict.fromkeys(lane[1:], lane[0]) if lane else {}
        if not lane and outs[one] == ins[two] == 1:
            columns[two] = one
    for spot in columns:
        while columns[spot] in columns:
            columns[spot] = columns[columns[spot]]
    return columns


def place_spots(rows: Sequence[Sequence[Spot]], arrows: Sequence[Arrow]) -> dict[Spot, float]:
    """The middle of each spot; columns that would have to cross each other are given up."""
    x = place_columns(rows, arrows, find_columns(arrows)) or place_columns(rows, arrows, {})
    assert x is not None, "without columns there is always room"
    left = min(at - (0 if spot.passes else BOX[0] / 2) for spot, at in x.items())
    return {spot: round(at - left, 1) for spot, at in x.items()}


def place_columns(
    rows: Sequence[Sequence[Spot]], arrows: Sequence[Arrow], columns: Mapping[Spot, Spot]
) -> dict[Spot, float] | None:
    """The middle of each spot; None if columns would have to cross each other.

    One after the other moves to where its arrows want it, as far as its neighbours leave room.
    """
    spots = sorted(spot for row in rows for spot in row)
    rows = [[columns.get(spot, spot) for spot in row] for row in rows]
    x = spread(rows)
    if x is None:
        return None
    pulls: dict[Spot, list[Spot]] = {spot: [] for spot in x}
    for arrow in arrows:
        for one, two in pairwise(columns.get(spot, spot) for spot in arrow.spots):
            if one != two:
                pulls[one].append(two)
                pulls[two].append(one)
    for _ in range(MOVES):
        for spot in sorted(x):
            wanted = sum(x[other] for other in pulls[spot]) / max(len(pulls[spot]), 1)
            low, high = bounds(spot, rows, x)
            x[spot] = min(max(wanted, low), high)
    return {spot: x[columns.get(spot, spot)] for spot in spots}


def spread(rows: Sequence[Sequence[Spot]]) -> dict[Spot, float] | None:
    """Middles that are far enough apart on every floor; None if there are none."""
    x: dict[Spot, float] = {}
    for row in rows:
        at = -sum(apart(one, two) for one, two in pairwise(row)) / 2
        for place, spot in enumerate(row):
            at += apart(row[place - 1], spot) if place else 0
            x.setdefault(spot, at)
    for _ in range(len(x) + 1):  # each time at least one more finds its place
        pushed = False
        for one, two in (pair for row in rows for pair in pairwise(row)):
            if x[two] < x[one] + apart(one, two):
                x[two], pushed = x[one] + apart(one, two), True
        if not pushed:
            return x
    return None


def bounds(
    spot: Spot, rows: Sequence[Sequence[Spot]], x: Mapping[Spot, float]
) -> tuple[float, float]:
    """Between what its neighbours on all its floors leave it."""
    low, high = float("-inf"), float("inf")
    for row in rows:
        if spot in row:
            at = row.index(spot)
            if at:
                low = max(low, x[row[at - 1]] + apart(row[at - 1], spot))
            if at + 1 < len(row):
                high = min(high, x[row[at + 1]] - apart(spot, row[at + 1]))
    return low, high
