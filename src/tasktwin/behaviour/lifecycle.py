"""A lifecycle is data: states, and transitions caused by an operation, a trigger or the passing of time."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from tasktwin.behaviour.condition import ALWAYS, Condition
from tasktwin.behaviour.expression import Reader
from tasktwin.errors import Problem

NEW = "new"
"""The pseudo state a row is in before it exists."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a fact comes from: ``kind`` is stated, observed or assumed; ``note`` the source's tag or the reason."""

    kind: str
    note: str
    reason: str = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Know what an answer says of itself that rests on this."""
        object.__setattr__(self, "reason", f"assumed: {self.note}" if self.kind == "assumed" else "state")

    def __str__(self) -> str:
        """As it is written in the data."""
        return f"assumed: {self.note}" if self.kind == "assumed" else f"{self.kind} {self.note}"


@dataclass(frozen=True, slots=True)
class State:
    """One state. ``final`` states are never left."""

    name: str
    final: bool
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What happens instead when an effect refuses with ``kind`` and the caller plays one of ``only``.

    The row goes to ``to`` and stays, and the answer is the refusal ``answer`` with the row as its data.
    """

    kind: str
    only: tuple[str, ...]
    to: str
    answer: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Transition:
    """One way from ``sources`` to ``to`` (``None``: the row stays where it is).

    Caused by ``operation`` or ``trigger``, or by time: ``after`` microseconds in the source state, if ``when`` holds on
    arrival there. ``only`` are the
    roles that may, ``requires`` the fields that must be set, ``refuse`` the kind of refusal in any other state.
    """

    name: str
    sources: tuple[str, ...]
    to: str | None
    provenance: Provenance
    operation: str | None = None
    trigger: str | None = None
    after: int | None = None
    only: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    refuse: str = ""
    effects: tuple[str, ...] = ()
    otherwise: tuple[Otherwise, ...] = ()
    values: Reader | None = None
    when: Condition = ALWAYS

    @property
    def cause(self) -> str:
        """How it is caused, for people: the operation, ``trigger NAME`` or ``after N s``."""
        if self.operation:
            return self.operation
        return f"after {self.after / 1_000_000:g} s" if self.after is not None else f"trigger {self.trigger}"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The life of the rows of one collection, told by one of their fields."""

    name: str
    collection: str
    field: str
    states: dict[str, State]
    transitions: dict[str, Transition]
    by_operation: dict[str, tuple[Transition, ...]] = dataclasses.field(init=False, default_factory=dict)
    by_trigger: dict[str, tuple[Transition, ...]] = dataclasses.field(init=False, default_factory=dict)
    timers: dict[str, Transition] = dataclasses.field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the transitions by what causes them."""
        for each in self.transitions.values():
            if each.operation:
                self.by_operation[each.operation] = (*self.by_operation.get(each.operation, ()), each)
            if not each.operation:
                trigger = each.trigger or each.name
                self.by_trigger[trigger] = (*self.by_trigger.get(trigger, ()), each)
            if each.after is not None:
                self.timers.update(dict.fromkeys(each.sources, each))

    def edges(self) -> Iterator[tuple[str, str, Transition]]:
        """Every arrow of the diagram: from, to, transition; fallbacks included."""
        for each in self.transitions.values():
            for source in each.sources:
                yield source, each.to or source, each
                for fallback in each.otherwise:
                    yield source, fallback.to, each

    def reachable(self) -> set[str]:
        """The states that a row can ever be in."""
        seen, edges = {NEW}, list(self.edges())
        while found := {to for source, to, _ in edges if source in seen and to not in seen}:
            seen |= found
        return seen - {NEW}

    def problems(self) -> list[Problem]:
        """Unreachable states, dead ends that are not final, final states that are left; ways and timers that mean nothing."""
        reachable, left = self.reachable(), {source for source, to, _ in self.edges() if to != source}
        found = []
        for name, state in self.states.items():
            at = f"/lifecycles/{self.name}/states/{name}"
            if name not in reachable:
                found.append(
                    Problem(f"state {name!r} can never be reached", at, hint="Add a transition to it, or remove it.")
                )
            elif not state.final and name not in left:
                found.append(Problem(f"state {name!r} is a dead end", at, hint="Say `final: true`, or add a way out."))
            if state.final and name in left:
                found.append(Problem(f"state {name!r} is final, yet a transition leaves it", at))
        return [*found, *self._senseless()]

    def _senseless(self) -> Iterator[Problem]:
        timed: dict[str, Transition] = {}
        for name, each in self.transitions.items():
            at = f"/lifecycles/{self.name}/transitions/{name}"
            if NEW in each.sources and not each.to:
                yield Problem("a transition from new needs a state to go to", at, hint="Add `to`.")
            if each.after is None:
                continue
            if NEW in each.sources:
                yield Problem("a timer cannot run before a row exists", at, hint="Let it begin in a state.")
            for source in each.sources:
                if timed.setdefault(source, each) is not each:
                    yield Problem(f"state {source!r} has a timer already: {timed[source].name!r}", at)
