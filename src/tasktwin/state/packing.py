"""Everything that a store holds, as bytes that another process can read."""
# ruff: noqa: A001 - what names a row is called its id everywhere

from typing import Any

import ormsgpack

from tasktwin.errors import MisuseError
from tasktwin.state.agenda import Agenda
from tasktwin.state.log import Log, Topic
from tasktwin.state.memory import MemorySnapshot
from tasktwin.state.store import Event, Snapshot, Timer
from tasktwin.state.table import Table


def pack(snapshot: Snapshot) -> bytes:
    """A snapshot as MessagePack. Raises ``MisuseError`` for one of another kind of store."""
    if not isinstance(snapshot, MemorySnapshot):
        raise MisuseError("this snapshot was taken by another kind of store")
    tables = {
        name: [table.created, [[id, table.sequences[id], row] for id, row in table.rows.items()]]
        for name, table in snapshot.tables.items()
    }
    log, agenda = snapshot.log, snapshot.agenda
    topics = {
        name: [each.oldest, each.newest, each.touched, [_plain(one) for one in each.events.values()], _plain(each.last)]
        for name, each in log.topics.items()
    }
    retired = {name: _plain(last) for name, last in log.retired.items()}
    timers = [[armed, each.due, each.lifecycle, each.row, each.name] for _, armed, each in agenda.live.values()]
    return ormsgpack.packb([tables, snapshot.counters, [log.writes, topics, retired], [agenda.arming, timers]])


def unpack(packed: bytes) -> MemorySnapshot:
    """The snapshot that was packed."""
    tables, counters, (writes, topics, retired), (arming, timers) = ormsgpack.unpackb(packed)
    era = object()
    log = Log(era)
    log.writes = writes
    log.retired = {name: Event(name, *last) for name, last in retired.items()}
    for name, (oldest, newest, touched, events, last) in topics.items():
        kept = {number: Event(name, number, *rest) for number, *rest in events}
        end = kept.get(newest) or (Event(name, *last) if last else None)
        log.topics[name] = Topic(era, oldest, newest, touched, kept, end)
    agenda = Agenda(era)
    for armed, *timer in timers:
        made = Timer(*timer)
        agenda.change((made.lifecycle, made.row), (made.due, armed, made))
    agenda.arming = arming
    return MemorySnapshot({name: _table(era, *each) for name, each in tables.items()}, counters, log, agenda)


def _table(era: object, created: int, rows: list[list[Any]]) -> Table:
    table = Table(era)
    for id, sequence, row in rows:
        table.rows[id], table.sequences[id] = row, sequence
    table.created = created
    return table


def _plain(event: Event | None) -> list[Any] | None:
    return [event.number, event.instant, event.kind, event.data, event.serial] if event else None
