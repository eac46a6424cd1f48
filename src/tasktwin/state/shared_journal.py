"""What several processes saw of the world that they share: one journal and one set of counts, in Redis.

Nothing rests on the order of what is seen, so it is told and not waited for. It is read when somebody wants to know.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import ormsgpack

from tasktwin.errors import UnavailableError
from tasktwin.state.commit_log import CommitLog
from tasktwin.state.ids import make_nonce
from tasktwin.state.journal import Entry, Journal, Note, clipped
from tasktwin.state.redis_link import Heard, Script

MOST_UNSENT: Final = 1_000
"""So many notes wait for a Redis that does not answer; the oldest give way."""

CHUNK: Final = 1_000
"""So many entries are read at once."""

# KEYS: the journal's own hash (newest, cleared, era), the entries, the counts; for a commit that is carried, the world's
# version and its log.
_NOTE = Script("""
local limit, notes = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 1, notes do
  local n = redis.call('HINCRBY', KEYS[1], 'newest', 1)
  if limit > 0 then redis.call('XADD', KEYS[2], 'MAXLEN', '~', limit, n .. '-0', 'e', ARGV[4 + i]) end
end
for i = 5 + notes, #ARGV, 2 do redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1]) end
redis.call('PUBLISH', KEYS[2], '')
if ARGV[3] == '' then return 0 end
local v = redis.call('GET', KEYS[4])
if not v then return -1 end
local n = tonumber(v) + 1
redis.call('SET', KEYS[4], n)
redis.call('XADD', KEYS[5], n .. '-0', 'c', ARGV[3], 't', ARGV[4])
redis.call('PUBLISH', KEYS[4], n)
return n
""")
_LOOK = Script("""
local own = redis.call('HMGET', KEYS[1], 'newest', 'cleared', 'era')
local from = own[3] == ARGV[1] and ARGV[2] or '0'
local entries = redis.call('XRANGE', KEYS[2], '(' .. from .. '-0', '+', 'COUNT', ARGV[3])
return {own[1] or '0', own[2] or '0', own[3] or '', entries, redis.call('HGETALL', KEYS[3])}
""")
_CLEAR = Script("""
redis.call('HSET', KEYS[1], 'cleared', redis.call('HGET', KEYS[1], 'newest') or '0')
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', KEYS[2], '')
""")
_RESET = Script("""
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'era', ARGV[1])
redis.call('PUBLISH', KEYS[2], '')
""")


class Tally(Counter[Any]):
    """A count by pairs, which remembers what was added since that was last told."""

    def __init__(self) -> None:
        super().__init__()
        self.added: dict[tuple[str, str | int], int] = {}

    def __setitem__(self, key: Any, value: int) -> None:
        self.added[key] = self.added.get(key, 0) + value - self.get(key, 0)
        super().__setitem__(key, value)

    def hold(self, counts: Mapping[Any, int]) -> None:
        """Be these, whatever it was."""
        self.clear()
        self.added.clear()
        dict.update(self, counts)


class SharedJournal(Journal):
    """A journal of which every process sees all that ``look`` took in last; and the ``tallies`` of answers, transitions and events."""

    __slots__ = ("_carried", "_era_name", "_keys", "_link", "_places", "_unsent", "channel", "tallies")

    def __init__(self, log: CommitLog, limit: int = 1000) -> None:
        """The one of the world whose commits these are. Raises ``MisuseError`` for a negative limit."""
        super().__init__(limit)
        self._link = log.link
        self._keys = [f"tasktwin:{log.name}:{part}" for part in ("seen", "journal", "tally")]
        self._places = [*self._keys, log.keys[0], log.keys[2]]
        self._carried: tuple[bytes, str, Heard] | None = None
        self.channel = self._keys[1]
        self._unsent: list[bytes] = []
        self._era_name = b""
        self.tallies = (Tally(), Tally(), Tally())

    @property
    def keys(self) -> list[str]:
        """Where it is kept."""
        return self._keys

    def note(self, note: Note) -> None:
        """Write down an exchange, and tell what was counted."""
        self._tell(clipped(note), is_entry=False)

    def _keep(self, entry: Entry) -> Entry:
        self._tell(entry, is_entry=True)
        return entry

    def _tell(self, seen: Note | Entry, *, is_entry: bool) -> None:
        if len(self._unsent) >= MOST_UNSENT:
            del self._unsent[0]
        self._unsent.append(ormsgpack.packb([is_entry, *seen]))
        try:
            self.flush()
        except UnavailableError:
            return  # it is told with the next one

    def carry(self, ops: bytes, token: str, heard: Heard) -> None:
        """Take a commit along that rests on nothing; ``heard`` is told its number later, -1 if the world was deleted."""
        if self._carried:
            self.flush()
        self._carried = (ops, token, heard)

    def flush(self) -> None:
        """Tell what was not told yet. Raises ``UnavailableError``."""
        counts: list[str | int] = []
        for place, tally in enumerate(self.tallies):
            for (first, second), number in tally.added.items():
                counts += (f"{place}\n{first}\n{second}", number)
        if not (self._unsent or counts or self._carried):
            return
        ops, token, heard = self._carried or (b"", "", None)
        self._carried = None
        told = (self.limit, len(self._unsent), ops, token, *self._unsent, *counts)
        self._link.tell(_NOTE, self._places, *told, heard=heard)
        self._link.push()
        self._unsent.clear()
        for tally in self.tallies:
            tally.added.clear()

    def look(self) -> None:
        """Take in what others wrote down and counted. Raises ``UnavailableError``."""
        self.flush()
        while True:
            newest, cleared, era, entries, counts = self._link.look(
                _LOOK, self._keys, self._era_name, self._number, CHUNK
            )
            if era != self._era_name:
                self._entries.clear()
                self._number, self._era_name = 0, era
                self.era += 1
            for key, (_, packed) in entries:
                self._take_in(int(key.partition(b"-")[0]), packed)
            if len(entries) < CHUNK:
                break
        self._number = int(newest)
        while self._entries and self._number - len(self._entries) < int(cleared):
            self._entries.popleft()
        self.dropped = self._number - int(cleared) - len(self._entries)
        self._hold(dict(zip(counts[::2], counts[1::2], strict=True)))

    def clear(self) -> None:
        """Forget all entries, for all."""
        super().clear()
        self._unsent.clear()
        self._link.look(_CLEAR, self._keys)

    def reset(self) -> None:
        """Forget all entries and counts, for all, and number from 1 again."""
        self._unsent.clear()
        for tally in self.tallies:
            tally.hold({})
        self._era_name = make_nonce().encode()
        self._link.look(_RESET, self._keys, self._era_name)
        self._entries.clear()
        self._number = self.dropped = 0
        self.era += 1

    def _take_in(self, number: int, packed: bytes) -> None:
        if number != self._number + 1:
            self._entries.clear()
        is_entry, *fields = ormsgpack.unpackb(packed)
        self._number = number
        if is_entry:
            self._entries.append(_entry(fields)._replace(number=number))
        else:
            self._entries.append(_note(fields))
            self._noted = True

    def _hold(self, counts: dict[bytes, bytes]) -> None:
        held: tuple[dict[Any, int], ...] = ({}, {}, {})
        for name, number in counts.items():
            place, first, second = name.decode().split("\n")
            held[int(place)][first, int(second) if place == "0" else second] = int(number)
        for tally, each in zip(self.tallies, held, strict=True):
            tally.hold(each)


def _note(fields: list[Any]) -> Note:
    note = Note(*fields)
    return note._replace(
        request_headers=[(name, value) for name, value in note.request_headers],
        extra=[(name, value) for name, value in note.extra],
        violations=tuple(note.violations),
    )


def _entry(fields: list[Any]) -> Entry:
    entry = Entry(*fields)
    return entry._replace(
        request_headers=tuple([(name, value) for name, value in entry.request_headers]),
        response_headers=tuple([(name, value) for name, value in entry.response_headers]),
        violations=tuple(entry.violations),
    )
