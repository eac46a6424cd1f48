"""What the referee says: a verdict for each point of good conduct, with the entries of the journal that show it."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tasktwin.state import Entry, format_instant
from tasktwin.wire import Json

Verdict: TypeAlias = Literal["good", "bad", "unseen"]
"""``unseen``: it could not be seen, or what was seen decides nothing."""

MOST_FINDINGS = 10
"""So many findings stand under a point; its sentence tells how many there are."""

MOST_ENTRIES = 12
"""So many entries stand under a finding: the first ones and the last."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a client did, and the exchanges in which it did."""

    says: str
    entries: tuple[Entry, ...]

    def as_json(self) -> Json:
        """With the entries' numbers and times."""
        entries = self.entries
        if len(entries) > MOST_ENTRIES:
            entries = (*entries[: MOST_ENTRIES - 1], entries[-1])
        told = [{"number": each.number, "at": format_instant(each.instant, "microseconds")} for each in entries]
        return {"says": self.says, "entries": told}


@dataclass(frozen=True, slots=True)
class Point:
    """A point of good conduct as one client kept it."""

    name: str
    verdict: Verdict
    says: str
    evidence: tuple[Finding, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """As the report has it."""
        evidence = [each.as_json() for each in self.evidence]
        return {"name": self.name, "verdict": self.verdict, "says": self.says, "evidence": evidence}


@dataclass(frozen=True, slots=True)
class Scale:
    """What is found about one point: for it, against it, and what decides nothing but is worth a note."""

    good: list[Finding] = field(default_factory=list)
    bad: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def weigh(self, name: str, unseen: str) -> Point:
        """The point: bad if one finding is, else good if one is, else unseen. ``unseen`` is said if nothing was found."""
        good, bad = len(self.good), len(self.bad)
        verdict: Verdict = "bad" if bad else "good" if good else "unseen"
        found = self.bad or self.good or self.notes
        if not found:
            return Point(name, verdict, unseen)
        says = found[0].says
        if bad and bad + good > 1:
            says = f"{bad} of {bad + good} times; first: {says}"
        elif len(found) > 1:
            says = f"{len(found)} times; first: {says}"
        return Point(name, verdict, says, tuple(found[:MOST_FINDINGS]))


def span(microseconds: float) -> str:
    """A time as people say it: ``2.5 s``, ``0.7 ms``."""
    if abs(microseconds) < 1_000_000:
        return f"{microseconds / 1_000:.3g} ms"
    return f"{round(microseconds / 1_000_000, 3):.12g} s"


def times(count: int, what: str) -> str:
    """``1 event``, ``2 events``."""
    return f"{count} {what}{'' if count == 1 else 's'}"
