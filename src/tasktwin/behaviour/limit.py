"""Rate limits, as the provider documents them: counted for each caller on the world's clock."""

from fnmatch import fnmatchcase

from tasktwin.behaviour.rules import Limit
from tasktwin.behaviour.world import World
from tasktwin.wire import Json

MOST_CALLERS = 10_000
"""So many callers are told apart by each world; the one counted longest ago gives way."""


def count(world: World, limits: tuple[Limit, ...], caller: str, method: str, path: str) -> list[tuple[str, str]]:
    """Count a request against the first limit that it falls under, and the next if that one says ``further``.

    The answer are the headers that tell the caller where it stands.
    """
    told: list[tuple[str, str]] = []
    for limit in limits:
        if method in limit.methods and any(fnmatchcase(path, pattern) for pattern in limit.paths):
            told += _count(world, limit, caller)
            if not limit.further:
                break
    return told


def _count(world: World, limit: Limit, caller: str) -> list[tuple[str, str]]:
    key = (limit.name, caller)
    begun, used = world.counted.pop(key, (world.instant, 0))
    if world.instant - begun >= limit.window:
        begun, used = world.instant, 0
    world.counted[key] = (begun, used + 1)
    if len(world.counted) > MOST_CALLERS:
        del world.counted[next(iter(world.counted))]
    left = begun + limit.window - world.instant
    standing: dict[str, Json] = {
        "limit": limit.quota,
        "remaining": max(0, limit.quota - used - 1),
        "reset": -(-left // 1_000_000),
    }
    return [(name, str(read({**world.scope(), "limit": standing}))) for name, read in limit.headers.items()]
