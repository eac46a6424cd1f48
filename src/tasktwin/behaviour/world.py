"""A world: everything a client can observe, and the one place where rows are made, changed and moved."""

from collections import Counter
from collections.abc import Callable, Container, Hashable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tasktwin.behaviour.adoption import refit
from tasktwin.behaviour.amount import canonical
from tasktwin.behaviour.beginning import Beginning, Saved
from tasktwin.behaviour.condition import ALWAYS, Condition
from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.fault import Faults
from tasktwin.behaviour.lifecycle import NEW, Transition
from tasktwin.behaviour.limit import Counts
from tasktwin.behaviour.remembered import Caller, Shown
from tasktwin.behaviour.rules import Collection, Rules
from tasktwin.behaviour.step import Step
from tasktwin.behaviour.transaction import Transaction
from tasktwin.errors import MisuseError, Refusal
from tasktwin.state import (
    Clock,
    Event,
    Journal,
    Query,
    Row,
    Store,
    Timer,
    format_instant,
    make_hex,
    make_uuid,
)
from tasktwin.wire import Json

T = TypeVar("T")

FIRINGS = 100_000
"""So many timers may fire in one advance of the clock; beyond it the data surely holds a loop."""

FARTHEST = 1e12
"""Seconds that one advance may be asked for; the calendar ends long before."""

JOURNAL = "journal"
"""The topic that stands for the world's journal; those of rows have a colon."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A timer that went off: which row took which transition, and when (instant, µs)."""

    instant: int
    collection: str
    row: str
    transition: str


