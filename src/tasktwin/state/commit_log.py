"""The commits of one world in Redis or Valkey: a numbered log upon a base, which several processes read and write.

The number of a commit is the version of the world that it makes. Each of these operations is one script, so that it is done
wholly or not at all, whatever dies in between.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar, cast

from tasktwin.errors import TasktwinError

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar("T")

PATIENCE: Final = 2.0
"""Seconds after which Redis counts as gone."""

CHUNK: Final = 500
"""So many commits are read at once."""

_APPEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[2], ARGV[2] .. '-0', 'c', ARGV[3])
return 1
"""
_FOUND = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[3], 'v', ARGV[1], 's', ARGV[2])
return 1
"""
_REBASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[3], 'v', ARGV[2], 's', ARGV[3])
return 1
"""
_COMPACT = """
if tonumber(redis.call('HGET', KEYS[3], 'v') or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[3], 'v', ARGV[1], 's', ARGV[2])
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[1] .. '-1')
return 1
"""


class UnavailableError(TasktwinError):
    """Redis does not answer. Whether the last commit was made is not known; what was told before stands."""


class CommitLog:
    """One world's commits under ``name``. Raises ``UnavailableError`` wherever Redis does not answer in time."""

    def __init__(self, client: "Redis", name: str) -> None:
        """``client`` gives bytes; see ``connected``."""
        self.name = name
        place = f"tasktwin:{{{name}}}"  # the braces keep a world's keys on one node of a cluster
        self._client = client
        self._keys = [f"{place}:version", f"{place}:log", f"{place}:base"]
        self._scripts = {text: client.register_script(text) for text in (_APPEND, _FOUND, _REBASE, _COMPACT)}

    def version(self) -> int | None:
        """The world's version, or ``None`` if Redis knows nothing of it."""
        found = self._do(lambda: self._client.get(self._keys[0]))
        return None if found is None else int(cast("bytes", found))

    def append(self, expected: int, commit: bytes) -> bool:
        """Write the commit that follows version ``expected``; False if the world is at another one."""
        return self._run(_APPEND, expected, expected + 1, commit)

    def since(self, version: int) -> list[tuple[int, bytes]]:
        """The commits behind a version, as far as they are kept, at most ``CHUNK``."""
        found = self._do(lambda: self._client.xrange(self._keys[1], min=f"{version + 1}-0", count=CHUNK))
        return [
            (int(key.partition(b"-")[0]), fields[b"c"])
            for key, fields in cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
        ]

    def base(self) -> tuple[int, bytes] | None:
        """The version at which the whole world was kept last, and the world."""
        found = cast("dict[bytes, bytes]", self._do(lambda: self._client.hgetall(self._keys[2])))
        return (int(found[b"v"]), found[b"s"]) if found else None

    def found(self, version: int, world: bytes) -> bool:
        """Begin the world with this; False if there is one already."""
        return self._run(_FOUND, version, world)

    def rebase(self, expected: int, world: bytes) -> bool:
        """Let the version behind ``expected`` be this whole world; False if it is at another version."""
        return self._run(_REBASE, expected, expected + 1, world)

    def compact(self, version: int, world: bytes) -> bool:
        """Keep the whole world as it is at a version, and forget the commits that led there."""
        return self._run(_COMPACT, version, world)

    def _run(self, script: str, *arguments: int | bytes) -> bool:
        return bool(self._do(lambda: self._scripts[script](self._keys, arguments)))

    def _do(self, work: Callable[[], T]) -> T:
        from redis.exceptions import RedisError  # noqa: PLC0415 - only who shares a store has it

        try:
            return work()
        except RedisError as error:
            raise UnavailableError(f"Redis does not answer: {error}") from error


def connected(url: str) -> "Redis":
    """A client for a ``redis://`` URL; nothing is sent yet. Raises ``ValueError`` for another."""
    from redis import Redis  # noqa: PLC0415 - as above
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    # A command is not sent twice: whether the first one was carried out is not known. The next one connects anew.
    return Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0))
