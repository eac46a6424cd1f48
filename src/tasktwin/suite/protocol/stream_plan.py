"""What makes a stream tell: a story that leads to its row, how it is asked for, and steps that cause events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice, product

from tasktwin.behaviour.stream import ENDED, Subscription
from tasktwin.behaviour.telling import StreamRule
from tasktwin.suite.lifecycle.atlas import NO_BODY, Atlas, Found
from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.sketch import Desk, Handle, Sketch, step_of
from tasktwin.suite.story.step import Step
from tasktwin.suite.story.telling import Topic
from tasktwin.wire import Json

MOST_STEPS = 6
"""Steps that cause events, at most."""

MOST_TRIES = 120
"""So many steps are tried for each of them."""

BATCH = 3
"""So many rows are sent together where a list of them is taken."""

OPEN = 60_000
"""The key of the step that opens the stream; further readers have those behind it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``prelude`` leads to the row, ``open`` opens its stream, ``causes`` let it tell. ``others`` are to be refused.

    ``makes``: opening it makes the row; what it tells comes with time.
    """

    name: str
    rule: StreamRule
    prelude: tuple[Step, ...]
    open: Step
    causes: tuple[Step, ...]
    others: tuple[str, ...] = ()
    makes: bool = False

    @property
    def topic(self) -> Topic:
        """What is listened to."""
        return Topic(self.name, self.rule, self.makes)


@dataclass(frozen=True, slots=True)
class _Scout:
    """Who looks for stories, and where."""

    desk: Desk
    atlas: Atlas
    principals: list[str]


@dataclass(slots=True)
class _Growth:
    """A story with what its stream has told: the kinds of events in the log, and whether it has ended."""

    sketch: Sketch
    kinds: set[str] = field(default_factory=set)
    used: dict[str, int] = field(default_factory=dict)
    count: int = 0
    ended: bool = False


def plans(desk: Desk, atlas: Atlas, all_: Mapping[str, Inputs], principals: list[str]) -> Iterator[Plan]:
    """A plan for each stream that can be reached."""
    rules, scout = desk.provider.rules, _Scout(desk, atlas, principals)
    for name, binding in rules.bindings.items():
        if binding.stream and name in all_:
            inputs = all_[name]
            if binding.verb == "create" and not inputs.needed:
                yield from _made(desk, inputs, binding.stream, principals)
            elif binding.collection:
                yield from _followed(scout, inputs, binding.stream, "")
        for label, method in binding.methods.items():
            row = rules.bindings[method.operation].collection
            if method.stream and row and method.operation in all_:
                yield from _followed(scout, all_[method.operation], method.stream, f"{name} {label}")


def as_rpc(desk: Desk, operation: str, label: str, step: Step, key: Json = "judge-1") -> Step:
    """A step of REST as the call of a JSON-RPC method that stands for it, by what the data say of its parameters."""
    spec = desk.provider.data["operations"][operation]["methods"][label]
    params: dict[str, Json] = {}
    for section, sent in (("path", step.path), ("body", step.body or {})):
        for name, text in spec.get(section, {}).items():
            if isinstance(text, str) and text.startswith("$params#/") and name in sent and sent[name] is not None:
                params[text.removeprefix("$params#/")] = sent[name]
    body = {"jsonrpc": "2.0", "id": key, "method": label, "params": params}
    return replace(step, operation=operation, path={}, query={}, body=body, about=label)


def _made(desk: Desk, inputs: Inputs, rule: StreamRule, principals: list[str]) -> Iterator[Plan]:
    for body in inputs.bodies:
        for who in principals:
            step = step_of(Sketch(), inputs, who, {}, body).renamed(OPEN)
            desk.open(Sketch())
            if _opened(desk, Sketch(), step):
                others = tuple(each for each in principals if each != who)
                yield Plan(inputs.operation.id, rule, (), step, (), others, makes=True)
                return


def _followed(scout: _Scout, inputs: Inputs, rule: StreamRule, label: str) -> Iterator[Plan]:
    """The stream of a row that other calls make."""
    desk, principals, place = scout.desk, scout.principals, inputs.main
    found = _beginning(scout.atlas, inputs.rows[place]) if place else None
    if place is None or found is None or found.handle is None:
        return
    sketch, handle = found.sketch, found.handle
    rows: dict[Place, Json] = {other: sketch.knows(kind)[0].ref for other, kind in inputs.needed.items()}
    rows[place] = handle.ref
    for who in dict.fromkeys([handle.maker, *principals]):
        step = step_of(sketch, inputs, who, rows).renamed(OPEN)
        if label:
            operation, _, method = label.partition(" ")
            step = as_rpc(desk, operation, method, step)
        desk.open(sketch)
        if _opened(desk, sketch, step):
            causes = _causes(scout, sketch, step, handle)
            others = [each for each in principals if each != who and not _opens(desk, sketch, replace(step, as_=each))]
            yield Plan(label or inputs.operation.id, rule, tuple(sketch.steps), step, causes, tuple(others))
            return


def _beginning(atlas: Atlas, collection: str) -> Found | None:
    """The shortest story that ends with such a row."""
    each = [one for one in atlas.places.values() if one.handle and one.handle.collection == collection]
    return min(each, key=lambda one: (len(one.sketch.steps), bool(one.step.wait)), default=None)


def _opened(desk: Desk, sketch: Sketch, step: Step) -> Subscription | None:
    return desk.oracle.listen(step.request(desk.provider.rules.contract, sketch.look))[1]


def _opens(desk: Desk, sketch: Sketch, step: Step) -> bool:
    desk.open(sketch)
    return _opened(desk, sketch, step) is not None


def _causes(scout: _Scout, sketch: Sketch, step: Step, handle: Handle) -> tuple[Step, ...]:
    """Steps that let the stream of a row tell something: each time what is new, the last word last."""
    now = _Growth(sketch.fork())
    _listen(scout.desk, now, step)
    for _ in range(MOST_STEPS):
        best: _Growth | None = None
        for further in _tries(scout, now, step, handle):
            if best is None or (best.ended and not further.ended):
                best = further
            if not further.ended and further.kinds - now.kinds:
                best = further
                break
        if best is None:
            break
        last = best.sketch.steps[-1].operation
        best.used = {**now.used, last: now.used.get(last, 0) + 1}
        now = best
        if now.ended:
            break
    return tuple(now.sketch.steps[len(sketch.steps) :])


def _tries(scout: _Scout, now: _Growth, step: Step, handle: Handle) -> Iterator[_Growth]:
    """The stories with one step more that makes the stream tell something."""
    desk = scout.desk
    for candidate in islice(_steps(scout, now, handle), MOST_TRIES):
        desk.open(now.sketch)
        further = _Growth(now.sketch.fork())
        answer = desk.take(further.sketch, candidate)
        if not answer.good or not answer.modelled:
            continue
        further.sketch.saved = desk.oracle.world.save()
        _listen(desk, further, step)
        if further.count > now.count:
            yield further


def _listen(desk: Desk, growth: _Growth, step: Step) -> None:
    """Find out what the stream's log holds behind a story."""
    reader = _opened(desk, growth.sketch, step)
    if reader is None:
        return
    events = desk.oracle.world.store.events(reader.topic, 0)
    reader.take()
    growth.kinds, growth.count = {each.kind for each in events}, len(events)
    growth.ended = reader.over == ENDED