class World:
    """One independent copy of an API's state. Not thread-safe: one caller at a time.

    ``limits`` says whether rate limits refuse (``on``), are only counted and told, or not looked at (``off``).
    ``passed`` are the transitions that the open transaction took. ``running`` are the idempotency keys whose first
    request is not answered yet, each with its fingerprint.
    ``inside`` a transaction no other is begun. ``era`` changes when the world's log is another one. While somebody has ``watched`` a stream, ``news`` are the
    topics that were written since it was last emptied; an undone write may stand there too.
    """

    shared = False
    """Whether other processes share it: see ``SharedWorld``."""

    def __init__(self, name: str, rules: Rules, store: Store, beginning: Beginning, journal: Journal) -> None:
        self.name = name
        self.rules = rules
        self.store = store
        self.beginning = beginning
        self.journal = journal
        self.snapshots: MutableMapping[str, Saved] = {}
        self.running: MutableMapping[str, str] = {}
        self.inside = False
        self.era = 0
        self.watched = 0
        self.news: set[str] = set()
        self.renew: Callable[[], Beginning] | None = None
        self.begin_again()

    def begin_again(self) -> None:
        """Back to the beginning: rows, identifiers, clock, events, timers, journal and counts.

        Raises ``MisuseError`` when the rules are others now, and their seeds cannot be sown.
        """
        if self.renew:
            self.beginning, self.renew = self.renew(), None
        self.store.restore(self.beginning.snapshot)
        self.clock = Clock(self.beginning.now, self.beginning.mode)
        self.instant = self.clock.now()
        self._refit(self.beginning.rules)
        self._forget()
        self.shown: dict[tuple[Hashable, ...], Shown] = {}
        self.callers: dict[tuple[object, ...], Caller] = {}
        self.counted = self._counts()
        self.limits = self.beginning.limits
        self.faults = Faults(self.beginning.seed)
        self.faults.put(self.beginning.faults)
        self.running.clear()
        self.frames: dict[tuple[int, str, int], Any] = {}
        self.era += 1
        self.passed: list[tuple[str, str]] = []
        self._written: tuple[int | None, str] = None, ""

    def _forget(self) -> None:
        """What was seen until now."""
        self.journal.reset()
        self.answered: Counter[tuple[str, int]] = Counter()
        self.taken: Counter[tuple[str, str]] = Counter()
        self.told: Counter[tuple[str, str]] = Counter()

    def _counts(self) -> Counts:
        return Counts()

    def agree(self, work: Callable[[], T]) -> T:
        """Do something as one with all who share the world; this one is nobody else's."""
        return work()

    @property
    def proposed(self) -> bool:
        """Whether it is still to be known what came of something."""
        return False

    def propose(self, work: Callable[[], T]) -> Callable[[], T]:
        """Do something as ``agree`` does, which is final at once; others may learn later what came of it."""
        result = work()
        return lambda: result

    def look(self) -> None:
        """Take in what others who share the world saw of it."""

    def end(self) -> None:
        """It is no more: whoever reads a stream of it sees that it is over."""
        self.era += 1
        self.journal.era += 1

    def flush(self) -> None:
        """Let others who share the world know at once what was seen of it here."""

    def adopt(self, rules: Rules, renew: Callable[[], Beginning]) -> Counter[str]:
        """Go on under other rules, with all that there is; what could not be kept, and how often.

        ``renew`` is asked how to begin when the world begins again. Who reads a stream sees that it is over.
        """
        old, self.rules = self.rules, rules
        self._written = None, ""
        if not self.beginning.forked:
            self.renew = renew
        self.shown.clear()
        self.callers.clear()
        self.frames.clear()
        self.era += 1
        return self._refit(old)

    def _refit(self, made_under: Rules | None) -> Counter[str]:
        """Make the rows fit the rules, if they were made under others."""
        return Counter() if made_under is None or made_under is self.rules else refit(self, made_under)

    def transaction(self) -> Transaction:
        """All of it or nothing: rows, events, timers, identifiers and what counts as covered."""
        return Transaction(self)

    def commit(self) -> None:
        """Make final what the open transaction wrote."""
        self.store.commit()

    def mark(self) -> tuple[int, int]:
        """A point in the transaction, for ``undo``."""
        return self.store.mark(), len(self.passed)

    def undo(self, mark: tuple[int, int]) -> None:
        """Be as at this point of the transaction."""
        self.store.rollback(mark[0])
        del self.passed[mark[1] :]

    def save(self) -> Saved:
        """A snapshot of now."""
        self.tick()
        return Saved(self.store.snapshot(), self.instant, self.rules)

    def restore(self, saved: Saved) -> None:
        """Back to a snapshot: its rows, events, timers and its time. The journal goes on; limits count from nothing."""
        self.store.restore(saved.snapshot)
        self.clock = Clock(saved.now, self.clock.mode)
        self.instant = saved.now
        self.counted = self._counts()
        self.era += 1
        self.frames.clear()
        self._refit(saved.rules)

    def stamps(self, collections: tuple[str, ...]) -> tuple[int, ...]:
        """Numbers that stand for the rows of these collections: as long as they are the same, the rows are."""
        return tuple(map(self.store.stamp, collections))

    def scope(self) -> Scope:
        """What every expression sees: the time, and how it is written."""
        return {"now": self.instant, "precision": self.rules.precision, "setting": self.rules.settings}

    def tick(self) -> None:
        """Let the world's time be now: timers that are due fire first, each at its own instant."""
        now = self.clock.now()
        due = self.store.next_due()
        if due is not None and due <= now:
            self.settle(now)
        self.instant = now

    def settle(self, now: int) -> list[Fired]:
        """Fire the timers due until ``now``, in order. Raises ``MisuseError`` when they never end."""
        fired: list[Fired] = []
        for _ in range(FIRINGS):
            timer = self.store.pop_due(now)
            if timer is None:
                break
            self.instant = max(self.instant, timer.due)
            if one := self._fire_timer(timer):
                fired.append(one)
        else:
            raise MisuseError(f"more than {FIRINGS} timers are due: advance the clock in smaller steps")
        self.instant = now
        return fired

    def advance(self, seconds: float) -> list[Fired]:
        """Move the clock forward and fire what falls due on the way, or do nothing.

        Raises ``MisuseError``: a negative number, a time beyond the calendar, more timers than ``FIRINGS``.
        """
        if not 0 <= seconds <= FARTHEST:
            raise MisuseError("the clock only moves forward, and not for ever: reset the world to go back")
        clock = self.clock.copy()
        clock.advance(round(seconds * 1_000_000))
        return self.turn(clock)

    def turn(self, clock: Clock) -> list[Fired]:
        """Go by another clock, which is not behind, and fire what falls due until its time; or do nothing.

        Raises ``MisuseError``: more timers than ``FIRINGS``.
        """
        self.tick()
        former, instant = self.clock, self.instant
        self.clock = clock
        try:
            with self.transaction():
                return self.settle(clock.now())
        except MisuseError:
            self.clock, self.instant = former, instant
            raise

    def read(self, collection: str, key: str) -> Row | None:
        """A row as it is kept, or ``None``."""
        return self.store.get(collection, key)

    def first(
        self, collection: str, where: Condition, scope: Scope, order: str = "", *, descending: bool = False
    ) -> Row | None:
        """The first row that fits a condition, or ``None``."""
        if where.alternatives:
            query = self.select(collection, where, scope, {})
            return self.store.first(query._replace(order=order, descending=descending)) if query else None
        if where.guards and not where.applies(scope):
            return None
        equal, keep = where.selection(scope)
        return self.store.first(Query(collection, equal, order, descending, keep))

    def select(self, collection: str, where: Condition, scope: Scope, asked: dict[str, Json]) -> Query | None:
        """The query for the rows that fit a condition and have the values ``asked`` for; ``None`` when none can."""
        either: list[tuple[tuple[str, Json], ...]] = []
        rest = False
        for each in where.alternatives or (where,):
            lines, keep = each.selection(scope)
            equal = dict(lines)
            fits = all(equal.setdefault(name, value) == value for name, value in asked.items())
            if fits and each.applies(scope):
                either.append(tuple(sorted(equal.items())))
                rest = rest or keep is not None
        if not either:
            return None
        keep = (lambda row: where.holds(scope, row)) if rest else None
        return Query(collection, either[0], keep=keep, either=tuple(either[1:]))

    def trigger(self, name: str, key: str, collection: str = "") -> Row:
        """Fire a transition that is not an API call. Raises ``MisuseError`` if unknown, ``Refusal`` if not allowed now."""
        named = [each for each in self.rules.lifecycles.values() if name in each.by_trigger]
        owners = [each for each in named if collection in ("", each.collection)]
        if len(owners) > 1:
            raise MisuseError(f"trigger {name!r} stands in several lifecycles: name the collection too")
        if named and not owners:
            moved = ", ".join(each.collection for each in named)
            raise MisuseError(f"trigger {name!r} moves no {collection!r}; it moves {moved}")
        if not owners:
            known = sorted({trigger for each in self.rules.lifecycles.values() for trigger in each.by_trigger})
            raise MisuseError(f"trigger {name!r} is unknown; known are {', '.join(known) or 'none'}")
        self.tick()
        row = self.store.get(owners[0].collection, key)
        if row is None:
            raise MisuseError(f"there is no {owners[0].collection} {key!r}")
        with self.transaction():
            return self.move(owners[0].collection, row, name, self.scope(), {})

    def tell(self, topic: str, kind: str, data: Json) -> Event:
        """Write an event, which whoever reads the topic will see."""
        if self.watched:
            self.news.add(topic)
        return self.store.append(topic, self.instant, kind, data)

    def make(self, name: str, fields: dict[str, Json]) -> Row:
        """Put a new row: its identifier, time stamps and defaults come from here. Unknown fields are dropped."""
        collection = self.rules.collections[name]
        row = {**collection.blank, **fields}
        if len(row) > len(collection.blank):
            row = {name: row[name] for name in collection.blank}
        if row.get(collection.id_field) is None:
            row[collection.id_field] = self.new_id(collection)
        for stamp in collection.stamped:
            if row.get(stamp) is None:
                row[stamp] = self.now()
        self._put(collection, row)
        return row

    def change(self, name: str, row: Row, **fields: Json) -> Row:
        """Replace a row by one with these fields changed, stamped now."""
        collection = self.rules.collections[name]
        changed = {**row, **fields}
        if collection.updated and collection.updated not in fields:
            changed[collection.updated] = self.now()
        self._put(collection, changed, fields)
        return changed

    def _put(self, collection: Collection, row: Row, changed: Container[str] | None = None) -> None:
        if collection.decimals:
            canonical(row, collection, changed)
        if collection.left_out:
            for name in collection.left_out:
                if row.get(name) is None:
                    row.pop(name, None)
        self.store.put(collection.name, str(row[collection.id_field]), row)

    def now(self) -> str:
        """The world's time as the provider writes it."""
        if self._written[0] != self.instant:
            self._written = self.instant, format_instant(self.instant, self.rules.precision)
        return self._written[1]

    def new_id(self, collection: Collection) -> Json:
        """The next identifier of a collection: the same seed and sequence give the same identifiers."""
        if collection.make_id == "number":
            number = self.store.number(f"id:{collection.name}")
            while self.store.get(collection.name, str(number)) is not None:  # a seeded row has it already
                number = self.store.number(f"id:{collection.name}")
            return number
        make = make_hex if collection.make_id == "hex" else make_uuid
        return make(self.beginning.seed, self.store.number("id"))

    def plays(self, scope: Scope, collection: Collection, row: Row, roles: tuple[str, ...]) -> bool:
        """Whether the caller has one of these roles towards the row; no roles: anybody has."""
        return not roles or any(collection.roles[role].holds(scope, row) for role in roles)

    def choose(self, scope: Scope, collection: Collection, row: Row | None, ways: tuple[Transition, ...]) -> Transition:
        """The way that this caller may take from this row's state. Raises ``Refusal``: first for the role, then for the state."""
        allowed = [way for way in ways if not way.only or self.plays(scope, collection, row or {}, way.only)]
        if not allowed:
            raise Refusal("forbidden", f"only {' or '.join(ways[0].only)} may do this")
        lifecycle = collection.lifecycle
        state = NEW if row is None or lifecycle is None else row.get(lifecycle.field)
        for way in allowed:
            if state in way.sources:
                return way
        raise Refusal(
            allowed[0].refuse,
            f"{collection.name} is {state}; {allowed[0].name} needs {' or '.join(allowed[0].sources)}",
        )

    def enter(self, scope: Scope, collection: Collection, way: Transition, before: Row | None, row: Row) -> Row:
        """Arrive with a row that was just written in its new state: run the effects, leave an event, arm the timer.

        When an effect refuses and the transition has a fallback for that, this effect is undone, the row goes to the
        fallback's state instead, and ``scope["told"]`` tells what to answer.
        """
        if way.requires and (missing := [name for name in way.requires if row.get(name) is None]):
            raise Refusal("invalid", f"{', '.join(missing)} must be set")
        if way.effects:
            row = self._affect(scope, collection, way, Step(self, scope, collection.name, row, before, way))
        self._arrive(collection, way, before, row)
        return row

    def _affect(self, scope: Scope, collection: Collection, way: Transition, step: Step) -> Row:
        """Run the effects. What can be undone alone has a savepoint: where nothing is to be done instead, all is undone."""
        for effect in way.effects:
            if not way.otherwise:
                self.rules.effects[effect](step)
                continue
            mark = self.mark()
            try:
                self.rules.effects[effect](step)
            except Refusal as refusal:
                self.undo(mark)
                self._fall_back(scope, collection, way, step, refusal)
                break
        return step.row

    def begin(self, name: str, trigger: str, scope: Scope, fields: dict[str, Json]) -> Row:
        """Make a row through the transition from nothing that a trigger causes. Raises ``Refusal`` like ``enter``."""
        collection = self.rules.collections[name]
        ways = collection.lifecycle.by_trigger.get(trigger, ()) if collection.lifecycle else ()
        if not ways:
            raise MisuseError(f"{name} has no trigger {trigger!r}")
        return self.create(scope, collection, self.choose(scope, collection, None, ways), fields)

    def create(self, scope: Scope, collection: Collection, way: Transition, fields: dict[str, Json]) -> Row:
        """Make a row through a transition from nothing."""
        assert collection.lifecycle is not None
        values = way.values(scope) if way.values else {}
        row = self.make(collection.name, {**fields, **values, collection.lifecycle.field: way.to})
        return self.enter(scope, collection, way, None, row)

    def move(self, name: str, row: Row, trigger: str, scope: Scope, fields: dict[str, Json]) -> Row:
        """Send a row through the transition that a trigger causes. Raises ``Refusal`` if its state forbids it."""
        collection = self.rules.collections[name]
        ways = collection.lifecycle.by_trigger.get(trigger, ()) if collection.lifecycle else ()
        if not ways:
            raise MisuseError(f"{name} has no trigger {trigger!r}")
        return self.pass_on(scope, collection, self.choose(scope, collection, row, ways), row, fields)

    def pass_on(self, scope: Scope, collection: Collection, way: Transition, row: Row, fields: dict[str, Json]) -> Row:
        """Take a transition with an existing row, whose ``fields`` change on the way."""
        scope = {**scope, "row": row} if scope.get("row") is not row else scope
        values = way.values(scope) if way.values else {}
        lifecycle = collection.lifecycle

        state = {lifecycle.field: way.to} if way.to and lifecycle else {}
        changed = self.change(collection.name, row, **{**fields, **values, **state})
        return self.enter(scope, collection, way, row, changed)

    def arm(self, collection: Collection, row: Row, since: int) -> None:
        """Start the timer of the state that a row is in, or stop the one it had."""
        lifecycle = collection.lifecycle
        if lifecycle is None or not lifecycle.timers:
            return
        key, way = str(row[collection.id_field]), lifecycle.timers.get(str(row.get(lifecycle.field)))
        if way is None or way.after is None or not self._may(way, row):
            self.store.disarm(lifecycle.name, key)
        else:
            self.store.arm(Timer(since + way.after, lifecycle.name, key, way.name))

    def _may(self, way: Transition, row: Row) -> bool:
        return way.when is ALWAYS or way.when.holds({**self.scope(), "row": row}, row)

    def _arrive(self, collection: Collection, way: Transition, before: Row | None, row: Row) -> None:
        lifecycle = collection.lifecycle
        if lifecycle is None:
            return
        source, state = before.get(lifecycle.field) if before else NEW, row.get(lifecycle.field)
        self.passed.append((lifecycle.name, way.name))
        if source != state and lifecycle.timers:
            self.arm(collection, row, self.instant)
        data = {"from": source, "to": state, "row": row}
        self.tell(collection.topic(row), way.name, data)

    def _fall_back(self, scope: Scope, collection: Collection, way: Transition, step: Step, refusal: Refusal) -> None:
        for each in way.otherwise:
            if each.kind == refusal.kind and self.plays(scope, collection, step.before or {}, each.only):
                if collection.lifecycle:
                    step.row = self.store.get(collection.name, str(step.row[collection.id_field])) or step.row
                    step.set(**{collection.lifecycle.field: each.to})
                scope.setdefault("told", {})["refusal"] = Refusal(each.answer, refusal.detail, data=step.row)
                return
        raise refusal

    def _fire_timer(self, timer: Timer) -> Fired | None:
        if not timer.lifecycle:
            self.store.delete(timer.name, timer.row)
            return None
        lifecycle = self.rules.lifecycles[timer.lifecycle]
        collection, way = self.rules.collections[lifecycle.collection], lifecycle.transitions[timer.name]
        row = self.store.get(collection.name, timer.row)
        if row is None or row.get(lifecycle.field) not in way.sources:
            return None
        try:
            with self.transaction():
                self.pass_on(self.scope(), collection, way, row, {})
        except Refusal as refusal:
            data = {"refused": str(refusal), "transition": way.name}
            self.tell(collection.topic(row), "timer-refused", data)
            return None
        return Fired(self.instant, collection.name, timer.row, way.name)
