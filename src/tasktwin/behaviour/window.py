"""The two styles in which a rate limit counts one caller's requests. All times are microseconds of the world's clock."""

from collections import deque
from typing import TypeAlias

from tasktwin.behaviour.rules import Limit
from tasktwin.wire import Json


class FixedWindow:
    """One caller's requests since ``begun`` (µs), when the first of them came. ``strict`` until then (µs): see ``Counts``."""

    __slots__ = ("begun", "strict", "used")

    def __init__(self, _limit: Limit, now: int, used: int = 0, strict: int = 0) -> None:
        self.begun = now
        self.used = used
        self.strict = strict

    def take(self, limit: Limit, now: int) -> int:
        """Count a request; 0, or the microseconds after which the next one is let through."""
        if not self.used or now - self.begun >= limit.window:
            self.begun, self.used = now, 0
        if self.used < limit.quota:
            self.used += 1
            return 0
        self.used += limit.counts_refused
        return self.begun + limit.window - now

    def standing(self, limit: Limit, now: int) -> tuple[int, int]:
        """How many requests count now, and the microseconds until fewer do."""
        left = self.begun + limit.window - now
        return (self.used, left) if left > 0 else (0, 0)

    def kept(self) -> list[Json]:
        """The window as JSON."""
        return [self.begun, self.used, self.strict]

    @classmethod
    def of(cls, limit: Limit, kept: list[Json]) -> "FixedWindow":
        """The window that was kept."""
        return cls(limit, *kept)


class SlidingWindow:
    """The times (µs) of one caller's last requests, of which those within the limit's span count."""

    __slots__ = ("strict", "times")

    def __init__(self, limit: Limit, now: int, used: int = 0, strict: int = 0) -> None:
        self.times = deque([now] * used, limit.quota)
        self.strict = strict

    def take(self, limit: Limit, now: int) -> int:
        """Count a request; 0, or the microseconds after which the next one is let through."""
        times, over = self.times, now - limit.window
        while times and times[0] <= over:
            times.popleft()
        if len(times) < limit.quota:
            times.append(now)
            return 0
        if limit.counts_refused:
            times.append(now)
        return times[0] + limit.window - now

    def standing(self, limit: Limit, now: int) -> tuple[int, int]:
        """How many requests count now, and the microseconds until fewer do."""
        counting = [each for each in self.times if each > now - limit.window]
        return len(counting), counting[0] + limit.window - now if counting else 0

    def kept(self) -> list[Json]:
        """The window as JSON."""
        return [self.strict, *self.times]

    @classmethod
    def of(cls, limit: Limit, kept: list[Json]) -> "SlidingWindow":
        """The window that was kept."""
        window = cls(limit, 0, 0, kept[0])
        window.times.extend(kept[1:])
        return window


Window: TypeAlias = FixedWindow | SlidingWindow
