"""A store that several processes share: each holds a copy in memory, and the log of commits in Redis is the truth.

What a transaction wrote is one commit. Redis takes it only if nobody committed since this copy was refreshed; else the
transaction is undone here, the others' commits are taken in, and ``ConflictError`` says that it is to be done again.
Reads cost nothing but a look whether the version is still the same.
"""
# ruff: noqa: A002 - what names a row is called its id everywhere

from collections.abc import Callable
from typing import Any, Final, TypeVar

import ormsgpack

from tasktwin.errors import MisuseError, TasktwinError
from tasktwin.state.agenda import Agenda
from tasktwin.state.commit_log import CommitLog
from tasktwin.state.log import Log, Topic
from tasktwin.state.memory import MemoryStore
from tasktwin.state.store import Event, Row, Snapshot, Timer
from tasktwin.state.table import Table
from tasktwin.wire import Json

T = TypeVar("T")

TRIES: Final = 50
"""So often a single write is tried before others are taken to be in the way for ever."""

COMPACT_AFTER: Final = 1_000
"""Commits after which the whole world is kept anew, or as many as it has rows."""


class ConflictError(TasktwinError):
    """Somebody else committed first. Nothing was written; what they wrote is taken in: do it again."""


class RedisStore(MemoryStore):
    """The ``Store`` protocol upon a ``CommitLog``; all stores of one log must have the same limits.

    Every call that writes, ``begin`` and ``refresh`` raise ``UnavailableError`` when Redis does not answer.
    """

    __slots__ = ("_commits", "_op_marks", "_ops", "_version", "shared")

    def __init__(
        self, shared: CommitLog, event_limit: int = 20_000, topic_limit: int = 10_000, index_limit: int = 64
    ) -> None:
        """Begin with what is there, or found it empty. Raises ``MisuseError`` for a limit below 1."""
        super().__init__(event_limit, topic_limit, index_limit)
        self.shared = shared
        self._ops: list[tuple[Any, ...]] = []
        self._op_marks: list[int] = []
        self._version = 0
        self._commits = 0
        self.refresh()

    def refresh(self) -> bool:
        """Take in what others have committed; whether that was anything. Raises ``MisuseError`` in a transaction."""
        self._closed()
        version = self.shared.version()
        if version is not None and version == self._version:
            return False
        if version is None and self.shared.found(self._version, self._packed()):
            return False  # nobody knew it, or Redis has forgotten it: what is held here is what there is
        if version is None or version < self._version:
            self._load()
        while commits := self.shared.since(self._version):
            if commits[0][0] != self._version + 1:
                self._load()
                continue
            for number, commit in commits:
                self._apply(ormsgpack.unpackb(commit))
                self._version = number
                self._commits += 1
        if self.shared.version() != self._version:
            self._load()
        return True

    # Transactions

    def begin(self) -> None:
        """Open the transaction, upon what there is now."""
        if self._undo is None:
            self.refresh()
        super().begin()

    def mark(self) -> int:
        """A savepoint in the open transaction."""
        made = super().mark()
        self._op_marks.append(len(self._ops))
        return made

    def rollback(self, to: int = 0) -> None:
        """Undo all, or all since a mark."""
        super().rollback(to)
        del self._ops[self._op_marks[to - 1] if to else 0 :]
        del self._op_marks[to:]

    def commit(self) -> None:
        """Make all writes since ``begin`` final. Raises ``ConflictError``, and ``UnavailableError``; then all is undone."""
        self._opened()
        if self._ops:
            try:
                is_first = self.shared.append(self._version, ormsgpack.packb(self._ops))
            except BaseException:
                self.rollback()
                raise
            if not is_first:
                self.rollback()
                self.refresh()
                raise ConflictError("somebody else wrote first")
            self._version += 1
            self._commits += 1
            self._ops.clear()
        self._op_marks.clear()
        super().commit()
        if self._commits > max(COMPACT_AFTER, sum(len(table.rows) for table in self._tables.values())):
            self._commits = 0
            self.shared.compact(self._version, self._packed())

    def _write(self, work: Callable[[], T], *op: Any) -> T:
        """Write something down, in the open transaction or in one of its own. What came of it is False if nothing did."""

        def write() -> T:
            result = work()
            if result is not False:
                self._ops.append(op)
            return result

        return self._within(write)

    def _within(self, work: Callable[[], T]) -> T:
        """Do something in the open transaction, or in one of its own, as often as others come first."""
        if self._undo is not None:
            return work()
        for _ in range(TRIES):
            self.begin()
            result = work()
            try:
                self.commit()
            except ConflictError:
                continue
            return result
        raise ConflictError(f"others wrote first {TRIES} times")

    # Writes

    def put(self, collection: str, id: str, row: Row) -> None:
        """Create or replace a row."""
        self._write(lambda: MemoryStore.put(self, collection, id, row), "put", collection, id, row)

    def delete(self, collection: str, id: str) -> bool:
        """Remove a row; False when there was none."""
        return self._write(lambda: MemoryStore.delete(self, collection, id), "delete", collection, id)

    def number(self, name: str) -> int:
        """The next value of a named counter, from 1."""
        return self._write(lambda: MemoryStore.number(self, name), "number", name)

    def append(self, topic: str, instant: int, kind: str, data: Json) -> Event:
        """Write the next event of a topic."""
        return self._write(
            lambda: MemoryStore.append(self, topic, instant, kind, data), "append", topic, instant, kind, data
        )

    def arm(self, timer: Timer) -> None:
        """Set a timer, in place of the one that the row has in that lifecycle."""
        self._write(lambda: MemoryStore.arm(self, timer), "arm", timer.due, timer.lifecycle, timer.row, timer.name)

    def disarm(self, lifecycle: str, row: str) -> None:
        """Remove a row's timer, if there is one."""

        def remove() -> bool:
            is_armed = (lifecycle, row) in self._agenda.live
            MemoryStore.disarm(self, lifecycle, row)
            return is_armed

        self._write(remove, "disarm", lifecycle, row)

    def pop_due(self, now: int) -> Timer | None:
        """Take out the earliest timer that is due: of several stores one gets it."""
        return self._within(lambda: MemoryStore.pop_due(self, now))

    def restore(self, snapshot: Snapshot) -> None:
        """Hold what the snapshot holds; so do all others from now on."""
        super().restore(snapshot)
        world = self._packed()
        for _ in range(TRIES):
            if self.shared.rebase(self._version, world):
                self._version += 1
                self._commits = 0
                return
            self._version = self.shared.version() or 0
            if not self._version and self.shared.found(1, world):
                self._version = 1
                return
        raise ConflictError(f"others wrote first {TRIES} times")

    # What is shared

    def _apply(self, ops: list[list[Any]]) -> None:
        """Do what somebody else did."""
        for name, *arguments in ops:
            match name:
                case "put":
                    MemoryStore.put(self, *arguments)
                case "delete":
                    MemoryStore.delete(self, *arguments)
                case "number":
                    MemoryStore.number(self, *arguments)
                case "append":
                    MemoryStore.append(self, *arguments)
                case "arm":
                    MemoryStore.arm(self, Timer(*arguments))
                case "disarm":
                    MemoryStore.disarm(self, *arguments)
                case _:
                    raise MisuseError(f"a commit does {name!r}, which this version of the twin does not know")

    def _load(self) -> None:
        """Hold the world as it was kept last."""
        base = self.shared.base()
        if base is None:
            raise MisuseError("the log of commits has no base: somebody else writes under its name")
        self._version, world = base
        self._commits = 0
        self._unpack(ormsgpack.unpackb(world))

    def _packed(self) -> bytes:
        tables = {
            name: [table.created, [[id, table.sequences[id], row] for id, row in table.rows.items()]]  # noqa: A001
            for name, table in self._tables.items()
        }
        log = self._log
        topics = {
            name: [
                each.oldest,
                each.newest,
                each.touched,
                [_plain(one) for one in each.events.values()],
                _plain(each.last),
            ]
            for name, each in log.topics.items()
        }
        retired = {name: _plain(last) for name, last in log.retired.items()}
        timers = [
            [armed, each.due, each.lifecycle, each.row, each.name] for _, armed, each in self._agenda.live.values()
        ]
        return ormsgpack.packb([tables, self._counters, [log.writes, topics, retired], [self._agenda.arming, timers]])

    def _unpack(self, world: list[Any]) -> None:
        tables, counters, (writes, topics, retired), (arming, timers) = world
        self._era = object()
        self._tables = {name: self._table(*each) for name, each in tables.items()}
        self._counters = counters
        log = self._log = Log(self._era)
        log.writes = writes
        log.retired = {name: Event(name, *last) for name, last in retired.items()}
        for name, (oldest, newest, touched, events, last) in topics.items():
            kept = {number: Event(name, number, *rest) for number, *rest in events}
            end = kept.get(newest) or (Event(name, *last) if last else None)
            log.topics[name] = Topic(self._era, oldest, newest, touched, kept, end)
        agenda = self._agenda = Agenda(self._era)
        for armed, *timer in timers:
            made = Timer(*timer)
            agenda.change((made.lifecycle, made.row), (made.due, armed, made))
        agenda.arming = arming

    def _table(self, created: int, rows: list[list[Any]]) -> Table:
        table = Table(self._era)
        for id, sequence, row in rows:  # noqa: A001 - as above
            table.rows[id], table.sequences[id] = row, sequence
        table.created = created
        return table


def _plain(event: Event | None) -> list[Any] | None:
    return [event.number, event.instant, event.kind, event.data, event.serial] if event else None
