"""The texts of a table's rows, joined, so that a search runs through them at the speed of memory.

Texts are joined by chunks of neighbouring rows; of what was written since the last search only the chunks are joined anew.
"""
# ruff: noqa: A002 - what names a row is called its id everywhere

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from tasktwin.wire import Json

CHUNK: Final = 512
"""So many rows, by their creation sequence, are joined to one text."""

MOST_WRITTEN: Final = 10_000
"""After so many writes without a search nothing is known any more, and all is joined anew."""

_BETWEEN: Final = "\0"


class _Chunk(NamedTuple):
    """Rows by id, where the texts of each begin in the joined ``text``, and those that hold lists."""

    ids: tuple[str, ...]
    starts: tuple[int, ...]
    text: str
    lists: tuple[str, ...]


class Texts:
    """The texts of some fields of all rows."""

    __slots__ = ("_count", "_known", "_written", "chunks", "fields")

    def __init__(self, fields: tuple[str, ...]) -> None:
        """None is joined yet."""
        self.fields = fields
        self.chunks: dict[int, _Chunk] = {}
        self._written: dict[int, dict[str, None]] | None = None  # None: all of them
        self._count = 0
        self._known: tuple[str, frozenset[str]] | None = None

    def copy(self) -> "Texts":
        """The same for a table that goes on by itself; what is joined is shared."""
        twin = Texts(self.fields)
        twin.chunks, twin._known, twin._count = self.chunks.copy(), self._known, self._count
        if self._written is not None:
            twin._written = {number: ids.copy() for number, ids in self._written.items()}
        return twin

    def write(self, id: str, sequence: int) -> None:
        """A row was made, changed or removed."""
        if self._written is None:
            return
        self._written.setdefault(sequence // CHUNK, {})[id] = None
        self._count += 1
        if self._count > MOST_WRITTEN:
            self.chunks.clear()
            self._written = None

    def holding(self, text: str, rows: Mapping[str, dict[str, Json]], sequences: Mapping[str, int]) -> frozenset[str]:
        """The ids of the rows that a search for ``text`` finds."""
        if self._written is None:
            self._written = {}
            for key, sequence in sequences.items():
                self._written.setdefault(sequence // CHUNK, {})[key] = None
        if self._written:
            self._join(self._written, rows, sequences)
            self._written, self._count, self._known = {}, 0, None
        if self._known is None or self._known[0] != text:
            self._known = text, frozenset(self._found(text, rows))
        return self._known[1]

    def _found(self, text: str, rows: Mapping[str, dict[str, Json]]) -> Iterator[str]:
        wanted = text.casefold()
        if not wanted or _BETWEEN in wanted:  # which is found where texts meet
            yield from (id for id, row in rows.items() if holds(row, self.fields, text))  # noqa: A001 - as above
            return
        for chunk in self.chunks.values():
            yield from (id for id in chunk.lists if holds(rows[id], self.fields, text))  # noqa: A001 - as above
            at = chunk.text.find(wanted)
            while at >= 0:
                place = bisect_right(chunk.starts, at)
                yield chunk.ids[place - 1]
                at = chunk.text.find(wanted, chunk.starts[place]) if place < len(chunk.starts) else -1

    def _join(
        self,
        written_by_chunk: Mapping[int, Iterable[str]],
        rows: Mapping[str, dict[str, Json]],
        sequences: Mapping[str, int],
    ) -> None:
        for number, written in written_by_chunk.items():
            former = self.chunks.get(number)
            ids = [
                key
                for key in dict.fromkeys((*(former.ids if former else ()), *written))
                if key in rows and sequences[key] // CHUNK == number
            ]
            if ids:
                self.chunks[number] = _chunk(ids, rows, self.fields)
            elif former:
                del self.chunks[number]


def holds(row: Mapping[str, Json], fields: Iterable[str], part: Json) -> bool:
    """Whether one of the fields contains this."""
    return any(contains(row.get(name), part) for name in fields)


def contains(value: Json, part: Json) -> bool:
    """Whether a text holds another in any case, or a list holds an item."""
    if isinstance(value, str) and isinstance(part, str):
        return part.casefold() in value.casefold()
    return isinstance(value, list) and part in value


def _chunk(ids: list[str], rows: Mapping[str, dict[str, Json]], fields: tuple[str, ...]) -> _Chunk:
    starts, texts, lists, length = [], [], [], 0
    for id in ids:  # noqa: A001 - as above
        values = [rows[id].get(name) for name in fields]
        text = _BETWEEN.join([value.casefold() for value in values if isinstance(value, str)])
        starts.append(length)
        texts.append(text)
        length += len(text) + 1
        if any(isinstance(value, list) for value in values):
            lists.append(id)
    return _Chunk(tuple(ids), tuple(starts), _BETWEEN.join(texts), tuple(lists))
