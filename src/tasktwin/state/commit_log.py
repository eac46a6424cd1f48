"""The commits of one world in Redis or Valkey: a numbered log upon a base, which several processes read and write.

The number of a commit is the version of the world that it makes: Redis gives it, as the second half of an entry's name. Each of
these operations is one script or command, so that it is done wholly or not at all, whatever dies in between.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tasktwin.errors import ConflictError, GoneError, UnavailableError
from tasktwin.state.ids import make_nonce
from tasktwin.state.redis_link import RedisLink, Script

CHUNK: Final = 500
"""So many commits are read at once."""

# KEYS: where the world is kept, under that its life (a word that no other world of this name ever had), the last commit that
# others must have seen (strict), log, base and beginning; the epoch of all worlds. As long as the world lives its log holds at
# least one commit, so that a gap tells who is behind the base.
_HEAD: Final = """
local function key(part) return KEYS[1] .. ':' .. part end
local function newest() return tonumber(string.sub(redis.call('XREVRANGE', key('log'), '+', '-', 'COUNT', 1)[1][1], 3)) end
local function write(name, ops, token)
  local n = tonumber(string.sub(redis.call('XADD', key('log'), '0-' .. name, 'c', ops, 't', token), 3))
  redis.call('SET', key('strict'), n, 'KEEPTTL')
  redis.call('PUBLISH', key('life'), n)
  return n
end
"""
_NEWS = Script(
    _HEAD
    + """
local life = redis.call('GET', key('life'))
if not life then return redis.call('GET', KEYS[2]) or '' end
local base = redis.call('HGET', key('base'), 'v')
local from, v = tonumber(ARGV[2]), newest()
if life == ARGV[1] and from == v then return 1 end
if life ~= ARGV[1] or from > v or from < tonumber(base) then
  local world = redis.call('HGET', key('base'), 's')
  return {base, world or '', redis.call('GET', key('beginning')), redis.call('XRANGE', key('log'), '(0-' .. base, '+', 'COUNT', ARGV[3]), life, redis.call('GET', KEYS[2])}
end
return {false, false, false, redis.call('XRANGE', key('log'), '(0-' .. ARGV[2], '+', 'COUNT', ARGV[3])}
"""
)
# A Redis that came back without what it had last gives a number once more: what was written so is taken back.
_APPEND = Script(
    _HEAD
    + """
local told = redis.call('MGET', key('life'), key('strict'))
if told[1] ~= ARGV[1] then return -1 end
local held = tonumber(ARGV[2])
if tonumber(told[2]) > held then return 0 end
local n = write('*', ARGV[3], ARGV[4])
if n > held then return n end
redis.call('XDEL', key('log'), '0-' .. n)
return 0
"""
)
_REBASE = Script(
    _HEAD
    + """
local told = redis.call('MGET', key('life'), key('strict'))
if told[1] ~= ARGV[1] then return -1 end
local base, held = newest() + 1, tonumber(ARGV[2])
if tonumber(told[2]) > held or base <= held then return 0 end
redis.call('DEL', key('log'), key('base'))
redis.call('HSET', key('base'), 'v', base)
if ARGV[5] ~= '' then redis.call('HSET', key('base'), 's', ARGV[5]) end
return write(base + 1, ARGV[3], ARGV[4])
"""
)
_BEGIN = Script(
    _HEAD
    + """
