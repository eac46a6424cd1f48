"""Rate limits, as the provider documents them: counted for each caller on the world's clock.

Every limit that a request falls under decides for itself whether it lets the request through, and counts it if so, as
Django REST framework's throttles do. Of several that do not, the one to wait for longest answers.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from tasktwin.behaviour.rules import Limit
from tasktwin.behaviour.window import FixedWindow, SlidingWindow, Window
from tasktwin.errors import MisuseError, Refusal
from tasktwin.wire import Json

if TYPE_CHECKING:
    from tasktwin.behaviour.expression import Scope
    from tasktwin.behaviour.world import World

Headers: TypeAlias = list[tuple[str, str]]

MOST_CALLERS: Final = 10_000
"""So many callers of a limit are told apart; the one that asked longest ago gives way."""

MOST_TIMES: Final = 500_000
"""So many instants a sliding limit keeps: of its callers no more than these are enough for."""

MOST_LEFT: Final = 1_000
"""So many orders to leave requests are kept in a world."""

MOST_FITTING: Final = 256
"""For so many methods and paths it is remembered which limits they fall under."""

NAME: Final = "Tasktwin-Limit"
"""The header that tells when a limit refused, or would have."""


class Counts:
    """What a world has counted. An order to leave requests makes windows ``strict``: they refuse in any mode but off."""

    def __init__(self) -> None:
        self.windows: dict[str, dict[str, Window]] = {}
        self.left: dict[tuple[str, str], tuple[int, int]] = {}
        self._limits: tuple[Limit, ...] = ()
        self.by_request: dict[tuple[str, str], tuple[Limit, ...]] = {}

    def fitting(self, limits: tuple[Limit, ...], method: str, path: str) -> tuple[Limit, ...]:
        """The limits that such a request may fall under. When the data changed, counting begins anew."""
        if limits is not self._limits:
            self.windows, self._limits, self.by_request = {}, limits, {}
        found = self.by_request.get((method, path))
        if found is None:
            if len(self.by_request) >= MOST_FITTING:
                self.by_request.clear()
            found = tuple(limit for limit in limits if method in limit.methods and _covers(limit, path))
            self.by_request[method, path] = found
        return found

    def window(self, limit: Limit, caller: str, now: int) -> Window:
        """The window of a caller, who from now on is the one that asked last."""
        known = self.windows.get(limit.name)
        if known is None:
            known = self.windows[limit.name] = {}
        window = known.pop(caller, None)
        if window is None:
            window = self.begin(limit, caller, now)
            if len(known) >= most(limit):
                del known[next(iter(known))]
        known[caller] = window
        return window

    def leave(self, limit: Limit, glob: str, count: int, now: int) -> None:
        """Let a window begin now, in which so many requests are left, for all callers that fit, known yet or not."""
        self.left.pop((limit.name, glob), None)
        self.left[limit.name, glob] = (count, now)
        known = self.windows.get(limit.name, {})
        for caller in known:
            if fnmatchcase(caller, glob):
                known[caller] = self.begin(limit, caller, now)

    def standing(self, limit: Limit) -> Iterable[tuple[str, Window]]:
        """The callers of a limit, each with its window."""
        return self.windows.get(limit.name, {}).items()

    def keep(self, limit: Limit, caller: str, window: Window) -> None:
        """A window was changed; it is kept as it is."""

    def begin(self, limit: Limit, caller: str, now: int) -> Window:
        """A caller's first window."""
        made = SlidingWindow if limit.style == "sliding" else FixedWindow
        for (name, glob), (count, begun) in reversed(self.left.items()):
            if name == limit.name and now < begun + limit.window and fnmatchcase(caller, glob):
                return made(limit, begun, max(0, limit.quota - count), begun + limit.window)
        return made(limit, now)

    def forget_old_orders(self, limits: tuple[Limit, ...], now: int) -> None:
        """Forget the orders whose windows are over."""
        spans = {limit.name: limit.window for limit in limits}
        self.left = {place: order for place, order in self.left.items() if now < order[1] + spans.get(place[0], 0)}


def count(world: "World", scope: "Scope", method: str, path: str) -> tuple[Headers, Refusal | None]:
    """Count a request of the caller in ``scope``: the headers that tell where it stands, and the refusal, if any.

    In a world whose mode is ``count`` nothing is refused but what was ordered, and the headers tell what would be.
    """
    counted, now = world.counted, world.instant
    told: dict[str, str] = {}
    beyond: list[tuple[bool, int, Limit]] = []
    for limit in counted.fitting(world.rules.limits, method, path):
        caller = limit.per(scope)
        if caller is None:
            continue
        name = caller if isinstance(caller, str) else str(caller)
        window = counted.window(limit, name, now)
        wait = window.take(limit, now)
        counted.keep(limit, name, window)
        if limit.headers:
            told.update(_say(world, limit, window))
        if wait:
            beyond.append((window.strict > now or world.limits == "on", wait, limit))
        if not limit.further:
            break
    if not beyond:
        return list(told.items()), None
    return _judge(world, told, beyond)


