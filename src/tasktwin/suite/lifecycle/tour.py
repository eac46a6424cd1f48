"""Tours: every transition taken and taken again, and in every state every operation tried by everybody."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from tasktwin.suite.lifecycle.atlas import NO_BODY, Atlas, Found, reader_of
from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.sketch import Desk, Handle, Sketch, step_of
from tasktwin.suite.story.step import Ref, Step
from tasktwin.suite.target import WITHOUT, WRONG
from tasktwin.suite.traffic import NOBODY
from tasktwin.wire import Json

MOST_ROWS = 2
"""So many choices of rows an operation is tried on in one state."""

MOST_THERE = 36
"""So many choices among the rows that were there."""

MOST_BODIES = 3
"""So many of an operation's own bodies are tried where only the state matters."""


@dataclass(frozen=True, slots=True)
class Tour:
    """A named story: what leads there, and what is then tried. A trial that changes something begins the story anew."""

    name: str
    prelude: tuple[Step, ...]
    trials: tuple[Step, ...]


class Guide:
    """Makes tours from the atlas, on the oracle alone."""

    def __init__(self, desk: Desk, atlas: Atlas, principals: Sequence[str], asked_for: Callable[[str], bool]) -> None:
        self.desk = desk
        self.atlas = atlas
        self.principals = list(principals)
        self.asked_for = asked_for
        self._halved: set[str] = set()
        self.shared = [each for each in desk.inputs.values() if each.is_shared and asked_for(each.operation.id)]

    def tours(self) -> Iterator[Tour]:
        """All tours, those along transitions first."""
        done: set[int] = set()
        for (cycle, way), found in self.atlas.ways.items():
            if id(found) not in done and self._concerns(found):
                done.add(id(found))
                yield self._along(f"{cycle}.{way}", found)
                yield self._others(f"{cycle}.{way}", found)
                yield from self._crossed(f"{cycle}.{way}", found)
                yield from self._outlived(f"{cycle}.{way}", found)
                yield from self._made_again(f"{cycle}.{way}", found)
        for (collection, state), found in self.atlas.places.items():
            if id(found) not in done and not state and self._concerns(found):
                done.add(id(found))
                yield self._along(f"make {collection}", found)
                yield self._others(f"make {collection}", found)
                yield from self._crossed(f"make {collection}", found)
                yield from self._made_again(collection, found)
        if self.principals:
            yield self._outside()
        for (collection, state), found in self.atlas.places.items():
            yield self._around(f"{collection} {state}".strip(), found)
            yield from self._acting(f"{collection} {state}".strip(), found)
        yield from self._found_there()

    def beginnings(self) -> list[Step]:
        """What everybody sees at first."""
        return _numbered([self._see(each, who, {}, base=True) for who in self.principals for each in self.shared], 1)

    def _concerns(self, found: Found) -> bool:
        return self.asked_for(found.step.operation)

    def _along(self, name: str, found: Found) -> Tour:
        """What leads to a transition, the transition, the same again, and before and after what everybody concerned sees."""
        cast = list(dict.fromkeys(step.as_ for step in found.sketch.steps))
        before = [self._see(each, who, {}, base=True) for who in cast for each in self.shared]
        steps = [*_numbered(before, 10_000), *found.sketch.steps]
        after = found.sketch.fork()
        self.desk.open(after)
        tail = [*self._reads(after, found.handle), *self._lists(found.handle, cast)]
        tail += [self._see(each, who, {}) for who in cast for each in self.shared]
        again = replace(found.step, wait=0.0, about="the same again") if not found.step.wait else None
        if again is not None:
            tail += [again, *self._reads(after, found.handle)]
            tail += [self._see(each, who, {}) for who in cast for each in self.shared if each.binding.verb == "compute"]
        return Tour(name, (*steps, *_numbered(tail, 20_000)), ())

    def _around(self, name: str, found: Found) -> Tour:
        """In one state: whatever is refused there or only looks, by everybody and by nobody."""
        sketch = found.sketch
        trials: list[Step] = []
        for each in self.desk.inputs.values():
            if found.handle is None or not self.asked_for(each.operation.id):
                continue
            if found.handle.collection not in each.needed.values():
                continue
            if not {one.collection for one in sketch.handles}.issuperset(each.needed.values()):
                continue
            for who in [*self.principals, NOBODY, *self._half(each, found.handle.maker)]:
                trials += self._harmless(sketch, each, who)
        self.desk.open(sketch)
        trials += self._reads(sketch, found.handle)
        return Tour(f"around {name}", tuple(sketch.steps), tuple(_numbered(trials, 30_000)))

    def _acting(self, name: str, found: Found) -> Iterator[Tour]:
        """In one state: whatever succeeds there without a transition, each twice, and what is to be seen then."""
        sketch, handle = found.sketch, found.handle
        if handle is None or not self.principals:
            return
        trials: list[Step] = []
        for each in self.desk.inputs.values():
            if each.writes and each.binding.verb != "create" and self.asked_for(each.operation.id):
                trials += self._succeeding(sketch, handle, each)
        if trials:
            again = [replace(step, about="the same again") for step in trials]
            self.desk.open(sketch)
            steps = [*trials, *again, *self._reads(sketch, handle)]
            yield Tour(f"acts on {name}", tuple(sketch.steps), tuple(_numbered(steps, 30_000)))

    def _succeeding(self, sketch: Sketch, handle: Handle, each: Inputs) -> Iterator[Step]:
        """The steps of an operation on the newest rows that take no transition, as the first who may."""
        kinds = {one.collection for one in sketch.handles}
        if handle.collection not in each.needed.values() or not kinds.issuperset(each.needed.values()):
            return
        rows: dict[Place, Json] = {place: sketch.knows(kind)[0].ref for place, kind in each.needed.items()}
        for who in dict.fromkeys([handle.maker, *(step.as_ for step in sketch.steps), *self.principals]):
            may = False
            for body in each.bodies[:MOST_BODIES] or NO_BODY:
                step = step_of(sketch, each, who, rows, body)
                self.desk.open(sketch)
                answer = self.desk.answer(sketch, step)
                if answer.good and answer.modelled and not answer.taken and self._is_there(sketch, handle):
                    may = True
                    yield step
            if may:
                return

    def _is_there(self, sketch: Sketch, handle: Handle) -> bool:
        """Whether a row can still be read."""
        looks = self._reads(sketch, handle)[:1]
        return all(self.desk.answer(sketch, look).good for look in looks)

    def _found_there(self) -> Iterator[Tour]:
        """On rows that were there before: the refusals that the operations meet, each once. Rows have what no example has."""
        met: set[tuple[str, str]] = set()
        for each in self.desk.inputs.values():
            if not self.principals or not each.is_shared or each.binding.verb != "list":
                continue
            sketch = Sketch()
            self.desk.open(sketch)
            look = step_of(sketch, each, self.principals[0], {}, next(iter(each.bodies), None))
            self.desk.take(sketch, look)
            trials = [step for other in self.desk.inputs.values() for step in self._refused(sketch, other, met)]
            if trials:
                yield Tour(f"on what {each.operation.id} shows", (look,), tuple(_numbered(trials, 30_000)))

    def _refused(self, sketch: Sketch, each: Inputs, met: set[tuple[str, str]]) -> Iterator[Step]:
        """The steps of an operation that are refused in a way that it was not yet."""
        if not each.writes or not each.needed or not self.asked_for(each.operation.id):
            return
        choices = [[one.ref for one in sketch.knows(kind)] for kind in each.needed.values()]
        for refs in islice(product(*choices), MOST_THERE):
            rows: dict[Place, Json] = dict(zip(each.needed, refs, strict=True))
            for body in each.bodies[:MOST_BODIES] or NO_BODY:
                step = step_of(sketch, each, self.principals[0], rows, body)
                self.desk.open(sketch)
                answer = self.desk.answer(sketch, step)
                mark = (each.operation.id, answer.kind)
                if answer.modelled and not answer.good and not answer.taken and mark not in met:
                    met.add(mark)
                    yield step

    def _others(self, name: str, found: Found) -> Tour:
        """The step that would succeed, by everybody who may not take it."""
        trials = []
        for who in [*self.principals, NOBODY, *self._half(self.desk.inputs[found.step.operation], found.step.as_)]:
            step = replace(found.step, as_=who, wait=0.0)
            self.desk.open(found.before)
            answer = self.desk.answer(found.before, step)
            if who != found.step.as_ and not answer.good and not answer.taken and answer.modelled:
                trials.append(step)
        trials.append(replace(found.step, wait=0.0, about="by who may, after all"))
        return Tour(f"others {name}", tuple(found.before.steps), tuple(_numbered(trials, 30_000)))

    def _crossed(self, name: str, found: Found) -> Iterator[Tour]:
        """A step on rows that do not belong together: one of them is another story's."""
        each = self.desk.inputs[found.step.operation]
        body = found.step.body if isinstance(found.step.body, dict) else {}
        optional = [place for place in each.rows if place.where == "body" and place not in each.needed]
        if len(each.needed) < 2 and not optional:
            return
        offset = 5_000
        second = [moved(step, offset) for step in found.sketch.steps]
        trials: list[Step] = []
        for place in [*each.needed, *optional]:
            known = found.sketch.knows(each.rows[place])
            if not known:
                continue
            ref = replace(known[0].ref, step=known[0].ref.step + offset)
            if place.where == "path":
                trials.append(replace(found.step, path={**found.step.path, place.name: ref}))
            elif place.where == "body" and "/" not in place.name:
                trials.append(replace(found.step, body={**body, place.name: ref}))
        if trials:
            trials = [replace(step, about="with a row of another story", wait=0.0) for step in trials]
            prelude = (*found.before.steps, *second)
            yield Tour(f"crossed {name}", prelude, tuple(_numbered(trials, 30_000)))

    def _made_again(self, name: str, found: Found) -> Iterator[Tour]:
        """A row made after one of its kind was removed: it takes over nothing of that."""
        handle, made = found.handle, self.desk.inputs[found.step.operation]
        if handle is None or made.binding.verb != "create" or found.step.wait:
            return
        for each in self.desk.inputs.values():
            if not each.writes or set(each.needed.values()) != {handle.collection}:
                continue
            rows: dict[Place, Json] = dict.fromkeys(each.needed, handle.ref)
            step = step_of(found.sketch, each, found.step.as_, rows, next(iter(each.variants), None))
            self.desk.open(found.sketch)
            if self.desk.answer(found.sketch, step).good and not self._is_there(found.sketch, handle):
                again = replace(found.step, about=f"after {each.operation.id}")
                yield Tour(
                    f"{name} after {each.operation.id}", (*found.sketch.steps, step), tuple(_numbered([again], 30_000))
                )

    def _outlived(self, name: str, found: Found) -> Iterator[Tour]:
        """The step after something else has taken the row out of its state: what is over stays over."""
        if found.handle is None or found.step.wait or not found.before.steps:
            return
        self.desk.open(found.before)
        state = self.desk.state(found.handle) if found.handle in found.before.handles else ""
        if not state:
            return
        for each in self.desk.inputs.values():
            if not each.writes or found.handle.collection not in each.needed.values():
                continue
            step = next(self._leaving(found, each, state), None)
            if step is None or each.operation.id == found.step.operation:
                continue
            again = replace(found.step, key=step.key + 1, wait=0.0, about=f"after {each.operation.id}")
            reads = self._reads(found.before, found.handle)[:1]
            trials = _numbered([again, *reads], 30_000)
            yield Tour(f"{name} after {each.operation.id}", (*found.before.steps, step), tuple(trials))

    def _leaving(self, found: Found, each: Inputs, state: str) -> Iterator[Step]:
        """The steps of an operation that take the row of a story out of its state."""
        if found.handle is None or not {one.collection for one in found.before.handles}.issuperset(
            each.needed.values()
        ):
            return
        rows: dict[Place, Json] = {place: found.before.knows(kind)[0].ref for place, kind in each.needed.items()}
        for who in dict.fromkeys([found.step.as_, *(step.as_ for step in found.before.steps)]):
            step = step_of(found.before, each, who, rows, next(iter(each.variants), None))
            self.desk.open(found.before)
            if self.desk.answer(found.before, step).good and self.desk.state(found.handle) != state:
                yield step

    def _outside(self) -> Tour:
        """Operations that name no row, by nobody and by those who sign in by halves."""
        trials: list[Step] = []
        for each in self.desk.inputs.values():
            if not each.needed and self.asked_for(each.operation.id):
                for who in [NOBODY, *self._half(each, self.principals[len(trials) % len(self.principals)])]:
                    trials += self._harmless(Sketch(), each, who)
        return Tour("around nothing", (), tuple(_numbered(trials, 30_000)))

    def _half(self, each: Inputs, who: str) -> list[str]:
        """A principal as it must not be let in: without one of its headers, or with a wrong one. Once for an operation."""
        if each.operation.id in self._halved or who not in self.principals or not each.operation.security:
            return []
        self._halved.add(each.operation.id)
        known = self.desk.provider.rules.principals
        several = [name for name in self.principals if len(known[name].headers) > 1]
        chosen = dict.fromkeys([who, *several[:1]])
        return [f"{one}{how}{name}" for one in chosen for how in (WITHOUT, WRONG) for name in known[one].headers]

    def _harmless(self, sketch: Sketch, each: Inputs, who: str) -> Iterator[Step]:
        """The steps of an operation that change nothing, as they should: refused ones, and looks."""
        places = list(each.needed)
        choices = [[one.ref for one in sketch.knows(each.needed[place])[:MOST_ROWS]] for place in places]
        for refs in islice(product(*choices), MOST_ROWS):
            rows: dict[Place, Json] = dict(zip(places, refs, strict=True))
            step = step_of(sketch, each, who, rows, next(iter(each.bodies), None))
            self.desk.open(sketch)
            answer = self.desk.answer(sketch, step)
            if answer.taken or (each.writes and (answer.good or not answer.modelled)):
                continue
            yield step
            if not each.writes and answer.good:
                for name, values in each.query.items():
                    yield from (replace(step, query={**step.query, name: value}) for value in values[:3])

    def _reads(self, sketch: Sketch, handle: Handle | None) -> list[Step]:
        """Reading a row as each of those who take part."""
        reader = reader_of(self.desk, handle.collection) if handle else None
        if handle is None or reader is None or reader.main is None:
            return []
        rows: dict[Place, Json] = {
            place: known[0].ref for place, kind in reader.needed.items() if (known := sketch.knows(kind))
        }
        if len(rows) != len(reader.needed):
            return []
        rows[reader.main] = handle.ref
        cast = dict.fromkeys([handle.maker, *(step.as_ for step in sketch.steps)])
        return [replace(step_of(sketch, reader, who, rows), about="look at it") for who in cast]

    def _lists(self, handle: Handle | None, cast: Sequence[str]) -> list[Step]:
        """Lists of the row's kind, narrowed by what the row has and by what it has not."""
        row = self.desk.oracle.row(handle.collection, handle.key) if handle else None
        if handle is None or row is None:
            return []
        found: list[Step] = []
        for each in self.shared:
            if each.binding.verb != "list" or not each.binding.collection:
                continue
            own = each.binding.collection.name == handle.collection
            if own and each.filters:
                found += [self._see(each, who, {}) for who in cast[:2]]  # what the filtered ones are held against
            for name in {**each.filters, **each.query}:
                field = each.filters.get(name, "")
                cycle = self.desk.provider.rules.collections[handle.collection].lifecycle
                states = list(cycle.states) if own and cycle and cycle.field == field else []
                values = [row.get(field) if own else None, *each.query.get(name, ()), *states]
                texts = [value for value in dict.fromkeys(values) if isinstance(value, (str, int))][
                    : 12 if states else 3 if own else 8
                ]
                found += [self._see(each, who, {name: value}) for who in cast[: 2 if own else 1] for value in texts]
                if own and each.page_size and name in each.filters:
                    found += [self._see(each, cast[0], {name: value, each.page_size: 1}) for value in texts]
        return found

    def _see(self, each: Inputs, who: str, query: dict[str, Json], *, base: bool = False) -> Step:
        return Step(0, each.operation.id, who, each.path, query, base=base, body=next(iter(each.bodies), None))


def moved(step: Step, offset: int) -> Step:
    """The same step of a second story: its key, and those it refers to, are so much higher."""

    def higher(value: Json) -> Json:
        if isinstance(value, Ref):
            return Ref(value.step + offset, value.pointer)
        if isinstance(value, dict):
            return {name: higher(inner) for name, inner in value.items()}
        return [higher(inner) for inner in value] if isinstance(value, list) else value

    path, query, body = higher(dict(step.path)), higher(dict(step.query)), higher(step.body)
    return replace(step, key=step.key + offset, path=path, query=query, body=body)


def _numbered(steps: Sequence[Step], first: int) -> list[Step]:
    return [step.renamed(first + n) for n, step in enumerate(steps)]
