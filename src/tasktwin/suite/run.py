"""One run of the suite: what it stands on, what it tells while it goes on, and what came of it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import TypeAlias

from tasktwin.provider import Provider
from tasktwin.state import elapsed
from tasktwin.suite.budget import SpentError
from tasktwin.suite.finding import Finding, Findings
from tasktwin.suite.target import Target, UnreachableError

PHASES = ("protocol", "lifecycle", "examples", "coverage", "stateful", "fuzzing")
"""The phases of ``fuzz``, in their order: what costs least and finds most comes first."""

SHARES = {"protocol": 0.3, "lifecycle": 0.35, "examples": 0.05, "coverage": 0.1, "stateful": 0.1, "fuzzing": 0.1}
"""The part of a time budget that a phase may take; what it leaves goes to those behind it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. ``operations`` are globs, empty for all; ``shard`` is (i, n), counted from 1."""

    phases: tuple[str, ...] = PHASES
    seed: int = 0
    max_examples: int = 100
    operations: tuple[str, ...] = ()
    shard: tuple[int, int] = (1, 1)
    cleanup: bool = True


@dataclass(frozen=True, slots=True)
class Started:
    """A phase begins."""

    phase: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Went:
    """So many of the phase's units are done, of so many; ``what`` is the one that was done last."""

    phase: str
    done: int
    total: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Waits:
    """Nothing is sent for so many seconds, and why."""

    phase: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """Something new is wrong."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something was not done, and why."""

    phase: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A phase is over. ``cut`` says what ended it early, "" if nothing did."""

    phase: str
    seconds: float
    cut: str = ""


Event: TypeAlias = Started | Went | Waits | Found | Skipped | Ended
"""What a run tells while it goes on; progress, reports and tests only listen."""


@dataclass(slots=True)
class Run:
    """What every phase stands on. ``units`` are the pieces of work that were done, by name: the same for the same seed.
    ``undone`` are those that were planned, and were not begun or not done when their phase was cut short.

    ``taken`` counts transitions (lifecycle, name) and ``answered`` answers (operation, status). ``leftovers`` are
    resources that were made and could not be put away. ``ground`` is what the phases beside the oracle share.
    """

    provider: Provider
    target: Target
    options: Options
    findings: Findings = field(default_factory=Findings)
    tell: Callable[[Event], None] = lambda _event: None
    units: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    leftovers: list[str] = field(default_factory=list)
    cut: str = ""
    ground: object | None = None

    def mine(self, unit: str) -> bool:
        """Whether this piece of work is this shard's. Stable: it depends on its name only."""
        index, count = self.options.shard
        mark = int.from_bytes(blake2b(unit.encode(), digest_size=8).digest(), "big")
        return mark % count == index - 1

    def asked_for(self, operation: str) -> bool:
        """Whether the operation was asked for."""
        return not self.options.operations or any(fnmatchcase(operation, each) for each in self.options.operations)

    def report(self, finding: Finding) -> bool:
        """Write down what is wrong; whether it is new."""
        told = [finding.operation, *(line.request.operation for line in finding.story)]
        if any(told) and not any(map(self.asked_for, told)):
            return False
        finding = replace(finding, seconds=self.target.budget.used)
        if not self.findings.add(finding, self._number(finding)):
            return False
        self.tell(Found(finding))
        return True

    def _number(self, finding: Finding) -> int:
        """The number of the exchange that shows it; 0 if that is not known."""
        shown = finding.story[-1].reply if finding.story else None
        return next((each.number for each in reversed(tuple(self.target.traffic)) if each.reply is shown), 0)

    def skip(self, phase: str, what: str, why: str) -> None:
        """Say that something was not done."""
        self.skipped.append(Skipped(phase, what, why))
        self.tell(self.skipped[-1])

    def work(self, phase: str, units: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Do those of the named pieces of work that are this shard's, in order."""
        own = [(name, do) for name, do in units if self.mine(f"{phase}:{name}")]
        done = 0
        try:
            for done, (name, do) in enumerate(own):
                self.target.budget.check()
                do()
                self.units.append(f"{phase}:{name}")
                self.tell(Went(phase, done + 1, len(own), name))
            done = len(own)
        finally:
            self.undone += [f"{phase}:{name}" for name, _ in own[done:]]


Phase: TypeAlias = Callable[[Run], None]
"""One phase. It raises ``SpentError`` or ``UnreachableError`` as they come."""


def go_through(run: Run, phases: Sequence[tuple[str, Phase]], shares: dict[str, float] | None = None) -> None:
    """Take the phases one after the other. Raises ``UnreachableError`` when the target is gone, and KeyboardInterrupt."""
    budget = run.target.budget
    for name, phase in phases:
        began = elapsed()
        run.target.phase = name
        run.tell(Started(name))
        cut = ""
        left = sum((shares or {}).get(each, 0.0) for each, _ in phases[[each for each, _ in phases].index(name) :])
        share = (shares or {}).get(name, 0.0) / left if left else 0.0
        total = budget.seconds
        budget.bound(None)
        if 0 < share < 1 and total is not None:
            budget.bound(max(0.0, budget.left) * share)
        try:
            phase(run)
        except SpentError as error:
            cut = str(error)
        except (UnreachableError, KeyboardInterrupt) as error:
            run.cut = str(error) or "interrupted"
            run.ended.append(Ended(name, elapsed() - began, run.cut))
            run.tell(run.ended[-1])
            raise
        finally:
            budget.bound(None)
        run.ended.append(Ended(name, elapsed() - began, cut))
        run.tell(run.ended[-1])
