"""The commits of one world in Redis or Valkey: a numbered log upon a base, which several processes read and write.

The number of a commit is the version of the world that it makes. Each of these operations is one script, so that it is done
wholly or not at all, whatever dies in between.
"""

from typing import Final, NamedTuple

from tasktwin.errors import ConflictError, GoneError
from tasktwin.state.ids import make_nonce
from tasktwin.state.redis_link import RedisLink, Script

CHUNK: Final = 500
"""So many commits are read at once."""

# KEYS: where the world is kept, under that its version, the last commit that others must have seen (strict), log, base and
# beginning; the epoch of all worlds.
_HEAD: Final = "local function key(part) return KEYS[1] .. ':' .. part end\n"
_NEWS = Script(
    _HEAD
    + """
local v = redis.call('GET', key('version'))
if v == ARGV[1] then return 1 end
if not v then return redis.call('GET', KEYS[2]) or '' end
local base = redis.call('HGET', key('base'), 'v')
local from = ARGV[1]
if tonumber(from) > tonumber(v) or tonumber(from) < tonumber(base or '0') then
  local world = redis.call('HGET', key('base'), 's')
  return {base, world or '', redis.call('GET', key('beginning')), redis.call('XRANGE', key('log'), base .. '-1', '+', 'COUNT', ARGV[2])}
end
return {false, false, false, redis.call('XRANGE', key('log'), from .. '-1', '+', 'COUNT', ARGV[2])}
"""
)
_APPEND = Script(
    _HEAD
    + """
local v = redis.call('GET', key('version'))
if not v then return -1 end
local n = tonumber(v) + 1
if tonumber(redis.call('GET', key('strict'))) > tonumber(ARGV[1]) or n <= tonumber(ARGV[1]) then return 0 end
redis.call('SET', key('strict'), n)
redis.call('SET', key('version'), n)
redis.call('XADD', key('log'), n .. '-0', 'c', ARGV[2], 't', ARGV[3])
redis.call('PUBLISH', key('version'), n)
return n
"""
)
_BEGIN = Script(
    _HEAD
    + """
if redis.call('EXISTS', key('version')) == 1 then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'NX')
redis.call('DEL', key('log'), key('base'))
redis.call('SET', key('beginning'), ARGV[3])
redis.call('HSET', key('base'), 'v', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', key('base'), 's', ARGV[4]) end
redis.call('SET', key('strict'), ARGV[2])
redis.call('SET', key('version'), ARGV[2])
return 1
"""
)
_REBASE = Script(
    _HEAD
    + """
local v = redis.call('GET', key('version'))
if not v then return -1 end
if tonumber(redis.call('GET', key('strict'))) > tonumber(ARGV[1]) then return 0 end
local base = tonumber(v) + 1
redis.call('DEL', key('log'), key('base'))
redis.call('HSET', key('base'), 'v', base)
if ARGV[2] ~= '' then redis.call('HSET', key('base'), 's', ARGV[2]) end
redis.call('XADD', key('log'), (base + 1) .. '-0', 'c', ARGV[3], 't', ARGV[4])
redis.call('SET', key('version'), base + 1)
redis.call('SET', key('strict'), base + 1)
redis.call('PUBLISH', key('version'), base + 1)
return base + 1
"""
)
_COMPACT = Script(
    _HEAD
    + """
local base = redis.call('HGET', key('base'), 'v')
if not base or tonumber(base) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', key('base'), 'v', ARGV[1], 's', ARGV[2])
redis.call('XTRIM', key('log'), 'MINID', ARGV[1] .. '-1')
return 1
"""
)


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
        self.channel = f"{place}:version"
        parts = ("version", "strict", "log", "base", "beginning", "snapshots")
        self.keys = [f"{place}:{part}" for part in parts]
        self._places = [place, epoch or f"{place}:epoch"]
        self._epoch = b""

    def news(self, version: int) -> News | None:
        """What happened behind a version, or ``None`` if nothing did; behind -1 it is all there is.

        Raises ``GoneError`` when the world was deleted or never was, and ``ForgottenError``.
        """
        found = self.link.look(_NEWS, self._places, version, CHUNK)
        if found == 1:
            return None
        if isinstance(found, bytes):
            if self._epoch and found != self._epoch:
                raise ForgottenError("Redis has forgotten everything")
            raise GoneError(f"the world {self.name!r} is not there")
        base, world, beginning, entries = found
        commits = [_commit(*each) for each in entries]
        if not self._epoch:
            self._epoch = self.link.ask("GET", self._places[1]) or b""
        return News(commits) if base is None else News(commits, int(base), world, beginning)

    def append(self, expected: int, ops: bytes, token: str) -> int:
        """Write a commit; its number. ``expected`` is the version that it rests on.

        Raises ``ConflictError`` when others wrote behind that version what rests on one too, and ``GoneError``.
        """
        return _made(self.link.run(_APPEND, self._places, expected, ops, token))

    def begin(self, beginning: bytes, version: int = 0, world: bytes = b"") -> None:
        """Begin the world, unless it is there already; or have it go on at a later version, with all that it held then."""
        self.link.look(_BEGIN, self._places, make_nonce(), version, beginning, world)
        self._epoch = self.link.ask("GET", self._places[1]) or b""

    def rebase(self, expected: int, world: bytes, ops: bytes, token: str) -> int:
        """Let the world be this (empty: its beginning) and then a commit; the number. Raises as ``append`` does."""
        return _made(self.link.run(_REBASE, self._places, expected, world, ops, token))

    def compact(self, version: int, world: bytes) -> None:
        """Keep the whole world as it is at a version, and forget the commits that led there."""
        self.link.look(_COMPACT, self._places, version, world)

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


def _commit(key: bytes, fields: list[bytes]) -> Commit:
    held = dict(zip(fields[::2], fields[1::2], strict=True))
    return Commit(int(key.partition(b"-")[0]), held[b"c"], held[b"t"])


def _made(number: int) -> int:
    if number < 0:
        raise GoneError("the world was deleted")
    if not number:
        raise ConflictError("somebody else wrote first")
    return number
