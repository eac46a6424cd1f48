"""A store in this process's memory. Snapshots and forks share what nobody has written since."""
# ruff: noqa: A002 - what names a row is called its id everywhere

from dataclasses import dataclass
from typing import Any, TypeAlias

from tasktwin.errors import MisuseError
from tasktwin.state.agenda import Agenda, Armed
from tasktwin.state.log import Log, Written
from tasktwin.state.store import Event, Query, Row, Snapshot, Timer
from tasktwin.state.table import STAMPS, Table
from tasktwin.wire import Json

Undo: TypeAlias = tuple[Any, ...]
"""How to take one write back: a method and its arguments. A tuple, because each write leaves one."""


@dataclass(frozen=True, slots=True)
class MemorySnapshot(Snapshot):
    """Tables, counters, events and timers, as they were."""

    tables: dict[str, Table]
    counters: dict[str, int]
    log: Log
    agenda: Agenda


class MemoryStore:
    """The ``Store`` protocol in memory.

    ``event_limit`` events are kept per topic, in at most ``topic_limit`` topics; ``index_limit`` indexes per collection,
    the longest unused being dropped. What is kept beyond that is as much as callers put in.
    """

    __slots__ = (
        "_agenda",
        "_bounds",
        "_counters",
        "_era",
        "_index_limit",
        "_log",
        "_marks",
        "_tables",
        "_undo",
    )

    def __init__(self, event_limit: int = 20_000, topic_limit: int = 10_000, index_limit: int = 64) -> None:
        """Begin empty. Raises ``MisuseError`` for a limit below 1."""
        if min(event_limit, topic_limit, index_limit) < 1:
            raise MisuseError("the limits of a store are at least 1")
        self._bounds = (event_limit, topic_limit)
        self._index_limit = index_limit
        # Tables, log and agenda of another era are shared with a snapshot, and copied before they are written.
        self._era = object()
        self._tables: dict[str, Table] = {}
        self._counters: dict[str, int] = {}
        self._log = Log(self._era)
        self._agenda = Agenda(self._era)
        self._undo: list[Undo] | None = None  # None: no transaction is open
        self._marks: list[int] = []

    # Transactions

    def begin(self) -> None:
        """Open the transaction."""
        if self._undo is not None:
            raise MisuseError("a transaction is open already")
        self._undo = []

    def commit(self) -> None:
        """Make all writes since ``begin`` final."""
        self._opened()
        self._undo = None
        if self._marks:
            self._marks = []

    def mark(self) -> int:
        """A savepoint in the open transaction."""
        self._marks.append(len(self._opened()))
        return len(self._marks)

    def rollback(self, to: int = 0) -> None:
        """Undo all, or all since a mark."""
        undo = self._opened()
        if not 0 <= to <= len(self._marks):
            raise MisuseError(f"the open transaction has no mark {to}")
        length = self._marks[to - 1] if to else 0
        while len(undo) > length:
            take_back, *arguments = undo.pop()
            take_back(*arguments)
        del self._marks[to:]
        if not to:
            self._undo = None

    def _opened(self) -> list[Undo]:
        if self._undo is None:
            raise MisuseError("no transaction is open")
        return self._undo

    # Rows

    def get(self, collection: str, id: str) -> Row | None:
        """The row, or None."""
        table = self._tables.get(collection)
        return None if table is None else table.rows.get(id)

    def put(self, collection: str, id: str, row: Row) -> None:
        """Create or replace a row."""
        table = self._tables.get(collection)
        if table is None or table.era is not self._era:
            table = self._writable(collection)
        old = table.put(id, row)
        if self._undo is not None:
            self._undo.append((self._put_back, collection, id, old, table.sequences[id]))

    def delete(self, collection: str, id: str) -> bool:
        """Remove a row; False when there was none."""
        old = self.get(collection, id)
        if old is None:
            return False
        table = self._writable(collection)
        sequence = table.sequences[id]
        table.change(id, None, sequence)
        if self._undo is not None:
            self._undo.append((self._put_back, collection, id, old, sequence))
        return True

    def find(self, query: Query, offset: int = 0, limit: int | None = None) -> list[Row]:
        """The rows that a query selects, in order."""
        if offset < 0 or (limit is not None and limit < 0):
            raise MisuseError("offset and limit are not negative")
        return self._readable(query.collection).find(query, offset, limit, self._index_limit)

    def count(self, query: Query) -> int:
        """How many rows a query selects."""
        return self._readable(query.collection).count(query, self._index_limit)

    def first(self, query: Query) -> Row | None:
        """The first row that a query selects, or None."""
        table = self._tables.get(query.collection)
        return None if table is None else table.first(query, self._index_limit)

    def stamp(self, collection: str) -> int:
        """A number that stands for the rows of a collection: as long as it is the same, they are the same."""
        table = self._tables.get(collection)
        return 0 if table is None else table.stamp

    def written(self) -> int:
        """A number that stands for the rows of all stores in memory."""
        return STAMPS.last

    def sizes(self) -> dict[str, int]:
        """Rows per collection."""
        return {name: len(table.rows) for name, table in sorted(self._tables.items()) if table.rows}

    def _readable(self, collection: str) -> Table:
        return self._tables.get(collection) or Table(self._era)

    def _writable(self, collection: str) -> Table:
        table = self._tables.get(collection)
        if table is None:
            table = self._tables[collection] = Table(self._era)
        elif table.era is not self._era:
            table = self._tables[collection] = table.copy(self._era)
        return table

    def _put_back(self, collection: str, id: str, row: Row | None, sequence: int) -> None:
        self._writable(collection).change(id, row, sequence)

    # Counters

    def number(self, name: str) -> int:
        """The next value of a named counter, from 1."""
        value = self._counters[name] = self._counters.get(name, 0) + 1
        if self._undo is not None:
            self._undo.append((self._number_back, name, value - 1))
        return value

    def _number_back(self, name: str, value: int) -> None:
        if value:
            self._counters[name] = value
        else:
            del self._counters[name]

    # Events

    def append(self, topic: str, instant: int, kind: str, data: Json) -> Event:
        """Write the next event of a topic."""
        log = self._log if self._log.era is self._era else self._own_log()
        written = log.append(topic, instant, kind, data, self._bounds)
        if self._undo is not None:
            self._undo.append((self._unwrite, written))
        return written.event

    def events(self, topic: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """The kept events of a topic with a number above ``after``."""
        if limit is not None and limit < 0:
            raise MisuseError("a limit is not negative")
        return self._log.read(topic, after, limit)

    def span(self, topic: str) -> tuple[int, int]:
        """The oldest number kept of a topic and the newest given."""
        return self._log.span(topic)

    def topics(self) -> dict[str, tuple[int, int]]:
        """The oldest number kept and the newest given, per topic."""
        return self._log.bounds()

    def _own_log(self) -> Log:
        if self._log.era is not self._era:
            self._log = self._log.copy(self._era)
        return self._log

    def _unwrite(self, written: Written) -> None:
        self._own_log().undo(written)

    # Timers

    def arm(self, timer: Timer) -> None:
        """Set a timer, in place of the one that the row has in that lifecycle."""
        if self._undo is not None:
            key = (timer.lifecycle, timer.row)
            self._undo.append((self._arm_back, key, self._agenda.live.get(key)))
        agenda = self._agenda if self._agenda.era is self._era else self._own_agenda()
        agenda.arm(timer)

    def disarm(self, lifecycle: str, row: str) -> None:
        """Remove a row's timer, if there is one."""
        key = (lifecycle, row)
        armed = self._agenda.live.get(key)
        if armed is not None:
            if self._undo is not None:
                self._undo.append((self._arm_back, key, armed))
            self._own_agenda().change(key, None)

    def next_due(self) -> int | None:
        """When the earliest timer is due."""
        armed = self._agenda.earliest()
        return None if armed is None else armed[0]

    def pop_due(self, now: int) -> Timer | None:
        """Take out the earliest timer that is due."""
        armed = self._agenda.earliest()
        if armed is None or armed[0] > now:
            return None
        timer = armed[2]
        self.disarm(timer.lifecycle, timer.row)
        return timer

    def timers(self) -> list[Timer]:
        """All timers, in the order in which they will fire."""
        return [timer for _, _, timer in sorted(self._agenda.live.values(), key=lambda armed: armed[:2])]

    def _own_agenda(self) -> Agenda:
        if self._agenda.era is not self._era:
            self._agenda = self._agenda.copy(self._era)
        return self._agenda

    def _arm_back(self, key: tuple[str, str], armed: Armed | None) -> None:
        self._own_agenda().change(key, armed)

    # Snapshots

    def snapshot(self) -> MemorySnapshot:
        """All that the store holds now."""
        self._era = object()
        return MemorySnapshot(self._tables.copy(), self._counters.copy(), self._log, self._agenda)

    def restore(self, snapshot: Snapshot) -> None:
        """Hold what the snapshot holds."""
        if not isinstance(snapshot, MemorySnapshot):
            raise MisuseError("this snapshot was taken by another kind of store")
        if self._undo is not None:
            self._undo.append((self._hold, self._tables, self._counters, self._log, self._agenda))
        self._hold(snapshot.tables.copy(), snapshot.counters.copy(), snapshot.log, snapshot.agenda)

    def _hold(self, tables: dict[str, Table], counters: dict[str, int], log: Log, agenda: Agenda) -> None:
        self._tables, self._counters, self._log, self._agenda = tables, counters, log, agenda
        STAMPS.take()  # other tables are here now, whose stamps are older