if redis.call('EXISTS', key('life')) == 1 then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'NX')
redis.call('SET', key('life'), ARGV[1])
redis.call('DEL', key('log'), key('base'))
redis.call('SET', key('beginning'), ARGV[3])
redis.call('HSET', key('base'), 'v', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', key('base'), 's', ARGV[4]) end
return write(ARGV[2] + 1, ARGV[5], '')
"""
)
_COMPACT = Script(
    _HEAD
    + """
if redis.call('GET', key('life')) ~= ARGV[1] then return 0 end
local v = tonumber(ARGV[2])
if tonumber(redis.call('HGET', key('base'), 'v')) >= v or newest() < v then return 0 end
redis.call('HSET', key('base'), 'v', ARGV[2], 's', ARGV[3])
redis.call('XTRIM', key('log'), 'MINID', '0-' .. ARGV[2])
return 1
"""
)
_NOTHING: Final = b"\x90"
"""The ops of the commit that a world begins with."""


class Commit(NamedTuple):
    """One entry of the log. ``token`` is its author's own name for it."""

    number: int
    ops: bytes
    token: bytes


class News(NamedTuple):
    """Commits behind a version, at most ``CHUNK``; and the world upon which they stand, if it has to be read anew.

    ``base`` is that one's version, ``world`` what it held (empty: ``beginning``), ``beginning`` how it began.
    """

    commits: list[Commit]
    base: int | None = None
    world: bytes = b""
    beginning: bytes = b""


class ForgottenError(GoneError):
    """Redis has forgotten all that it knew. Whoever still holds the world may have it begun again."""


class CommitLog:
    """One world's commits under ``name``. Raises ``UnavailableError`` wherever Redis does not answer in time.

    ``epoch`` is a key that all worlds share: as long as it says the same, Redis has not forgotten everything.
    """

    def __init__(self, link: RedisLink, name: str, epoch: str = "") -> None:
        self.name = name
        self.link = link
        place = f"tasktwin:{name}"
        parts = ("life", "strict", "log", "base", "beginning", "snapshots")
        self.keys = [f"{place}:{part}" for part in parts]
        self.channel = self.keys[0]
        self._places = [place, epoch or f"{place}:epoch"]
        self._epoch = b""
        self._life = b""

    def news(self, version: int) -> News | None:
        """What happened behind a version, or ``None`` if nothing did; behind -1 it is all there is.

        Raises ``GoneError`` when the world was deleted or never was, and ``ForgottenError``.
        """
        found = self.link.look(_NEWS, self._places, self._life, version, CHUNK)
        if found == 1:
            return None
        if isinstance(found, bytes):
            if self._epoch and found != self._epoch:
                raise ForgottenError("Redis has forgotten everything")
            raise GoneError(f"the world {self.name!r} is not there")
        base, world, beginning, entries, *rest = found
        commits = [_commit(*each) for each in entries]
        if base is None:
            return News(commits)
        self._life, self._epoch = rest
        return News(commits, int(base), world, beginning)

    def is_life(self, life: bytes | None) -> bool:
        """Whether this word is that of the world that was looked at last; ``None`` is that of none."""
        return life == self._life

    def append(self, expected: int, ops: bytes, token: str, heard: Callable[[int | UnavailableError], None]) -> None:
        """Have a commit written; ``heard`` is told its number, or that Redis refused it. ``expected`` is the version that it rests on.

        The number is 0 when others wrote behind that version what rests on one too, and -1 if the world was deleted.
        """
        self.link.tell(_APPEND, self._places, self._life, expected, ops, token, heard=heard)

    def carry(self, ops: bytes, token: str, heard: Callable[[int], None]) -> None:
        """Have a commit written that rests on nothing; ``heard`` is told its number, -1 if there is none."""

        def hear(answer: bytes | UnavailableError | None) -> None:
            heard(_number(answer) if isinstance(answer, bytes) else -1)

        self.link.say("XADD", self.keys[2], "NOMKSTREAM", "0-*", "c", ops, "t", token, heard=hear)

    def begin(self, beginning: bytes, version: int = 0, world: bytes = b"") -> None:
        """Begin the world, unless it is there already; or have it go on at a later version, with all that it held then."""
        self.link.look(_BEGIN, self._places, make_nonce(), version, beginning, world, _NOTHING)

    def rebase(self, expected: int, world: bytes, ops: bytes, token: str) -> int:
        """Let the world be this (empty: its beginning) and then a commit; the number.

        Raises ``ConflictError`` when others wrote behind the version that was expected, and ``GoneError``.
        """
        number = int(self.link.run(_REBASE, self._places, self._life, expected, ops, token, world))
        if number < 0:
            raise GoneError("the world was deleted")
        if not number:
            raise ConflictError("somebody else wrote first")
        return number

    def compact(self, version: int, world: bytes) -> None:
        """Keep the whole world as it is at a version, and forget the commits that led there."""
        self.link.look(_COMPACT, self._places, self._life, version, world)

    # Snapshots that clients took

    def keep_snapshot(self, name: str, now: int, world: bytes) -> None:
        """Keep a snapshot in place of an older one of this name."""
        self.link.ask("HSET", self.keys[5], name, b"%d %s" % (now, world))

    def snapshot(self, name: str) -> tuple[int, bytes] | None:
        """When a snapshot was taken, and what it holds."""
        found = self.link.ask("HGET", self.keys[5], name)
        if found is None:
            return None
        now, _, world = found.partition(b" ")
        return int(now), world

    def drop_snapshot(self, name: str) -> bool:
        """Forget a snapshot; whether there was one."""
        return bool(self.link.ask("HDEL", self.keys[5], name))

    def snapshots(self) -> list[str]:
        """The names of the snapshots."""
        return sorted(name.decode() for name in self.link.ask("HKEYS", self.keys[5]))


def glance(logs: Sequence[tuple[CommitLog, int]]) -> list[list[Commit] | None]:
    """What was committed to each of several logs behind a version, in one question to the Redis of all.

    ``None`` where that cannot be told: the world is another one, or what lies between is no longer kept.
    """
    keys = [log.keys[2] for log, _ in logs]
    versions = [f"0-{version}" for _, version in logs]
    found, lives = logs[0][0].link.ask_all(  # in this order, so that no log of a later life is taken for this one's
        ("XREAD", "COUNT", CHUNK, "STREAMS", *keys, *versions),
        ("MGET", *[log.keys[0] for log, _ in logs]),
    )
    entries = {} if found is None else dict(found)
    told: list[list[Commit] | None] = []
    for (log, version), key, life in zip(logs, keys, lives, strict=True):
        commits = [_commit(*each) for each in entries.get(key.encode(), ())]
        is_whole = not commits or (commits[0].number == version + 1 and len(commits) < CHUNK)
        told.append(commits if is_whole and log.is_life(life) else None)
    return told


def _commit(key: bytes, fields: list[bytes]) -> Commit:
    _, ops, _, token = fields
    return Commit(_number(key), ops, token)


def _number(key: bytes) -> int:
    return int(key[2:])
