"""Where the boxes and arrows of a drawing go: in layers from top to bottom, after Sugiyama, Tagawa and Toda (1981).

Boxes stand in every second row, labels in the rows between. An arrow that passes a row has a spot of its own there,
and spots of one row keep their distance, so no arrow runs through a box and no label touches another.
"""

from bisect import bisect, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_APART = 16.0
_STUB = 9.0
_PORTS = 20.0
_SWEEPS = 32
_EFFORT = 60_000
_NEAR = 70.0


@dataclass(frozen=True, slots=True)
class Size:
    """How far a thing reaches left and right of its axis, and its height.

    Of a box, ``body`` is the height without what hangs beside it, and ``ports`` the width that arrows may meet.
    """

    left: float
    right: float
    height: float
    body: float = 0.0
    ports: float = 0.0


@dataclass(frozen=True, slots=True)
class Tie:
    """A connection to lay out, with the size of its label; the axis of the label is the arrow itself."""

    source: str
    to: str
    label: Size


@dataclass(eq=False, slots=True)
class Spot:
    """A place in a row: of a box, of a label, or of an arrow that passes. ``x`` and ``y`` are its axis and middle."""

    row: int
    size: Size
    x: float = 0.0
    y: float = 0.0
    above: list["Link"] = field(default_factory=list)
    below: list["Link"] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Link:
    """A piece of an arrow between neighbouring rows, with the distance of each end from the axis of its spot."""

    top: Spot
    bottom: Spot
    leaves: float = 0.0
    enters: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """The way of one arrow: straight from each even to the next odd point, curved in between; and its label's spot."""

    points: tuple[tuple[float, float], ...]
    label: Spot


@dataclass(frozen=True, slots=True)
class Plan:
    """The finished layout: the spot of each box, the route of each tie, and the extent (left, right, bottom)."""

    boxes: dict[str, Spot]
    routes: tuple[Route, ...]
    extent: tuple[float, float, float]