def _judge(
    world: "World", told: dict[str, str], beyond: list[tuple[bool, int, Limit]]
) -> tuple[Headers, Refusal | None]:
    """Of the limits that a request is beyond, the one that answers: it refuses, and is to be waited for longest."""
    refuses, wait, limit = max(beyond, key=_gravity) if len(beyond) > 1 else beyond[0]
    seconds = _seconds(wait)
    told[NAME] = f"{'refused' if refuses else 'would refuse'} ({limit.name}, retry after {seconds} s)"
    if not refuses:
        return list(told.items()), None
    scope = {**world.scope(), "limit": {"limit": limit.quota, "remaining": 0, "reset": seconds, "wait": seconds}}
    for headers in (limit.headers, limit.refusal_headers):
        told.update({name: str(value) for name, read in headers.items() if (value := read(scope)) is not None})
    detail = f"no more than {limit.quota} in {limit.window / 1_000_000:g} s, try again in {seconds} s"
    return list(told.items()), Refusal(limit.refuse, detail, data=seconds)


def _gravity(each: tuple[bool, int, Limit]) -> tuple[bool, int]:
    return each[:2]


def leave(world: "World", number: int, name: str = "", callers: str = "*") -> None:
    """Leave so many requests of one limit, or of each, to the callers that a glob fits. Raises ``MisuseError``."""
    limits = [limit for limit in world.rules.limits if name in ("", limit.name)]
    if not limits:
        known = ", ".join(limit.name for limit in world.rules.limits) or "none"
        raise MisuseError(f"there is no limit {name!r}; there are {known}")
    if name and number > limits[0].quota:
        raise MisuseError(f"the limit {name!r} has only {limits[0].quota} requests to leave")
    if world.limits == "off":
        raise MisuseError("limits are off in this world: set the mode to on or count")
    world.counted.forget_old_orders(world.rules.limits, world.instant)
    if len(world.counted.left) + len(limits) > MOST_LEFT:
        raise MisuseError(f"at most {MOST_LEFT} orders to leave requests are kept: wait, or reset the world")
    for limit in limits:
        world.counted.leave(limit, callers, number, world.instant)


def standings(world: "World") -> Json:
    """The mode, the limits, and where each caller stands."""
    return {"mode": world.limits, "limits": [_standing(world, limit) for limit in world.rules.limits]}


def _standing(world: "World", limit: Limit) -> Json:
    counted, now = world.counted, world.instant
    left = [
        {"principal": glob, "leave": min(number, limit.quota)}
        for (name, glob), (number, begun) in counted.left.items()
        if name == limit.name and now < begun + limit.window
    ]
    callers = [_place(limit, caller, each, now) for caller, each in sorted(counted.standing(limit), key=itemgetter(0))]
    return {
        "name": limit.name,
        "quota": limit.quota,
        "window": limit.window / 1_000_000,
        "style": limit.style,
        "methods": sorted(limit.methods),
        "paths": list(limit.paths),
        "refuse": limit.refuse,
        "provenance": str(limit.provenance),
        "left": left,
        "callers": callers,
    }


def _place(limit: Limit, caller: str, window: Window, now: int) -> Json:
    used, left = window.standing(limit, now)
    return {
        "caller": caller,
        "used": used,
        "remaining": max(0, limit.quota - used),
        "reset": _seconds(left),
        "strict": window.strict > now,
    }


def _say(world: "World", limit: Limit, window: Window) -> Headers:
    """The limit's headers; one whose value is null is left out."""
    used, left = window.standing(limit, world.instant)
    standing: Json = {"limit": limit.quota, "remaining": max(0, limit.quota - used), "reset": _seconds(left)}
    scope = {**world.scope(), "limit": standing}
    return [(name, str(value)) for name, read in limit.headers.items() if (value := read(scope)) is not None]


def _covers(limit: Limit, path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in limit.paths)


def most(limit: Limit) -> int:
    """How many callers of a limit are kept."""
    return min(MOST_CALLERS, max(1, MOST_TIMES // limit.quota)) if limit.style == "sliding" else MOST_CALLERS


def _seconds(microseconds: int) -> int:
    """Whole seconds, rounded up: whoever waits as long has waited long enough."""
    return -(-microseconds // 1_000_000)
