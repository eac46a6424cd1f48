"""The rows of one collection in memory, with indexes made on first use.

Tables are copied on write: one whose ``era`` is not its store's present era belongs to a snapshot too, and is only
read. Its indexes may still be added to, since an index says nothing that the rows do not; so forks share them.
"""
# ruff: noqa: A002 - what names a row is called its id everywhere

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby, islice
from typing import TypeAlias

from tasktwin.errors import MisuseError
from tasktwin.state.store import Query, Row
from tasktwin.state.text import Texts
from tasktwin.wire import Json

Key: TypeAlias = tuple[Json, ...]
"""What rows of one bucket have in common: their values, made comparable, in the fields that a query fixes."""

Place: TypeAlias = tuple[str, Json, int, str]
"""Where a row stands in its bucket: type and value of the ordering field, creation sequence, id."""

Shape: TypeAlias = tuple[tuple[str, ...], str]
"""What an index is for: the fields that a query fixes, and the field that orders."""

Equal: TypeAlias = tuple[tuple[str, Json], ...]
"""Fields and the values that a query fixes, by name."""

MOST_ALTERNATIVES = 8
"""Of so many alternatives the rows are counted from the indexes; each more could double the work."""

MOST_TEXTS = 4
"""So many sets of fields are kept joined for searches."""

FEW = 8
"""What a search finds is sorted if the rows to look through are so many times as many; else they are met in order."""


class Stamps:
    """Numbers for the states of all tables there are, of which no two share one. ``last`` was given last."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = 0

    def take(self) -> int:
        """The next."""
        self.last += 1
        return self.last


STAMPS = Stamps()

_NO_SCALAR = ...  # in a key: arrays and objects, which no query asks for


def comparable(value: Json) -> Json:
    """A value such that hash and equality are JSON's: Python holds True equal to 1, so booleans are wrapped."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return (value,)
    return value if isinstance(value, (int, float)) else _NO_SCALAR


def rank(value: Json) -> tuple[str, Json]:
    """What to sort a value by: its JSON type, then itself. NaN sorts as null, which is how it would be written."""
    if isinstance(value, str):
        return "string", value
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, (int, float)):
        return ("number", value) if value == value else ("", 0)  # noqa: PLR0124 - only NaN differs from itself
    if value is None:
        return "", 0
    return ("object" if isinstance(value, dict) else "array"), repr(value)


class Index:
    """Rows in buckets by the values of some fields, each bucket sorted.

    ``owned`` are the buckets that are not shared with an older table; None means all.
    """

    __slots__ = ("buckets", "fields", "order", "owned", "used")

    def __init__(self, shape: Shape) -> None:
        self.fields, self.order = shape
        self.buckets: dict[Key, list[Place]] = {}
        self.owned: set[Key] | None = None
        self.used = 0

    def copy(self) -> "Index":
        """An index that can be changed without changing this one; buckets are copied when they are written."""
        twin = Index((self.fields, self.order))
        twin.buckets = self.buckets.copy()
        twin.owned = set()
        twin.used = self.used
        return twin

    def place(self, id: str, row: Row, sequence: int) -> tuple[Key, Place]:
        """The bucket of a row and its place there."""
        key = tuple([comparable(row.get(field)) for field in self.fields])
        kind, value = rank(row.get(self.order)) if self.order else ("", 0)
        return key, (kind, value, sequence, id)

    def fill(self, rows: dict[str, Row], sequences: dict[str, int]) -> None:
        """Take in all rows of a table at once."""
        for id, row in rows.items():  # noqa: A001 - as above
            key, place = self.place(id, row, sequences[id])
            self.buckets.setdefault(key, []).append(place)
        for bucket in self.buckets.values():
            bucket.sort()

    def add(self, key: Key, place: Place) -> None:
        """Insert at the right place."""
        insort(self._writable(key), place)

    def remove(self, key: Key, place: Place) -> None:
        """Take out. Raises ``MisuseError`` when it is not there, as after a stored row was changed in place."""
        bucket = self._writable(key)
        at = bisect_left(bucket, place)
        if at == len(bucket) or bucket[at][3] != place[3]:
            raise MisuseError(f"row {place[3]!r} was changed in place after it was stored")
        del bucket[at]
        if not bucket:
            del self.buckets[key]
            if self.owned is not None:
                self.owned.discard(key)

    def _writable(self, key: Key) -> list[Place]:
        bucket = self.buckets.get(key)
        if bucket is None or (self.owned is not None and key not in self.owned):
            bucket = self.buckets[key] = [] if bucket is None else bucket.copy()
            if self.owned is not None:
                self.owned.add(key)
        return bucket