def place(boxes: Mapping[str, Size], ties: Sequence[Tie]) -> Plan:
    """Lay out at least one box. Ties join two different boxes; ties against the flow run upwards."""
    layers = rank(list(boxes), [(tie.source, tie.to) for tie in ties])
    spots = {name: Spot(2 * layers[name], size) for name, size in boxes.items()}
    rows: list[list[Spot]] = [[] for _ in range(2 * max(layers.values()) + 1)]
    for spot in spots.values():
        rows[spot.row].append(spot)
    chains = [_chain(spots[tie.source], spots[tie.to], tie.label, rows) for tie in ties]
    # Fewer sweeps for huge drawings, which nobody reads, so that the time stays in seconds.
    sweeps = max(2, min(_SWEEPS, _EFFORT // sum(map(len, rows))))
    rows = _untangle(rows, sweeps)
    _spread_ports(rows)
    _align(rows, sweeps)
    _straighten(chains, rows)
    edges = _stack(rows)
    routes = tuple(_route(chain, edges) for chain in chains)
    everything = [spot for row in rows for spot in row]
    left = min(spot.x - spot.size.left for spot in everything)
    return Plan(spots, routes, (left, max(spot.x + spot.size.right for spot in everything), edges[-1][1]))


def rank(names: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The layer of each name: one below the lowest that leads to it, leaving out what closes a circle."""
    followers: dict[str, list[str]] = {name: [] for name in names}
    known = set(pairs)
    for source in names:
        followers[source] = [to for to in names if (source, to) in known and to != source]
    order = _depth_first(followers)
    position = {name: at for at, name in enumerate(order)}
    layers = dict.fromkeys(names, 0)
    for source in order:
        for to in followers[source]:
            if position[to] > position[source]:
                layers[to] = max(layers[to], layers[source] + 1)
    return layers


def _depth_first(followers: Mapping[str, list[str]]) -> list[str]:
    """Reversed order of leaving: only what closes a circle points back in it."""
    left: list[str] = []
    seen: set[str] = set()
    for root in followers:
        stack = [(root, iter(followers[root]))] if root not in seen else []
        seen.add(root)
        while stack:
            name, rest = stack[-1]
            following = next((to for to in rest if to not in seen), None)
            if following is None:
                left.append(name)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(followers[following])))
    return left[::-1]


def _chain(source: Spot, to: Spot, label: Size, rows: list[list[Spot]]) -> list[Spot]:
    """Spots from source to target, in the direction of the arrow; the label's is the second."""
    step = 1 if to.row > source.row else -1
    passing = [Spot(row, Size(0, 0, 0)) for row in range(source.row + step, to.row, step)]
    passing[0].size = label
    chain = [source, *passing, to]
    for spot in passing:
        rows[spot.row].append(spot)
    for one, other in pairwise(chain):
        link = Link(one, other) if step > 0 else Link(other, one)
        link.top.below.append(link)
        link.bottom.above.append(link)
    return chain


def _untangle(rows: list[list[Spot]], sweeps: int) -> list[list[Spot]]:
    """The order within each row that crosses the fewest arrows, of those that sorting by neighbours comes across."""
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(sweeps):
        downwards = sweep % 2 == 0
        for at in range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1):
            place_of = {spot: index for index, spot in enumerate(rows[at - 1 if downwards else at + 1])}
            # Rows are turned round at different paces, so that equals meet in all orders.
            row = rows[at][::-1] if (sweep >> (at % 4)) % 2 else rows[at]
            rows[at] = _by_neighbours(row, place_of, downwards=downwards)
        if (count := _crossings(rows)) < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def _by_neighbours(row: list[Spot], place_of: Mapping[Spot, int], *, downwards: bool) -> list[Spot]:
    weight: dict[Spot, float] = {}
    for index, spot in enumerate(row):
        near = [place_of[link.top if downwards else link.bottom] for link in (spot.above if downwards else spot.below)]
        weight[spot] = sum(near) / len(near) if near else float(index)
    return sorted(row, key=weight.__getitem__)


def _crossings(rows: list[list[Spot]]) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place_of = {spot: index for index, spot in enumerate(lower)}
        seen: list[int] = []
        for spot in upper:
            ends = sorted(place_of[link.bottom] for link in spot.below)
            count += sum(len(seen) - bisect(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _spread_ports(rows: list[list[Spot]]) -> None:
    place_of = {spot: index for row in rows for index, spot in enumerate(row)}
    for spot in place_of:
        spot.above.sort(key=lambda link: place_of[link.top])
        spot.below.sort(key=lambda link: place_of[link.bottom])
        for link, offset in zip(spot.above, _offsets(spot, len(spot.above)), strict=True):
            link.enters = offset
        for link, offset in zip(spot.below, _offsets(spot, len(spot.below)), strict=True):
            link.leaves = offset


def _offsets(spot: Spot, count: int) -> list[float]:
    step = min(_PORTS, spot.size.ports / (count - 1)) if count > 1 else 0.0
    return [(index - (count - 1) / 2) * step for index in range(count)]


def _align(rows: list[list[Spot]], sweeps: int) -> None:
    """Pull every spot towards its neighbours, from above, from below, and at last from both sides."""
    for row in rows:
        _settle(row, [0.0] * len(row))
    for sweep in range(4 * sweeps):
        both = sweep >= sweeps
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            _settle(row, [_wish(spot, up=both or sweep % 2 == 0, down=both or sweep % 2 == 1) for spot in row])


def _wish(spot: Spot, *, up: bool, down: bool) -> float:
    pulls = [(link.top.x + link.leaves - link.enters, link) for link in spot.above if up]
    pulls += [(link.bottom.x + link.enters - link.leaves, link) for link in spot.below if down]
    if not pulls:
        return spot.x
    weights = [1.0 if link.top.size.body or link.bottom.size.body else 4.0 for _, link in pulls]
    return sum(x * weight for (x, _), weight in zip(pulls, weights, strict=True)) / sum(weights)


def _settle(row: list[Spot], wishes: list[float]) -> None:
    """The places nearest to the wishes (least squares) that keep order and distance: pool adjacent violators."""
    shifts, blocks, shift = [], list[tuple[float, int]](), 0.0
    for index, (spot, wish) in enumerate(zip(row, wishes, strict=True)):
        if index:
            shift += row[index - 1].size.right + _APART + spot.size.left
        shifts.append(shift)
        mean, count = wish - shift, 1
        while blocks and blocks[-1][0] > mean:
            other, others = blocks.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    for spot, mean, shift in zip(row, means, shifts, strict=True):
        spot.x = mean + shift


def _straighten(chains: list[list[Spot]], rows: list[list[Spot]]) -> None:
    """Make one line of the spots that an arrow passes, where their neighbours leave room, and best below a port.

    A box with no other arrow on that side comes along.
    """
    place_of = {spot: index for row in rows for index, spot in enumerate(row)}
    downwards = [chain if chain[0].row < chain[-1].row else chain[::-1] for chain in chains]
    for top, *passing, bottom in sorted(downwards, key=lambda chain: chain[0].row):
        rooms = [_room(rows[spot.row], place_of[spot]) for spot in passing]
        ports = [_port(top, passing[0]), _port(bottom, passing[-1])]
        starts = not top.above and len(top.below) == 1
        for spot, x in zip(passing, _line(passing, rooms, ports[::-1] if starts else ports), strict=True):
            spot.x = x
        if starts:
            top.x = _within(passing[0].x, _room(rows[top.row], place_of[top]))
        if len(bottom.above) == 1:
            bottom.x = _within(passing[-1].x, _room(rows[bottom.row], place_of[bottom]))


def _line(passing: list[Spot], rooms: list[tuple[float, float]], ports: list[float]) -> list[float]:
    """The straightest way through the rooms, from top to bottom."""
    low, high = max(low for low, _ in rooms), min(high for _, high in rooms)
    x = sum(spot.x for spot in passing) / len(passing)
    if low <= high:
        near = (port for port in ports if low <= port <= high and abs(port - x) < _NEAR)
        return [next(near, _within(x, (low, high)))] * len(passing)
    x, line = passing[0].x, []
    for room in rooms:
        x = _within(x, room)
        line.append(x)
    return line


def _within(x: float, room: tuple[float, float]) -> float:
    return min(max(x, room[0]), room[1])


def _room(row: list[Spot], at: int) -> tuple[float, float]:
    spot = row[at]
    low = row[at - 1].x + row[at - 1].size.right + _APART + spot.size.left if at else float("-inf")
    return low, row[at + 1].x - row[at + 1].size.left - _APART - spot.size.right if at + 1 < len(row) else float("inf")


def _port(box: Spot, near: Spot) -> float:
    """Where the arrow between a box and a spot in the next row meets the box."""
    leaving = [link.leaves for link in box.below if link.bottom is near]
    return box.x + (leaving or [link.enters for link in box.above if link.top is near])[0]


def _stack(rows: list[list[Spot]]) -> list[tuple[float, float]]:
    """Give every spot its ``y``; answers top and bottom of each row. The wider the curves, the wider the gap."""
    edges: list[tuple[float, float]] = []
    top = 0.0
    for row in rows:
        bottom = top + max(spot.size.height for spot in row) + 2 * _STUB
        for spot in row:
            spot.y = (top + bottom) / 2
        edges.append((top, bottom))
        swings = [abs(link.bottom.x + link.enters - link.top.x - link.leaves) for spot in row for link in spot.below]
        top = bottom + min(60.0, max([12.0, *(swing * 0.2 for swing in swings)]))
    return edges


def _route(chain: list[Spot], edges: list[tuple[float, float]]) -> Route:
    downwards = chain[0].row < chain[-1].row
    label = chain[1]
    passing = chain[1:-1] if downwards else chain[-2:0:-1]
    above, below = (chain[0], chain[-1]) if downwards else (chain[-1], chain[0])
    out, into = _port(above, passing[0]), _port(below, passing[-1])
    points = [(out, above.y + above.size.body / 2), (out, edges[above.row][1])]
    for spot in passing:
        points += [(spot.x, edges[spot.row][0]), (spot.x, edges[spot.row][1])]
    points += [(into, edges[below.row][0]), (into, below.y - below.size.body / 2)]
    return Route(tuple(points if downwards else points[::-1]), label)
