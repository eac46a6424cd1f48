"""Timers in memory: a dict of those armed, and a heap in which outdated entries wait until they surface."""

from heapq import heapify, heappop, heappush
from typing import TypeAlias

from tasktwin.state.store import Timer

Armed: TypeAlias = tuple[int, int, Timer]
"""When it is due, when it was armed relative to others, the timer."""

SLACK = 64
"""So many outdated entries more than live ones may wait in the heap before it is made anew."""


class Agenda:
    """All timers of a store, copied on write like tables."""

    __slots__ = ("arming", "era", "heap", "live")

    def __init__(self, era: object) -> None:
        self.era = era
        self.live: dict[tuple[str, str], Armed] = {}
        self.heap: list[Armed] = []
        self.arming = 0

    def copy(self, era: object) -> "Agenda":
        """An agenda of another era that can be changed without changing this one."""
        twin = Agenda(era)
        twin.live, twin.heap, twin.arming = self.live.copy(), self.heap.copy(), self.arming
        return twin

    def change(self, key: tuple[str, str], armed: Armed | None) -> None:
        """Make this the timer of a lifecycle and row; None removes it. Serves writing and undoing alike."""
        before = self.live.pop(key, None)
        if armed is not None:
            self.live[key] = armed
            heappush(self.heap, armed)
        if before is not None:  # else all that was live still is, with what was on top
            self._settle()

    def arm(self, timer: Timer) -> None:
        """Set a timer after all that were set before."""
        self.arming += 1
        self.change((timer.lifecycle, timer.row), (timer.due, self.arming, timer))

    def earliest(self) -> Armed | None:
        """The timer to fire first."""
        return self.heap[0] if self.heap else None

    def _settle(self) -> None:
        """Keep a live entry on top of the heap, and the heap in proportion to what is live."""
        heap = self.heap
        while heap and self.live.get((heap[0][2].lifecycle, heap[0][2].row)) is not heap[0]:
            heappop(heap)
        if len(heap) > 2 * len(self.live) + SLACK:
            self.heap = list(self.live.values())
            heapify(self.heap)
