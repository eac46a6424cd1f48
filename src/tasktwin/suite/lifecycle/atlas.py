"""The atlas: for each state that a row can be in, the shortest story found that leads there, on the oracle alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import islice, product

from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.sketch import Desk, Handle, Sketch, step_of
from tasktwin.suite.story.step import Step
from tasktwin.wire import Json

PATIENCE = 25
"""So many stories in a row may show nothing new."""

MOST_SKETCHES = 120
"""So many stories are gone on from."""

LATE = 3.0
"""Seconds beyond a timer's instant by which it has surely gone off."""

DEEPEST = 9
"""Steps of the longest story."""

NO_BODY: list[dict[str, Json] | None] = [None]

MOST_ROWS = 4
"""So many choices of rows are tried for one operation and caller."""


@dataclass(frozen=True, slots=True)
class Found:
    """A story that takes a transition (``taken``), or makes a row that has no lifecycle: its last step does."""

    sketch: Sketch
    step: Step
    before: Sketch
    taken: tuple[tuple[str, str], ...]
    handle: Handle | None
    state: str


@dataclass(slots=True)
class Atlas:
    """``ways`` are the stories by transition, ``places`` those by (collection, state), ``makers`` by collection."""

    ways: dict[tuple[str, str], Found] = field(default_factory=dict)
    places: dict[tuple[str, str], Found] = field(default_factory=dict)

    def learn(self, found: Found) -> int:
        """Keep what a story is the first to show; how much that is."""
        new = [way for way in found.taken if way not in self.ways]
        self.ways.update(dict.fromkeys(new, found))
        place = (found.handle.collection, found.state) if found.handle else None
        if place is None or place in self.places:
            return len(new)
        self.places[place] = found
        return len(new) + 1


@dataclass(frozen=True, slots=True)
class Hands:
    """What can be done: operations that write, lists, who may try, and whether time can be let pass."""

    writers: list[Inputs]
    listers: list[Inputs]
    principals: list[str]
    may_wait: bool


def explore(desk: Desk, principals: list[str], *, may_wait: bool, streams: frozenset[str]) -> Atlas:
    """Find stories for as many transitions and states as can be reached by calls, and by waiting if that is possible."""
    atlas = Atlas()
    open_: list[tuple[int, int, int, Sketch]] = [(0, 0, 0, Sketch())]
    begun: set[tuple[object, ...]] = set()
    writers = [each for each in desk.inputs.values() if each.writes and each.operation.id not in streams]
    listers = [each for each in desk.inputs.values() if not each.writes and each.is_shared and each.binding.collection]
    hands = Hands(writers, listers, principals, may_wait)
    wanted, ticket, idle = _wanted(desk, writers, may_wait=may_wait), 0, 0
    for _ in range(MOST_SKETCHES):
        if not open_ or wanted.issubset(atlas.ways) or idle > PATIENCE:
            break
        sketch, idle = heappop(open_)[3], idle + 1
        for found in _forward(desk, sketch, hands):
            new = atlas.learn(found)
            idle = 0 if new else idle
            mark = _mark(desk, found.sketch)
            if len(found.sketch.steps) < DEEPEST and mark not in begun:
                begun.add(mark)
                ticket += 1
                heappush(open_, (-new, len(found.sketch.steps), ticket, found.sketch))
    return atlas


def _wanted(desk: Desk, writers: list[Inputs], *, may_wait: bool) -> set[tuple[str, str]]:
    """The transitions that calls or the passing of time can cause."""
    asked = {each.operation.id for each in writers}
    return {
        (name, way.name)
        for name, cycle in desk.provider.rules.lifecycles.items()
        for way in cycle.transitions.values()
        if way.operation in asked or (may_wait and way.after is not None)
    }


def _forward(desk: Desk, sketch: Sketch, hands: "Hands") -> Iterator[Found]:
    """Every way on from here that succeeds: one for each operation and caller, or for each thing that comes of it."""
    if not sketch.steps:
        yield from _listed(desk, sketch, hands)
    known = {one.collection for one in sketch.handles}
    for each in hands.writers:
        if known.issuperset(each.needed.values()):
            for who in _callers(sketch, each, hands.principals):
                yield from _acted(desk, sketch, each, who)
    yield from _told(desk, sketch, hands.principals)
    if hands.may_wait and sketch.handles:
        yield from _waited(desk, sketch, hands.principals)


def _callers(sketch: Sketch, each: Inputs, principals: list[str]) -> list[str]:
    """Who tries: those who made a row, and everybody where roles matter or nothing is there yet."""
    makers = list(dict.fromkeys(one.maker for one in reversed(sketch.handles) if one.maker))
    if not each.needed or not makers or any(way.only for way in each.binding.transitions()) or len(each.needed) > 1:
        return list(dict.fromkeys([*makers, *principals]))
    return makers


