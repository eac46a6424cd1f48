"""How much a run may take: seconds, requests, and so many requests a second."""

import threading
from dataclasses import dataclass, field
from time import sleep

from tasktwin.errors import TasktwinError
from tasktwin.state import elapsed


class SpentError(TasktwinError):
    """The run's time or its requests are spent. What was done until then stands."""


@dataclass(slots=True)
class Budget:
    """``seconds`` and ``requests`` are ``None`` for no bound; ``rate`` is requests a second, 0 for no bound."""

    seconds: float | None = None
    requests: int | None = None
    rate: float = 0.0
    spent: int = 0
    until: float | None = None
    interrupted: bool = False
    _began: float = field(default_factory=elapsed)
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """The time runs from now."""
        self._began = elapsed()

    @property
    def used(self) -> float:
        """Seconds since it began."""
        return elapsed() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left, of the phase if one is bounded; infinite without a bound."""
        ends = [self._began + self.seconds] if self.seconds is not None else []
        ends += [self.until] if self.until is not None else []
        return min(ends) - elapsed() if ends else float("inf")

    @property
    def over(self) -> str:
        """Which time is over: the run's, or the phase's part of it."""
        whole = self.seconds is not None and self.used >= self.seconds
        return "the time is over" if whole or self.until is None else "its share of the time is over"

    def bound(self, seconds: float | None) -> None:
        """The phase that begins now may take so long at most; ``None`` lifts that."""
        self.until = None if seconds is None else elapsed() + seconds

    def take(self) -> None:
        """Take one request, after waiting for its turn. Raises ``SpentError``."""
        self.check()
        with self._lock:
            if self.requests is not None and self.spent >= self.requests:
                raise SpentError(f"the {self.requests} requests that the run may send are sent")
            pause = self._turn()
            self.spent += 1
        if pause > 0:
            sleep(pause)

    def check(self) -> None:
        """Raises ``SpentError`` when the time is over, and ``KeyboardInterrupt`` once more after an interruption.

        Where Python must ignore an exception (in a destructor) an interruption would be lost.
        """
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt
        if self.left <= 0:
            raise SpentError(self.over)

    def _turn(self) -> float:
        """Seconds until the next request's turn, which is taken. Raises ``SpentError`` when that comes too late."""
        if not self.rate:
            return 0.0
        now = elapsed()
        pause = max(self._next - now, 0.0)
        if pause > self.left:
            raise SpentError(f"the time is over: {self.rate:g} requests a second are as many as may be sent")
        self._next = now + pause + 1 / self.rate
        return pause
