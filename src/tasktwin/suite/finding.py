"""What is wrong with a deployment: a value, grouped by its cause, with the shortest story that shows it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json

Severity: TypeAlias = Literal["failure", "note"]
"""A ``failure`` contradicts what is stated or observed, a standard, or the deployment itself; a ``note`` what is assumed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a story: what was sent and what came back. ``about`` says in a few words what it does."""

    request: Request
    reply: Reply
    about: str = ""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a finding contradicts. ``kind``: stated, observed, assumed; ``itself`` (its own words); ``standard``.

    ``text`` is the sentence or rule, ``url`` where it stands, if anywhere.
    """

    kind: Literal["stated", "observed", "assumed", "itself", "standard"]
    text: str
    url: str = ""

    @property
    def severity(self) -> Severity:
        """How much it weighs to contradict this."""
        return "note" if self.kind == "assumed" else "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. Two with the same ``cause`` are one, found ``times`` times.

    ``rule`` is a dotted name from a closed list (``lifecycle.refused``, ``contract.response``, …). ``expected`` and
    ``actual`` are short texts for people. ``story`` leads to it, its last line shows it; ``script`` is a piece of bash
    that does so on the target (credentials as variables). ``pointer`` is where in the answer, ``seconds`` when it was found.
    """

    rule: str
    operation: str
    title: str
    expected: str
    actual: str
    basis: Basis
    cause: str
    phase: str
    story: tuple[Line, ...] = ()
    script: str = ""
    pointer: str = ""
    times: int = 1
    severity_override: Severity | None = None
    seconds: float = 0.0

    @property
    def severity(self) -> Severity:
        """Whether it fails the run."""
        return self.severity_override or self.basis.severity


@dataclass(slots=True)
class Findings:
    """All that was found, by cause, in the order in which it was found. ``known`` causes are counted, not told."""

    known: frozenset[str] = frozenset()
    by_cause: dict[str, Finding] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    _latest: dict[str, int] = field(default_factory=dict)

    def add(self, finding: Finding, exchange: int = 0) -> bool:
        """Whether this is new. ``exchange`` is the number of the one that shows it, 0 if that is not known.

        What one answer shows in many places is found once; so is what a repetition showed, which came later.
        """
        if finding.cause in self.known:
            self.accepted[finding.cause] = self.accepted.get(finding.cause, 0) + 1
            return False
        before = self.by_cause.get(finding.cause)
        if before is None:
            self.by_cause[finding.cause] = finding
            self._latest[finding.cause] = exchange
            return True
        is_further = not exchange or exchange > self._latest[finding.cause]
        times = before.times + (finding.times if is_further else 0)
        self._latest[finding.cause] = max(exchange, self._latest[finding.cause])
        if before.severity == "note" and finding.severity == "failure":  # what was seen once only is seen again
            self.by_cause[finding.cause] = replace(finding, times=before.times + 1, seconds=before.seconds)
            return True
        shorter = finding if before.story and finding.story and len(finding.story) < len(before.story) else before
        self.by_cause[finding.cause] = replace(shorter, times=times, seconds=before.seconds)
        return False

    def pending(self, finding: Finding) -> bool:
        """Whether a finding is worth looking into: not accepted before, which is counted here."""
        if finding.cause in self.known:
            self.accepted[finding.cause] = self.accepted.get(finding.cause, 0) + 1
            return False
        return True

    def has(self, cause: str) -> bool:
        """Whether there is no need to look for this again."""
        return cause in self.by_cause or cause in self.known

    def __iter__(self) -> Iterator[Finding]:
        """Failures first, then notes; each in the order in which they were found."""
        yield from sorted(self.by_cause.values(), key=lambda each: each.severity == "note")

    def __len__(self) -> int:
        return len(self.by_cause)

    @property
    def failures(self) -> int:
        """How many fail the run."""
        return sum(each.severity == "failure" for each in self.by_cause.values())


def leads_to(reply: Reply) -> str:
    """Where an answer sends the client: its ``Location``, if it is a redirect; else ""."""
    return reply.headers.get("location", "") if 300 <= reply.status < 400 else ""


def as_json(finding: Finding) -> dict[str, Json]:
    """A finding as the reports and ``--json`` have it."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "operation": finding.operation,
        "title": finding.title,
        "expected": finding.expected,
        "actual": finding.actual,
        "pointer": finding.pointer,
        "contradicts": {"kind": finding.basis.kind, "text": finding.basis.text, "url": finding.basis.url},
        "cause": finding.cause,
        "phase": finding.phase,
        "times": finding.times,
        "seconds": round(finding.seconds, 1),
        "story": [
            {
                "as": line.request.as_,
                "operation": line.request.operation,
                "method": line.request.method,
                "path": line.request.path,
                "body": line.request.body.decode("utf-8", "replace"),
                "status": line.reply.status,
                "answer": line.reply.body[:4096].decode("utf-8", "replace"),
                "about": line.about,
                **({"location": location} if (location := leads_to(line.reply)) else {}),
            }
            for line in finding.story
        ],
        "script": finding.script,
    }
