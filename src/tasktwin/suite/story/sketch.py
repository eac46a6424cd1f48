"""A story in the making, on the oracle alone: its steps, what they told, and the rows that are known by now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tasktwin.behaviour.beginning import Saved
from tasktwin.provider import Provider
from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.oracle import Answer, Oracle
from tasktwin.suite.story.step import Ref, Step, at
from tasktwin.wire import Json

DEEPEST = 4
"""Levels of an answer that are searched for identifiers."""

FIRST = 3
"""So many rows of a list are taken notice of."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A row that a story knows: its kind, where its identifier was told, what that is on the oracle, and who made it."""

    collection: str
    ref: Ref
    key: str
    maker: str


@dataclass(slots=True)
class Sketch:
    """Steps and what came of them. ``saved`` is the oracle's world behind them."""

    steps: list[Step] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)
    answers: dict[int, Json] = field(default_factory=dict)
    saved: Saved | None = None

    def look(self, ref: Ref) -> Json:
        """What a reference stands for on the oracle. Raises ``KeyError``."""
        return at(self.answers[ref.step], ref.pointer)

    def knows(self, collection: str) -> list[Handle]:
        """The rows of a kind, the newest first."""
        return [each for each in reversed(self.handles) if each.collection == collection]

    def next_key(self) -> int:
        """A key for a further step."""
        return self.steps[-1].key + 1 if self.steps else 1

    def fork(self) -> "Sketch":
        """Another one that begins like this."""
        return Sketch(list(self.steps), list(self.handles), dict(self.answers), self.saved)


class Desk:
    """Where stories are sketched: an oracle of its own, beginning anew for each."""

    def __init__(self, provider: Provider, inputs: Mapping[str, Inputs], now: int, seed: int) -> None:
        self.provider = provider
        self.inputs = inputs
        self.oracle = Oracle(provider, now, seed)
        self._began = self.oracle.world.save()

    def open(self, sketch: Sketch) -> None:
        """Let the oracle be where this sketch ends."""
        self.oracle.world.restore(sketch.saved or self._began)

    def answer(self, sketch: Sketch, step: Step) -> Answer:
        """What a step would bring; it happens."""
        if step.wait:
            self.oracle.until(self.oracle.now + round(step.wait * 1_000_000))
        return self.oracle.answer(step.request(self.provider.rules.contract, sketch.look))

    def take(self, sketch: Sketch, step: Step) -> Answer:
        """Add a step to a sketch."""
        answer = self.answer(sketch, step)
        sketch.steps.append(step)
        sketch.answers[step.key] = answer.shape
        if answer.good or answer.taken:
            known = {each.key for each in sketch.handles}
            sketch.handles += [each for each in self._told(step, answer.shape) if each.key not in known]
        return answer

    def state(self, handle: Handle) -> str:
        """The state that a row is in; "" for one without a lifecycle, ``gone`` for one that is no more."""
        row = self.oracle.row(handle.collection, handle.key)
        if row is None:
            return "gone"
        cycle = self.provider.rules.collections[handle.collection].lifecycle
        return str(row.get(cycle.field)) if cycle else ""

    def _told(self, step: Step, shape: Json) -> Iterator[Handle]:
        """The rows whose identifiers an answer tells."""
        each = self.inputs.get(step.operation)
        if each is None or step.base:
            return
        first = each.binding.shows or each.binding.collection
        names = [*([first.name] if first else []), *self.provider.rules.collections]
        for pointer, key in identifiers(shape, "", 0):
            kind = next((name for name in names if self.oracle.row(name, str(key)) is not None), None)
            if kind:
                yield Handle(kind, Ref(step.key, pointer), str(key), step.as_)


def identifiers(value: Json, pointer: str, depth: int) -> Iterator[tuple[str, Json]]:
    """Where an answer tells identifiers: within an envelope, and of the first rows of a list."""
    if depth > DEEPEST:
        return
    if isinstance(value, Mapping):
        if isinstance(value.get("id"), (str, int)):
            yield f"{pointer}/id", value["id"]
        for name, inner in value.items():
            yield from identifiers(inner, f"{pointer}/{name}", depth + 1)
    elif isinstance(value, list):
        for n, inner in enumerate(value[:FIRST]):
            yield from identifiers(inner, f"{pointer}/{n}", depth + 1)


def step_of(
    sketch: Sketch, each: Inputs, who: str, rows: Mapping[Place, Json], body: Mapping[str, Json] | None = None
) -> Step:
    """A step of an operation on these rows (references or identifiers), with a body if it takes one."""
    path: dict[str, Json] = dict(each.path)
    query: dict[str, Json] = {}
    sent: Json = dict(body) if body is not None else None
    for place, value in rows.items():
        if place.where == "path":
            path[place.name] = value
        elif place.where == "query":
            query[place.name] = value
        elif sent is not None and "/" not in place.name and (place.name in sent or place.name not in each.optional):
            sent[place.name] = value
    return Step(sketch.next_key(), each.operation.id, who, path, query, body=sent)
