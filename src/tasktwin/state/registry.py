"""Which worlds there are in Redis, what they go by, and when each was used last. A world that nobody uses expires."""

from typing import Final

import ormsgpack

from tasktwin.state.clock import machine_now
from tasktwin.state.redis_link import RedisLink, Script
from tasktwin.wire import Json

SECOND: Final = 1_000_000

# KEYS: what each goes by, when each was used; then the world's own keys.
_ENTER = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 1 end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then return 0 end
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 2
""")
_USE = Script("""
redis.call('ZADD', KEYS[2], 'XX', ARGV[2], ARGV[1])
for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
""")
_TELL = Script("if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end")
_DROP = Script("""
local known = redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
redis.call('PUBLISH', KEYS[3], '')
return known
""")
_LIST = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
local found = {}
local told = redis.call('HGETALL', KEYS[1])
for i = 1, #told, 2 do
  if redis.call('ZSCORE', KEYS[2], told[i]) then
    found[#found + 1] = told[i]
    found[#found + 1] = told[i + 1]
  else
    redis.call('HDEL', KEYS[1], told[i])
  end
end
return found
""")


class Registry:
    """The worlds of one provider under ``prefix``: at most ``limit``, each kept for ``idle`` seconds after its last use.

    All of it raises ``UnavailableError``.
    """

    def __init__(self, link: RedisLink, prefix: str, limit: int, idle: float) -> None:
        self.link = link
        self.prefix = prefix
        self.epoch = "tasktwin:epoch"
        self.often = idle / 10
        """Seconds between two mentions that a world is used: more would tell nothing new."""
        self.limit = limit
        self.idle = idle
        self._span = round(idle * SECOND)
        self._keys = [f"tasktwin:{prefix}:worlds", f"tasktwin:{prefix}:uses"]

    def enter(self, name: str, about: Json, *, lasting: bool) -> bool | None:
        """Have a world counted; whether it is new, and ``None`` if there is no room for it. A ``lasting`` one never expires."""
        now = machine_now()
        used = "+inf" if lasting else now
        found = self.link.look(
            _ENTER, self._keys, name, ormsgpack.packb(about), f"({now - self._span}", used, self.limit
        )
        return None if found == 0 else bool(found == 2)

    def use(self, name: str, keys: list[str]) -> None:
        """A world is used now, so that it stays, with all of its ``keys``."""
        self.link.tell(_USE, self._keys + keys, name, machine_now(), round(self.idle * 1_000))

    def tell(self, name: str, about: Json) -> None:
        """What a world goes by has changed."""
        self.link.tell(_TELL, self._keys, name, ormsgpack.packb(about))

    def drop(self, name: str, keys: list[str]) -> bool:
        """Forget a world, and all of its keys, of which the first is told; whether there was one."""
        return bool(self.link.look(_DROP, self._keys + keys, name))

    def has(self, name: str) -> bool:
        """Whether there is such a world."""
        used = self.link.ask("ZSCORE", self._keys[1], name)
        return used is not None and float(used) >= machine_now() - self._span

    def count(self) -> int:
        """How many there are."""
        return int(self.link.ask("ZCOUNT", self._keys[1], machine_now() - self._span, "+inf"))

    def worlds(self) -> dict[str, Json]:
        """What each goes by, by name."""
        found = self.link.look(_LIST, self._keys, f"({machine_now() - self._span}")
        return {name.decode(): ormsgpack.unpackb(about) for name, about in zip(found[::2], found[1::2], strict=True)}
