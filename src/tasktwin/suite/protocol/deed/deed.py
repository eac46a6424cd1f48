"""Deeds: each operation that writes, in a state in which it succeeds, and where one sees afterwards what it did."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from tasktwin.suite.lifecycle.atlas import NO_BODY, Atlas, reader_of
from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.sketch import Desk, Handle, Sketch, step_of
from tasktwin.suite.story.step import Step
from tasktwin.wire import Json

MOST_LOOKS = 4
"""So many looks are taken after a deed."""

MOST_ROWS = 2
"""So many choices of rows are tried for one operation and caller."""

FIRST_LOOK = 60_000
"""The key of the first look; those behind it follow."""


@dataclass(frozen=True, slots=True)
class Deed:
    """A step that succeeds behind ``before``. ``looks`` show what it changed; ``state`` is that of the row it acts on."""

    before: Sketch
    step: Step
    state: str
    looks: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The operation, and the state of the row."""
        return f"{self.step.operation} {self.state}".strip()

    @property
    def bases(self) -> list[Step]:
        """The same looks at the beginning, for a target that holds other things as well."""
        free = [each for each in self.looks if not each.refs()]
        return [replace(each, key=each.key - FIRST_LOOK // 2, base=True) for each in free]


def deeds(desk: Desk, atlas: Atlas, principals: Sequence[str], asked_for: Callable[[str], bool]) -> list[Deed]:
    """One deed for each operation that writes and each state of its row, the shortest stories first."""
    found: dict[str, Deed] = {}
    for each in sorted(
        (*atlas.ways.values(), *atlas.places.values()), key=lambda one: (len(one.sketch.steps), one.step.operation)
    ):
        if desk.inputs[each.step.operation].writes and not each.step.wait and asked_for(each.step.operation):
            deed = _deed(desk, each.before, each.step)
            found.setdefault(deed.name, deed)
    known = {deed.step.operation for deed in found.values()}
    for name, inputs in desk.inputs.items():
        if inputs.writes and name not in known and asked_for(name):
            other = next(_elsewhere(desk, atlas, inputs, principals), None)
            if other and other.looks:
                found.setdefault(other.name, other)
    return list(found.values())


def _elsewhere(desk: Desk, atlas: Atlas, inputs: Inputs, principals: Sequence[str]) -> Iterator[Deed]:
    """An operation behind any story that knows the rows it needs, as whoever may."""
    places = sorted(atlas.places.values(), key=lambda one: len(one.sketch.steps))
    for sketch in [Sketch(), *(one.sketch for one in places)]:
        if not {one.collection for one in sketch.handles}.issuperset(inputs.needed.values()):
            continue
        if any(step.wait for step in sketch.steps) or (inputs.needed and not sketch.steps):
            continue
        makers = dict.fromkeys([*(one.maker for one in sketch.handles), *principals])
        for who in islice(makers, 2):
            for step in tries(sketch, inputs, who):
                desk.open(sketch)
                answer = desk.answer(sketch, step)
                if answer.good and answer.modelled:
                    yield _deed(desk, sketch, step)


def tries(sketch: Sketch, inputs: Inputs, who: str) -> Iterator[Step]:
    """The steps that an operation may be on the rows that a story knows."""
    choices = [[one.ref for one in sketch.knows(kind)[:MOST_ROWS]] for kind in inputs.needed.values()]
    for refs in islice(product(*choices), MOST_ROWS):
        rows: dict[Place, Json] = dict(zip(inputs.needed, refs, strict=True))
        for body in inputs.bodies or NO_BODY:
            yield step_of(sketch, inputs, who, rows, body)


def _deed(desk: Desk, before: Sketch, step: Step) -> Deed:
    main = acted_on(desk, before, step)
    desk.open(before)
    return Deed(before, step, desk.state(main) if main else "", looks_after(desk, before, [step]))


def acted_on(desk: Desk, before: Sketch, step: Step) -> Handle | None:
    """The row that a step acts on."""
    main = desk.inputs[step.operation].main
    value = None
    if main and main.where == "path":
        value = step.path.get(main.name)
    elif main and isinstance(step.body, dict):
        value = step.body.get(main.name)
    return next((one for one in before.handles if one.ref == value), None)


def looks_after(desk: Desk, before: Sketch, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The looks that these steps make a difference to, by the oracle: at the rows of the story, and at what is shared."""
    looks = [*_reads(desk, before, steps), *_views(desk, before, steps)]
    desk.open(before)
    was = [_seen(desk, before, look) for look in looks]
    after = before.fork()
    for step in steps:
        after.answers[step.key] = desk.answer(after, step).shape
    changed = [look for look, old in zip(looks, was, strict=True) if _seen(desk, after, look) != old]
    again = [look for n, look in enumerate(changed) if look.operation in {one.operation for one in changed[:n]}]
    changed = [*(look for look in changed if look not in again), *again]
    return tuple(look.renamed(FIRST_LOOK + n) for n, look in enumerate(changed[:MOST_LOOKS]))


def _seen(desk: Desk, sketch: Sketch, look: Step) -> Json:
    with desk.oracle.trying():
        answer = desk.answer(sketch, look)
    return answer.status, answer.shape


def _reads(desk: Desk, before: Sketch, steps: Sequence[Step]) -> Iterator[Step]:
    """Reading each row of the story as its maker and as those who act."""
    for handle in before.handles:
        reader = reader_of(desk, handle.collection)
        if reader is None or reader.main is None:
            continue
        rows = {**_known(before, reader), reader.main: handle.ref}
        for who in dict.fromkeys([handle.maker, steps[0].as_]):
            yield replace(step_of(before, reader, who, rows), about="look at it")


def _views(desk: Desk, before: Sketch, steps: Sequence[Step]) -> Iterator[Step]:
    """What shows more than one row, numbers before lists, as whoever takes part."""
    cast = dict.fromkeys([steps[0].as_, *(step.as_ for step in before.steps if step.as_)])
    views = [each for each in desk.inputs.values() if not each.writes and each.binding.verb in {"list", "compute"}]
    for each in sorted(views, key=lambda one: (one.binding.verb != "compute", bool(one.needed))):
        known = _known(before, each)
        for who in cast if len(known) == len(each.needed) else ():
            body = next(iter(each.bodies), None)
            yield replace(step_of(before, each, who, known, body), about="look")


def _known(sketch: Sketch, each: Inputs) -> dict[Place, Json]:
    """The newest known row for each that an operation needs."""
    return {place: known[0].ref for place, kind in each.needed.items() if (known := sketch.knows(kind))}
