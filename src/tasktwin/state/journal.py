"""What was asked of the twin and what it answered: a bounded ring, newest last."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple, TypeVar

from tasktwin.errors import MisuseError
from tasktwin.wire import Json

BODY_LIMIT = 64 * 1024
"""Bytes that the journal keeps of a body, the marker of a cut included."""

CLOSED = "stream closed: "
"""How the reason of an entry begins that is no exchange, but the end of a stream that one opened."""

WEIGHT = 1_024
"""Bytes that an entry is taken to weigh besides its bodies."""

_MARKER_ROOM = 64

REDACTED = "[redacted]"
"""What stands in the journal for a secret."""


class Entry(NamedTuple):
    """One exchange. A named tuple: each request makes one, in less than half of a frozen dataclass's time.

    ``instant`` is the world's time, ``seconds`` the real duration. ``path`` has the query. ``operation`` is "" when
    none matched, ``principal`` "" when nobody signed in. ``reason`` is the answer's ``Tasktwin-Reason``.
    ``number`` counts from 1 and is given by the journal. ``trouble`` is what a fault did, as it was ordered.
    """

    instant: int
    world: str
    method: str
    path: str
    status: int
    number: int = 0
    operation: str = ""
    principal: str = ""
    reason: str = ""
    seconds: float = 0.0
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: bytes = b""
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: bytes = b""
    violations: tuple[Json, ...] = ()
    trouble: Json = None


class Note(NamedTuple):
    """An exchange as it was on the wire: what ``Entry`` has, cheap to write down and decoded only when somebody reads.

    ``request_headers`` are raw and hold no secret any more. ``media`` is the answer's Content-Type, ``extra`` are its
    further headers.
    """

    instant: int
    world: str
    method: str
    path: str
    status: int
    operation: str
    principal: str
    reason: str
    seconds: float
    request_headers: Sequence[tuple[bytes, bytes]]
    request_body: bytes
    media: str
    extra: Sequence[tuple[str, str]]
    response_body: bytes
    violations: tuple[Json, ...]
    trouble: Json = None

    def entry(self, number: int) -> Entry:
        """The entry that this is, under its number."""
        return Entry(
            number=number,
            instant=self.instant,
            world=self.world,
            method=self.method,
            path=self.path,
            status=self.status,
            operation=self.operation,
            principal=self.principal,
            reason=self.reason,
            seconds=self.seconds,
            request_headers=tuple(
                [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.request_headers]
            ),
            request_body=self.request_body,
            response_headers=(("content-type", self.media), *self.extra),
            response_body=self.response_body,
            violations=self.violations,
            trouble=self.trouble,
        )


Seen = TypeVar("Seen", Entry, Note)


class Ledger:
    """What several journals weigh together. Beyond ``limit`` bytes ``relieve`` is called, which should clear some."""

    __slots__ = ("limit", "relieve", "size")

    def __init__(self, limit: int, relieve: Callable[[], None]) -> None:
        self.limit = limit
        self.relieve = relieve
        self.size = 0

    def add(self, size: int) -> None:
        """So many bytes more, or less."""
        self.size += size
        if self.size > self.limit:
            self.relieve()


class Journal:
    """The last ``limit`` entries. ``dropped`` counts those that gave way to newer ones since the last ``clear``.

    ``era`` changes when the numbers begin anew. ``size`` is what the entries weigh, which a ``ledger`` is told.
    """

    __slots__ = ("_entries", "_noted", "_number", "dropped", "era", "ledger", "limit", "size")

    def __init__(self, limit: int = 1000, ledger: Ledger | None = None) -> None:
        """Begin empty; a limit of 0 keeps nothing. Raises ``MisuseError`` for a negative limit."""
        if limit < 0:
            raise MisuseError("a journal's limit is not negative")
        self.limit = limit
        self._entries: deque[Entry | Note] = deque(maxlen=limit)
        self._noted = False
        self._number = 0
        self.ledger = ledger
        self.size = 0
        self.era = 0
        self.dropped = 0

    @property
    def newest(self) -> int:
        """The number of the last entry written; 0 before there was one."""
        return self._number

    @property
    def oldest(self) -> int:
        """The number of the first entry kept; one above the newest if none is."""
        return self._number - len(self._entries) + 1

    def __len__(self) -> int:
        return len(self._entries)

    def record(  # noqa: PLR0913 - an exchange has that many sides
        self,
        *,
        instant: int,
        world: str,
        method: str,
        path: str,
        status: int,
        operation: str = "",
        principal: str = "",
        reason: str = "",
        seconds: float = 0.0,
        request_headers: tuple[tuple[str, str], ...] = (),
        request_body: bytes = b"",
        response_headers: tuple[tuple[str, str], ...] = (),
        response_body: bytes = b"",
        violations: tuple[Json, ...] = (),
        trouble: Json = None,
    ) -> Entry:
        """Write down an exchange; the entry, as kept, comes back. The arguments are ``Entry``'s fields."""
        entry = Entry(
            number=self._number + 1,
            instant=instant,
            world=world,
            method=method,
            path=path,
            status=status,
            operation=operation,
            principal=principal,
            reason=reason,
            seconds=seconds,
            request_headers=request_headers,
            request_body=_clip(request_body),
            response_headers=response_headers,
            response_body=_clip(response_body),
            violations=violations,
            trouble=trouble,
        )
        return self._keep(entry)

    def note(self, note: Note) -> None:
        """Write down an exchange that most likely nobody will read."""
        note = clipped(note)
        self._number += 1
        self._noted = True
        self._append(note)

    def add(self, entry: Entry) -> Entry:
        """Write down an exchange made elsewhere, under this journal's next number."""
        return self._keep(clipped(entry)._replace(number=self._number + 1))

    def entries(
        self,
        operation: str | None = None,
        status: int | str | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> list[Entry]:
        """The entries that match, oldest first.

        ``operation`` is a glob, ``status`` a status or a class such as ``4xx``, ``since`` the number after which to
        begin. Of more than ``limit`` the oldest are given when reading on ``since`` a number, else the newest.
        Raises ``MisuseError`` for a status that is neither and for a negative limit.
        """
        if limit is not None and limit < 0:
            raise MisuseError("a limit is not negative")
        matching = self._matching(operation, status, since)
        if since is None and limit is not None:
            return list(deque(matching, maxlen=limit))
        return list(islice(matching, limit))

    def count(self, operation: str | None = None, status: int | str | None = None, since: int | None = None) -> int:
        """How many kept entries match."""
        return sum(1 for _ in self._matching(operation, status, since))

    def clear(self) -> None:
        """Forget all entries. Numbers go on, so that a reader who resumes misses nothing and sees nothing twice."""
        self._entries.clear()
        self.dropped = 0
        self._weigh(-self.size)

    def reset(self) -> None:
        """Forget all entries and number from 1 again."""
        self.clear()
        self._number = 0
        self.era += 1

    def _keep(self, entry: Entry) -> Entry:
        self._number = entry.number
        self._append(entry)
        return entry

    def forget(self) -> None:
        """Make room: all entries go, and count as dropped."""
        lost = self.dropped + len(self._entries)
        self.clear()
        self.dropped = lost

    def _append(self, entry: "Entry | Note") -> None:
        entries, size = self._entries, WEIGHT + len(entry.request_body) + len(entry.response_body)
        if len(entries) == self.limit:
            self.dropped += 1
            if not entries:
                return
            size -= _weight(entries[0])
        entries.append(entry)
        self.size += size
        if self.ledger and size:
            self.ledger.add(size)

    def _weigh(self, size: int) -> None:
        self.size += size
        if self.ledger:
            self.ledger.add(size)

    def _decoded(self) -> Iterator[Entry]:
        """All entries. What was only noted becomes an entry for good; the numbers in the ring have no gaps."""
        if self._noted:
            first = self._number - len(self._entries) + 1
            numbered = enumerate(self._entries, first)
            entries = [each if isinstance(each, Entry) else each.entry(number) for number, each in numbered]
            self._entries = deque(entries, maxlen=self.limit)
            self._noted = False
        return (entry for entry in self._entries if isinstance(entry, Entry))

    def _matching(self, operation: str | None, status: int | str | None, since: int | None) -> Iterator[Entry]:
        statuses = None if status is None else _statuses(status)
        return (
            entry
            for entry in self._decoded()
            if (since is None or entry.number > since)
            and (statuses is None or entry.status in statuses)
            and (operation is None or fnmatchcase(entry.operation, operation))
        )


def _weight(entry: Entry | Note) -> int:
    return WEIGHT + len(entry.request_body) + len(entry.response_body)


def redact(headers: Iterable[tuple[str, str]], secret: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The same headers, with the values of those named in ``secret`` (in lower case) replaced."""
    return tuple([(name, REDACTED if name.lower() in secret else value) for name, value in headers])


def _statuses(status: int | str) -> range:
    text = str(status).lower()
    if len(text) == 3 and text.isascii():
        if text.isdecimal():
            return range(int(text), int(text) + 1)
        if text[0].isdecimal() and text[1:] == "xx":
            return range(int(text[0]) * 100, int(text[0]) * 100 + 100)
    raise MisuseError(f"{text[:20]!r} is neither a status such as 404 nor a class such as 4xx")


def clipped(seen: Seen) -> Seen:
    """The same, with bodies within ``BODY_LIMIT``."""
    if len(seen.request_body) <= BODY_LIMIT and len(seen.response_body) <= BODY_LIMIT:
        return seen
    return seen._replace(request_body=_clip(seen.request_body), response_body=_clip(seen.response_body))


def _clip(body: bytes) -> bytes:
    if len(body) <= BODY_LIMIT:
        return body
    kept = body[: BODY_LIMIT - _MARKER_ROOM]
    return kept + b"\n[tasktwin cut %d bytes]" % (len(body) - len(kept))
