"""What a world keeps, as a protocol: rows, numbered counters, events, timers, transactions, snapshots.

A store serves one caller at a time: whoever shares it between threads holds a lock from ``begin`` to ``commit``.
Rows, event data and what a query returns are shared with the store, so nobody may change them in place.
"""
# ruff: noqa: A002 - what names a row is called its id everywhere

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from tasktwin.wire import Json

Row: TypeAlias = dict[str, Json]
"""A row: a JSON object. By agreement never changed once stored; ``put`` replaces it by a new one."""


class Query(NamedTuple):
    """Which rows, in which order. A named tuple: each look-up makes one, in a third of a frozen dataclass's time.

    ``equal``: pairs of field and value, sorted by field; a row must have them all. Values are strings, numbers,
    booleans or None; 1 equals 1.0 but not True, as in JSON, and a field that a row lacks counts as None.
    ``order``: a field, or "" for the order of creation. None comes first, then by type in the order array, boolean,
    number, object, string. Ties go by creation, in the same direction. Arrays and objects have some fixed order.
    ``keep``: a last test, without side effects, run on rows that ``equal`` selected.
    ``either``: further alternatives to ``equal``; a row that satisfies several comes once.
    ``search``: fields, and a text that one of them must hold in any case, or have as an item where it is a list.
    """

    collection: str
    equal: tuple[tuple[str, Json], ...] = ()
    order: str = ""
    descending: bool = False
    keep: Callable[[Row], bool] | None = None
    either: tuple[tuple[tuple[str, Json], ...], ...] = ()
    search: tuple[tuple[str, ...], str] | None = None


class Timer(NamedTuple):
    """Fire the transition ``name`` of a lifecycle on a row at the instant ``due``. A row has one timer per lifecycle."""

    due: int
    lifecycle: str
    row: str
    name: str


class Event(NamedTuple):
    """One entry of a topic's log.

    ``number`` counts 1, 2, 3 … within the topic, without gaps; ``serial`` 0, 1, 2 … within one millisecond of it.
    """

    topic: str
    number: int
    instant: int
    kind: str
    data: Json
    serial: int = 0

    @property
    def moment(self) -> tuple[int, int]:
        """Millisecond and serial: they rise with the number, unless the clock was set back by a restored snapshot."""
        return self.instant // 1000, self.serial


class Snapshot:
    """All that a store held at one moment. Opaque, never changes, restorable many times and by other stores of its kind."""

    __slots__ = ()


class Store(Protocol):
    """The store of one world.

    Between ``begin`` and ``commit`` or ``rollback`` writes are provisional; reads see them. Outside of that each
    write is final at once. Calls out of place, negative offsets and limits raise ``MisuseError``.
    """

    def begin(self) -> None:
        """Open the transaction. Raises ``MisuseError`` when it is open already: transactions do not nest, marks do."""

    def commit(self) -> None:
        """Make all writes since ``begin`` final."""

    def mark(self) -> int:
        """A savepoint in the open transaction: 1 or more, to be given to ``rollback``."""
        ...

    def rollback(self, to: int = 0) -> None:
        """Undo all writes since ``begin`` and close the transaction; or, given a mark, only those since the mark.

        The transaction then stays open and the mark stays valid; later marks do not (``MisuseError``).
        """

    def get(self, collection: str, id: str) -> Row | None:
        """The row, or None."""
        ...

    def put(self, collection: str, id: str, row: Row) -> None:
        """Create or replace a row. A replaced row keeps its place in the order of creation."""

    def delete(self, collection: str, id: str) -> bool:
        """Remove a row; False when there was none. Put again it counts as new."""
        ...

    def find(self, query: Query, offset: int = 0, limit: int | None = None) -> list[Row]:
        """The rows that a query selects, in order, without the first ``offset``, at most ``limit``."""
        ...

    def count(self, query: Query) -> int:
        """How many rows a query selects."""
        ...

    def first(self, query: Query) -> Row | None:
        """The first row that a query selects, or None."""
        ...

    def stamp(self, collection: str) -> int:
        """A number that stands for the rows of a collection: as long as it is the same, they are the same."""

    def written(self) -> int:
        """A number that stands for all rows, perhaps of other stores too: as long as it is the same, they are the same."""
        ...

    def sizes(self) -> dict[str, int]:
        """Rows per collection, by name; empty collections are left out."""
        ...

    def number(self, name: str) -> int:
        """The next value of a named counter: 1, 2, 3 … A rollback gives the numbers back."""
        ...

    def append(self, topic: str, instant: int, kind: str, data: Json) -> Event:
        """Write the next event of a topic. The oldest events may be dropped to stay within the store's bounds."""
        ...

    def events(self, topic: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """The kept events of a topic with a number above ``after``, oldest first; none for an unknown topic."""
        ...

    def span(self, topic: str) -> tuple[int, int]:
        """The oldest number kept of a topic and the newest given; (1, 0) when nothing was ever written to it."""
        ...

    def topics(self) -> dict[str, tuple[int, int]]:
        """Per topic, by name: the oldest number kept and the newest given (oldest = newest + 1: none is kept)."""
        ...

    def arm(self, timer: Timer) -> None:
        """Set a timer, in place of the one that the row has in that lifecycle."""

    def disarm(self, lifecycle: str, row: str) -> None:
        """Remove a row's timer, if there is one."""

    def next_due(self) -> int | None:
        """When the earliest timer is due; None when there is no timer. O(1)."""
        ...

    def pop_due(self, now: int) -> Timer | None:
        """Take out the earliest timer that is due at ``now``; None when none is. Ties go by the order of arming."""
        ...

    def timers(self) -> list[Timer]:
        """All timers, in the order in which they will fire."""
        ...

    def snapshot(self) -> Snapshot:
        """All that the store holds now, what is provisional too."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Hold what the snapshot holds. Raises ``MisuseError`` for another kind of store's."""