def _steps(scout: _Scout, now: _Growth, handle: Handle) -> Iterator[Step]:
    """Whatever can be done to the row, what was done least first."""
    desk, sketch = scout.desk, now.sketch
    known = {one.collection for one in sketch.handles}
    writers = [
        each
        for each in desk.inputs.values()
        if each.writes and handle.collection in each.needed.values() and known.issuperset(each.needed.values())
    ]
    for each in sorted(writers, key=lambda one: now.used.get(one.operation.id, 0)):
        choices = [
            [handle.ref] if kind == handle.collection else [one.ref for one in sketch.knows(kind)[:1]]
            for kind in each.needed.values()
        ]
        for refs in product(*choices):
            rows: dict[Place, Json] = dict(zip(each.needed, refs, strict=True))
            for who in scout.principals:
                for body in [*_batches(each), *each.bodies[:2]] or NO_BODY:
                    yield step_of(sketch, each, who, rows, body)


def _batches(each: Inputs) -> Iterator[dict[str, Json]]:
    """A body with several rows in place of the one that its example shows, so that their order can be told."""
    for body in each.bodies[:1]:
        for name, value in body.items():
            if isinstance(value, list) and value and isinstance(value[0], Mapping):
                rows = [_numbered(value[0], n + 1) for n in range(BATCH)]
                if rows[0] != rows[1]:
                    yield {**body, name: rows}


def _numbered(value: Json, number: int) -> Json:
    """A value in which every text for people ends with a number."""
    if isinstance(value, Mapping):
        return {name: _numbered(inner, number) for name, inner in value.items()}
    return f"{value} ({number})" if isinstance(value, str) and " " in value else value
