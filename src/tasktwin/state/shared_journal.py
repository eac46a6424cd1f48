"""What several processes saw of the world that they share: one journal and one set of counts, in Redis.

Nothing rests on the order of what is seen, so it is told together, at the end of a turn, before the answers leave. It is read
when somebody wants to know. What is seen while Redis does not answer is lost.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import ormsgpack

from tasktwin.errors import UnavailableError
from tasktwin.state.commit_log import CommitLog
from tasktwin.state.ids import make_nonce
from tasktwin.state.journal import Entry, Journal, Note, clipped
from tasktwin.state.redis_link import Heard, Script

# KEYS: the journal's own hash (cleared, era), the entries, the counts. How many entries there ever were Redis counts itself.
_HEAD: Final = """
local function newest()
  if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
  local told = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #told, 2 do
    if told[i] == 'entries-added' then return told[i + 1] end
  end
end
"""
_LOOK = Script(
    _HEAD
    + """
local own = redis.call('HMGET', KEYS[1], 'cleared', 'era')
local from = (own[2] or '') == ARGV[1] and ARGV[2] or '0-0'
local entries = redis.call('XRANGE', KEYS[2], '(' .. from, '+')
return {newest(), own[1] or '0', own[2] or '', entries, redis.call('HGETALL', KEYS[3])}
"""
)
_CLEAR = Script(
    _HEAD
    + """
redis.call('HSET', KEYS[1], 'cleared', newest())
redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)
redis.call('PUBLISH', KEYS[2], '')
"""
)
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
    """A journal of which every process sees all that ``look`` took in last; and the ``tallies`` of answers, transitions and events.

    ``made`` is called when what it keeps in Redis may be new there, so that it does not stay longer than the world.
    While the world ``is_gone`` nothing is told: it would be found by the next world of its name, or stay for ever.
    """

    __slots__ = (
        "_carried",
        "_era_name",
        "_is_new",
        "_keys",
        "_link",
        "_log",
        "_seen",
        "_unsent",
        "channel",
        "is_gone",
        "made",
        "tallies",
    )

    def __init__(self, log: CommitLog, limit: int = 1000) -> None:
        """The one of the world whose commits these are. Raises ``MisuseError`` for a negative limit."""
        super().__init__(limit)
        self._link = log.link
        self._keys = [f"tasktwin:{log.name}:{part}" for part in ("seen", "journal", "tally")]
        self._log = log
        self._seen = b"0-0"
        self._carried: tuple[bytes, str, Heard] | None = None
        self.channel = self._keys[1]
        self._unsent: list[bytes] = []
        self._era_name = b""
        self.made: Callable[[], None] | None = None
        self._is_new = True
        self.is_gone = False
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
        self._unsent.append(ormsgpack.packb([is_entry, *seen]))
        with suppress(UnavailableError):  # then it is lost; the answer is not
            self.flush()

    def carry(self, ops: bytes, token: str, heard: Heard) -> None:
        """Take a commit along that rests on nothing; ``heard`` is told its number later, -1 if the world was deleted."""
        if self._carried:
            self.flush()
        self._carried = (ops, token, heard)

    def flush(self) -> None:
        """Tell what was not told yet. Raises ``UnavailableError``."""
        if self.is_gone:
            self._drop()
            return
        link, (_, entries, counts) = self._link, self._keys
        for each in self._unsent:
            link.say("XADD", entries, "MAXLEN", "~" if self.limit else "=", self.limit, "*", "e", each)
        is_told = bool(self._unsent)
        if is_told:
            self._unsent.clear()
            link.say("PUBLISH", entries, "")
        for place, tally in enumerate(self.tallies):
            for (first, second), number in tally.added.items():
                link.say("HINCRBY", counts, f"{place}\n{first}\n{second}", number)
            tally.added.clear()
        if self._carried:
            carried, self._carried = self._carried, None
            self._log.carry(*carried)
        if is_told and self._is_new and self.made:
            self._is_new = False
            self.made()
        link.settle()

    def look(self) -> None:
        """Take in what others wrote down and counted. Raises ``UnavailableError``."""
        self.flush()
        newest, cleared, era, entries, counts = self._link.look(_LOOK, self._keys, self._era_name, self._seen)
        first = newest - len(entries) + 1
        if era != self._era_name:
            self._entries.clear()
            self._era_name = era
            self.era += 1
        elif first != self._number + 1:  # what lay between is no longer kept
            self._entries.clear()
        self._number = newest - len(entries)
        for key, (_, packed) in entries:
            self._take_in(packed)
            self._seen = key
        self._number = newest
        while self._entries and self._number - len(self._entries) < int(cleared):
            self._entries.popleft()
        self.dropped = self._number - int(cleared) - len(self._entries)
        self._hold(dict(zip(counts[::2], counts[1::2], strict=True)))

    def clear(self) -> None:
        """Forget all entries, for all."""
        super().clear()
        self._unsent.clear()
        self._link.look(_CLEAR, self._keys)
        if self.made:
            self.made()

    def reset(self) -> None:
        """Forget all entries and counts, for all, and number from 1 again."""
        self._drop()
        self._era_name, self._seen, self._is_new = make_nonce().encode(), b"0-0", True
        self._link.look(_RESET, self._keys, self._era_name)
        self._entries.clear()
        self._number = self.dropped = 0
        self.era += 1

    def _drop(self) -> None:
        """Forget what was not told yet, and all counts."""
        self._unsent.clear()
        self._carried = None
        for tally in self.tallies:
            tally.hold({})

    def _take_in(self, packed: bytes) -> None:
        is_entry, *fields = ormsgpack.unpackb(packed)
        self._number += 1
        if is_entry:
            self._entries.append(_entry(fields)._replace(number=self._number))
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
