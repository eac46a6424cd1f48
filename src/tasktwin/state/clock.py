"""Time. An *instant* is an integer: microseconds since the Unix epoch, UTC, leap seconds not counted.

The only module that reads the machine's clocks: everything else asks the world's ``Clock``.
"""

import re
import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, TypeAlias

from tasktwin.errors import MisuseError
from tasktwin.wire import Json

Precision: TypeAlias = Literal["seconds", "milliseconds", "microseconds"]

SECOND = 1_000_000
"""Microseconds in a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

EARLIEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The first instant that can be written: 0001-01-01T00:00:00Z."""

LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last instant that can be written: 9999-12-31T23:59:59.999999Z. No clock runs beyond it."""

FASTEST = 1_000_000
"""The greatest N of the mode ``xN``."""

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_SPEED = re.compile(r"x(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)


def parse_instant(text: str) -> int:
    """The instant that an ISO 8601 date and time with a zone names; digits below a microsecond are dropped.

    Raises ``ValueError``: another form, no zone, a day or hour that does not exist, outside the years 1 to 9999.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is not an ISO 8601 date and time such as 2026-04-09T08:00:00Z")
    if match["zone"] is None:
        raise ValueError(f"{text!r} has no time zone: end it with Z or an offset such as +02:00")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time that exists: {error}") from error
    instant = (moment - _EPOCH) // _MICROSECOND
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 of UTC")
    return instant


def format_instant(instant: int, precision: Precision = "seconds") -> str:
    """An instant as RFC 3339 in UTC, ``2026-04-09T08:00:00Z``, cut (not rounded) to the precision.

    Raises ``ValueError`` outside ``EARLIEST`` to ``LATEST`` and for an unknown precision.
    """
    second, rest = divmod(instant, SECOND)
    if precision == "seconds":
        return _second(second) + "Z"
    if precision == "milliseconds":
        return f"{_second(second)}.{rest // 1000:03}Z"
    if precision == "microseconds":
        return f"{_second(second)}.{rest:06}Z"
    raise ValueError(f"unknown precision {precision!r}: seconds, milliseconds or microseconds")


# Rows of one answer mostly share their day, and those written together their second.
@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    day, rest = divmod(second, 86_400)
    minute, seconds = divmod(rest, 60)
    return f"{_day(day)}T{minute // 60:02}:{minute % 60:02}:{seconds:02}"


@lru_cache(maxsize=512)
def _day(day: int) -> str:
    try:
        return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    except OverflowError as error:
        raise ValueError("the instant is outside the years 1 to 9999") from error


def elapsed() -> float:
    """Seconds on a clock that only runs forward, from an unspecified origin: for idle times and timings."""
    return time.perf_counter()


class Clock:
    """A world's time. It never runs backwards, and stops at ``LATEST``.

    Modes: ``real`` runs as fast as the machine's clock, ``frozen`` stands still until it is moved, ``x60`` runs
    sixty times as fast (``xN`` for any N above 0, up to a million, also ``x0.5``).
    """

    __slots__ = ("_anchor", "_begun", "_mode", "_since", "_speed")

    def __init__(self, start: int | None = None, mode: str = "real") -> None:
        """Begin at the instant ``start``, or at the machine's time. Raises ``MisuseError`` for an unknown mode."""
        self._speed = _speed(mode)
        self._mode = mode
        self._jump(machine_now() if start is None else start)

    @property
    def mode(self) -> str:
        """The mode's word as it was given."""
        return self._mode

    def now(self) -> int:
        """The world's present instant."""
        if not self._speed:
            return self._anchor
        ran = int((time.monotonic_ns() - self._since) * self._speed) // 1000
        return min(self._anchor + ran, LATEST)

    def set(self, instant: int) -> None:
        """Jump forward to an instant and run on from there. Raises ``MisuseError`` when it lies before now."""
        now = self.now()
        if instant < now:
            raise MisuseError(
                f"the clock cannot be set back from {format_instant(now, 'microseconds')}; reset the world instead"
            )
        self._jump(instant)

    def advance(self, microseconds: int) -> None:
        """Jump forward by a span. Raises ``MisuseError`` for a negative one, or one that leaves the year 9999."""
        if microseconds < 0:
            raise MisuseError("the clock cannot be advanced by a negative span")
        self._jump(self.now() + microseconds)

    def set_mode(self, mode: str) -> None:
        """Run in another mode from now on; ``now()`` does not jump. Raises ``MisuseError`` for an unknown mode."""
        speed = _speed(mode)
        self._jump(self.now())
        self._speed, self._mode = speed, mode

    def until(self, instant: int) -> float | None:
        """Real seconds until the clock shows an instant, 0 when it does; ``None`` if it never will by itself."""
        ahead = instant - self.now()
        if ahead <= 0:
            return 0.0
        return ahead / self._speed / SECOND if self._speed and instant <= LATEST else None

    def copy(self) -> "Clock":
        """Another clock that shows the same instant, in the same mode."""
        return Clock(self.now(), self._mode)

    def kept(self) -> list[Json]:
        """The clock as JSON, for another process: it shows the same there if the machines' clocks do."""
        return [self._anchor, self._begun, self._mode]

    @classmethod
    def of(cls, kept: list[Json]) -> "Clock":
        """The clock that was kept."""
        anchor, begun, mode = kept
        clock = cls(anchor, mode)
        clock._since -= max(0, clock._begun - begun) * 1000
        clock._begun = begun
        return clock

    def _jump(self, instant: int) -> None:
        self._anchor = _writable(instant)
        self._since = time.monotonic_ns()
        self._begun = machine_now()


def machine_now() -> int:
    """The machine's time, as an instant: for what is agreed between processes, never for a world."""
    return time.time_ns() // 1000  # noqa: TID251 - the one place where a world's time begins


def _writable(instant: int) -> int:
    if not EARLIEST <= instant <= LATEST:
        raise MisuseError("a clock shows the years 1 to 9999 only")
    return instant


def _speed(mode: str) -> int | float:
    if mode in ("real", "frozen"):
        return int(mode == "real")
    match = _SPEED.fullmatch(mode)
    speed = float(match[1]) if match else 0.0
    if not 0 < speed <= FASTEST:
        raise MisuseError(
            f"unknown clock mode {mode[:40]!r}: real, frozen, or xN such as x60 (above 0, at most x{FASTEST})"
        )
    return int(speed) if speed.is_integer() else speed