class Table:
    """The rows of a collection, their creation sequence, and at most ``index_limit`` indexes."""

    __slots__ = ("created", "era", "indexes", "rows", "sequences", "stamp", "texts", "uses")

    def __init__(self, era: object) -> None:
        self.era = era
        self.rows: dict[str, Row] = {}
        self.sequences: dict[str, int] = {}
        self.created = 0
        self.stamp = STAMPS.take()
        self.indexes: dict[Shape, Index] = {}
        self.texts: dict[tuple[str, ...], Texts] = {}
        self.uses = 0

    def copy(self, era: object) -> "Table":
        """A table of another era that can be changed without changing this one."""
        twin = Table(era)
        twin.rows = self.rows.copy()
        twin.sequences = self.sequences.copy()
        twin.created, twin.stamp, twin.uses = self.created, self.stamp, self.uses
        twin.indexes = {shape: index.copy() for shape, index in self.indexes.copy().items()}
        twin.texts = {fields: texts.copy() for fields, texts in self.texts.copy().items()}
        return twin

    def put(self, id: str, row: Row) -> Row | None:
        """Make this the row of that id, which keeps its creation sequence if there is one; the row that was there."""
        old = self.rows.get(id)
        if self.indexes or self.texts:
            self.change(id, row, self.created + 1 if old is None else self.sequences[id])
        else:
            self.stamp = STAMPS.take()
            self.rows[id] = row
        if old is None:
            self.created += 1
            self.sequences[id] = self.created
        return old

    def change(self, id: str, row: Row | None, sequence: int) -> None:
        """Make this the row of that id and creation sequence; None removes it. Serves writing and undoing alike."""
        self.stamp = STAMPS.take()
        if self.indexes:
            self._reindex(id, row, sequence)
        for texts in self.texts.values():
            texts.write(id, sequence)
        if row is None:
            self.rows.pop(id, None)
            self.sequences.pop(id, None)
        else:
            self.rows[id] = row
            self.sequences[id] = sequence

    def _reindex(self, id: str, row: Row | None, sequence: int) -> None:
        old, was = self.rows.get(id), self.sequences.get(id, 0)
        for index in self.indexes.values():
            before = None if old is None else index.place(id, old, was)
            after = None if row is None else index.place(id, row, sequence)
            if before == after:
                continue
            if before is not None:
                index.remove(*before)
            if after is not None:
                index.add(*after)

    def find(self, query: Query, offset: int, limit: int | None, index_limit: int) -> list[Row]:
        """A page of rows; see ``Store.find``."""
        rows = self.rows
        if query.keep is None and not query.either and query.search is None:
            bucket = self._bucket(query.equal, query.order, index_limit)
            return [rows[place[3]] for place in _page(bucket, offset, limit, descending=query.descending)]
        kept = filter(query.keep, self._walk(query, index_limit)) if query.keep else self._walk(query, index_limit)
        return list(islice(kept, offset, None if limit is None else offset + limit))

    def first(self, query: Query, index_limit: int) -> Row | None:
        """The first row; see ``Store.first``."""
        if query.keep is not None or query.either or query.search is not None:
            return next(iter(self.find(query, 0, 1, index_limit)), None)
        bucket = self._bucket(query.equal, query.order, index_limit)
        return self.rows[bucket[-1 if query.descending else 0][3]] if bucket else None

    def count(self, query: Query, index_limit: int) -> int:
        """How many rows; see ``Store.count``."""
        if query.keep is not None or query.search is not None or len(query.either) >= MOST_ALTERNATIVES:
            return sum(1 for row in self._walk(query, index_limit) if query.keep is None or query.keep(row))
        return self._size((query.equal, *query.either), query.order, index_limit)

    def _size(self, alternatives: tuple[Equal, ...], order: str, index_limit: int) -> int:
        """How many rows are in at least one of these: those in the first, those in the rest, less those in both."""
        if len(alternatives) == 1:
            return len(self._bucket(alternatives[0], order, index_limit))
        first, *rest = alternatives
        size = len(self._bucket(first, order, index_limit)) + self._size(tuple(rest), order, index_limit)
        both = tuple([one for other in rest if (one := _both(first, other)) is not None])
        return size - self._size(both, order, index_limit) if both else size

    def _walk(self, query: Query, index_limit: int) -> Iterator[Row]:
        """The rows of all alternatives in order, each once."""
        rows, down, found = self.rows, query.descending, None
        buckets = [self._bucket(equal, query.order, index_limit) for equal in (query.equal, *query.either)]
        if query.search is not None:
            found = self._search(*query.search)
            if len(found) * FEW <= sum(map(len, buckets)):
                return self._sorted(found, query)
        ordered = [reversed(bucket) if down else bucket for bucket in buckets]
        places = ordered[0] if len(ordered) == 1 else (place for place, _ in groupby(merge(*ordered, reverse=down)))
        return (rows[place[3]] for place in places if found is None or place[3] in found)

    def _search(self, fields: tuple[str, ...], text: str) -> frozenset[str]:
        texts = self.texts.get(fields)
        if texts is None:
            if len(self.texts) >= MOST_TEXTS:
                del self.texts[next(iter(self.texts))]
            texts = self.texts[fields] = Texts(fields)
        return texts.holding(text, self.rows, self.sequences)

    def _sorted(self, ids: Iterable[str], query: Query) -> Iterator[Row]:
        """The rows of these that fit one of the alternatives, in order."""
        wanted = []
        for equal in (query.equal, *query.either):
            index = Index((tuple([field for field, _ in equal]), query.order))
            wanted.append((index, _comparable_key(index, tuple([value for _, value in equal]))))
        places = set()
        for id in ids:  # noqa: A001 - as above
            for index, sought in wanted:
                key, place = index.place(id, self.rows[id], self.sequences[id])
                if key == sought:
                    places.add(place)
        return (self.rows[place[3]] for place in sorted(places, reverse=query.descending))

    def _bucket(self, equal: Equal, order: str, index_limit: int) -> list[Place]:
        fields, key = zip(*equal, strict=True) if equal else ((), ())
        index = self.indexes.get((fields, order)) or self._make_index((fields, order), index_limit)
        self.uses += 1
        index.used = self.uses
        for value in key:
            if value.__class__ is not str:
                key = _comparable_key(index, key)
                break
        return index.buckets.get(key) or []

    def _make_index(self, shape: Shape, index_limit: int) -> Index:
        index = Index(shape)
        index.fill(self.rows, self.sequences)
        while len(self.indexes) >= index_limit:
            del self.indexes[min(self.indexes, key=lambda known: self.indexes[known].used)]
        self.indexes[shape] = index
        return index


def _both(one: Equal, other: Equal) -> Equal | None:
    """What rows of both have; ``None`` if there can be none."""
    fields = dict(one)
    for field, value in other:
        if comparable(fields.setdefault(field, value)) != comparable(value):
            return None
    return tuple(sorted(fields.items()))


def _comparable_key(index: Index, values: tuple[Json, ...]) -> Key:
    key = tuple([comparable(value) for value in values])
    if _NO_SCALAR in key:
        field = index.fields[key.index(_NO_SCALAR)]
        raise MisuseError(f"a query compares {field!r} with a string, a number, a boolean or None only")
    return key


def _page(bucket: list[Place], offset: int, limit: int | None, *, descending: bool) -> list[Place]:
    size = len(bucket)
    end = size if limit is None else min(offset + limit, size)
    if offset >= end:
        return []
    if descending:
        return bucket[size - end : size - offset][::-1]
    return bucket[offset:end]
