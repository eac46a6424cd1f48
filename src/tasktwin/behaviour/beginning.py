"""How a world begins, and what it can go back to."""

from dataclasses import dataclass, field

from tasktwin.behaviour.fault import Fault
from tasktwin.behaviour.rules import LimitMode, Rules
from tasktwin.state import Snapshot


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a world began, so that it can begin again. ``now`` is an instant, or ``None`` for the machine's time.

    The rows were made under ``rules``, from seeds, or those of another world (``forked``).
    """

    snapshot: Snapshot
    now: int | None
    mode: str
    seeds: str
    seed: int
    limits: LimitMode = "count"
    faults: tuple[Fault, ...] = ()
    rules: Rules | None = field(default=None, compare=False, repr=False)
    forked: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """A snapshot that a client took: the rows and all else in the store, the time it was taken at, and under which rules."""

    snapshot: Snapshot
    now: int
    rules: Rules | None = field(default=None, compare=False, repr=False)