def _listed(desk: Desk, sketch: Sketch, hands: "Hands") -> Iterator[Found]:
    """The stories in which rows that nobody can make are found in a list."""
    listed: set[str] = set()
    for each in hands.listers:
        collection = each.binding.collection
        if collection and collection.name not in listed and not _is_made(desk, collection.name):
            listed.add(collection.name)
            yield from _tried(desk, sketch, step_of(sketch, each, hands.principals[0], {}))


def _acted(desk: Desk, sketch: Sketch, each: Inputs, who: str) -> Iterator[Found]:
    taken: set[tuple[tuple[str, str], ...]] = set()
    for step in _steps(sketch, each, who):
        found = next(_tried(desk, sketch, step), None)
        if found and found.taken not in taken:
            taken.add(found.taken)
            yield found
        if found and len(each.binding.transitions()) < 2 and each.binding.verb != "update":
            break


def _is_made(desk: Desk, collection: str) -> bool:
    """Whether an operation makes rows of this kind, so that they need not be found."""
    return any(
        each.binding.verb == "create" and each.binding.collection and each.binding.collection.name == collection
        for each in desk.inputs.values()
    )


def _steps(sketch: Sketch, each: Inputs, who: str) -> Iterator[Step]:
    places = list(each.needed)
    choices = [[handle.ref for handle in sketch.knows(each.needed[place])[:2]] for place in places]
    for refs in islice(product(*choices), MOST_ROWS):
        rows: dict[Place, Json] = dict(zip(places, refs, strict=True))
        for body in each.variants or NO_BODY:
            yield step_of(sketch, each, who, rows, body)


def _tried(desk: Desk, sketch: Sketch, step: Step) -> Iterator[Found]:
    """The story with this step, if it succeeds."""
    desk.open(sketch)
    further = sketch.fork()
    answer = desk.take(further, step)
    if (answer.good or answer.taken) and answer.modelled:
        yield _found(desk, sketch, further, step, answer.taken)


def _told(desk: Desk, sketch: Sketch, principals: list[str]) -> Iterator[Found]:
    """The stories in which a look at a row tells of rows of another kind."""
    known = {one.collection for one in sketch.handles}
    for each in desk.inputs.values():
        if each.writes or not each.needed or each.binding.verb == "read" or not known.issuperset(each.needed.values()):
            continue
        for who in dict.fromkeys([*(one.maker for one in sketch.handles if one.maker), *principals]):
            step = next(_steps(sketch, each, who), None)
            found = next(_tried(desk, sketch, step), None) if step else None
            if found and {one.collection for one in found.sketch.handles} - known:
                yield found
                break


def _waited(desk: Desk, sketch: Sketch, principals: list[str]) -> Iterator[Found]:
    """The story in which nothing is done until the newest row's own timer has gone off."""
    desk.open(sketch)
    for handle in reversed(sketch.handles):
        cycle = desk.provider.rules.collections[handle.collection].lifecycle
        way = cycle.timers.get(desk.state(handle)) if cycle else None
        reader = reader_of(desk, handle.collection)
        if cycle is None or way is None or way.after is None or reader is None or reader.main is None:
            continue
        rows: dict[Place, Json] = {place: sketch.knows(kind)[0].ref for place, kind in reader.needed.items()}
        step = step_of(sketch, reader, handle.maker or principals[0], {**rows, reader.main: handle.ref})
        wait = way.after / 1_000_000 + LATE
        step = replace(step, wait=wait, about=f"{way.name}: {wait:g} s have passed")
        further = sketch.fork()
        before = desk.state(handle)
        if desk.take(further, step).good and desk.state(handle) != before:
            yield _found(desk, sketch, further, step, ((cycle.name, way.name),))
        return


def _found(desk: Desk, before: Sketch, sketch: Sketch, step: Step, taken: tuple[tuple[str, str], ...]) -> Found:
    sketch.saved = desk.oracle.world.save()
    made = [each for each in sketch.handles if each.ref.step == step.key]
    each = desk.inputs[step.operation]
    acted = [one for one in sketch.handles if each.main and one.ref == step.path.get(each.main.name)]
    handle = next(iter(made or acted), None)
    return Found(sketch, step, before, taken, handle, desk.state(handle) if handle else "")


def reader_of(desk: Desk, collection: str) -> Inputs | None:
    """The operation that reads one row of a kind: that which needs to know least."""
    readers = [
        each
        for each in desk.inputs.values()
        if each.binding.verb == "read" and each.main and each.rows[each.main] == collection
    ]
    return min(readers, key=lambda each: len(each.rows), default=None)


def _mark(desk: Desk, sketch: Sketch) -> tuple[object, ...]:
    """What a story has come to: its rows by kind, state and maker."""
    desk.open(sketch)
    rows = sorted((each.collection, desk.state(each), each.maker) for each in sketch.handles)
    stays = sorted({step.operation for step in sketch.steps if desk.inputs[step.operation].binding.verb == "update"})
    return (*rows, *stays)
