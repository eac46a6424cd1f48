"""What a run has to tell, gathered once for all reports: without credentials, bounded, in a stable order."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from tasktwin.behaviour.lifecycle import Lifecycle
from tasktwin.provider import Provider
from tasktwin.state import Clock, format_instant
from tasktwin.suite.finding import Finding, as_json
from tasktwin.suite.report.doubt import doubts
from tasktwin.suite.report.mask import Mask
from tasktwin.suite.run import Run
from tasktwin.wire import Json

VERDICTS = {
    "failed": "the deployment breaks its contract",
    "cut": "the run was cut short, so that not everything was looked at",
    "passed": "nothing contradicts the contract",
}
"""What can come of a run. One that found failures has ``failed`` even if it was cut short."""


@dataclass(frozen=True, slots=True)
class Part:
    """One phase: its units of work, seconds and requests, what ``cut`` it short, and what was skipped (what, why).

    ``done`` tells whether it came to an end, be it an early one; ``undone`` are units that were planned and not done.
    """

    name: str
    units: tuple[str, ...]
    seconds: float
    requests: int
    cut: str
    skipped: tuple[tuple[str, str], ...]
    done: bool
    undone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation: how often each status came back (0: no answer), and the statuses that the document declares."""

    id: str
    method: str
    path: str
    statuses: Mapping[int, int]
    declared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Walked:
    """One lifecycle: how often each of its transitions was seen."""

    lifecycle: Lifecycle
    taken: Mapping[str, int]

    @property
    def covered(self) -> int:
        """How many transitions were seen at least once."""
        return sum(count > 0 for count in self.taken.values())


@dataclass(frozen=True, slots=True)
class Account:
    """All of it. ``seconds`` is how long the run took, ``at`` when this was written (RFC 3339).

    ``doubts`` are why it may say nothing of the deployment.
    """

    provider: Provider
    command: str
    url: str
    verdict: str
    cut: str
    seed: int
    shard: tuple[int, int]
    seconds: float
    at: str
    requests: int
    findings: tuple[Finding, ...]
    accepted: Mapping[str, int]
    parts: tuple[Part, ...]
    operations: tuple[Asked, ...]
    lifecycles: tuple[Walked, ...]
    leftovers: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """The verdict in words."""
        if self.verdict == "passed" and self.accepted:
            return "nothing contradicts the contract but what the baseline accepts"
        return VERDICTS[self.verdict]

    @property
    def failures(self) -> int:
        """How many findings fail the run."""
        return sum(each.severity == "failure" for each in self.findings)


def account_of(run: Run, *, command: str, url: str) -> Account:
    """Gather what a run has to tell. ``command`` repeats it, ``url`` is the target."""
    mask = Mask.of(run.provider, run.target.callers)
    return Account(
        provider=run.provider,
        command=mask.text(command),
        url=mask.text(url, 2_048),
        verdict=_verdict(run),
        cut=mask.text(run.cut),
        seed=run.options.seed,
        shard=run.options.shard,
        seconds=round(run.target.budget.used, 3),
        at=format_instant(Clock().now()),
        requests=run.target.sent,
        findings=tuple(mask.finding(each) for each in run.findings),
        accepted={mask.text(cause, 2_048): times for cause, times in sorted(run.findings.accepted.items())},
        parts=_parts(run, mask),
        operations=_operations(run, mask),
        lifecycles=tuple(
            Walked(lifecycle, {name: run.taken[lifecycle.name, name] for name in lifecycle.transitions})
            for lifecycle in run.provider.rules.lifecycles.values()
        ),
        leftovers=tuple(mask.text(each, 2_048) for each in run.leftovers),
        doubts=tuple(mask.text(each, 2_048) for each in doubts(run)),
    )


def as_document(account: Account) -> dict[str, Json]:
    """The account as ``report.json`` and ``--json`` have it."""
    return {
        "tool": "tasktwin",
        "version": version("tasktwin"),
        "command": account.command,
        "target": account.url,
        "provider": account.provider.name,
        "seed": account.seed,
        "shard": f"{account.shard[0]}/{account.shard[1]}",
        "at": account.at,
        "seconds": account.seconds,
        "requests": account.requests,
        "verdict": account.verdict,
        "cut": account.cut,
        "failures": account.failures,
        "notes": len(account.findings) - account.failures,
        "findings": [as_json(each) for each in account.findings],
        "accepted": [{"cause": cause, "times": times} for cause, times in account.accepted.items()],
        "phases": [_phase(each) for each in account.parts],
        "units": [f"{part.name}:{unit}" for part in account.parts for unit in part.units],
        "undone": [f"{part.name}:{unit}" for part in account.parts for unit in part.undone],
        "skipped": [
            {"phase": part.name, "what": what, "why": why} for part in account.parts for what, why in part.skipped
        ],
        "leftovers": list(account.leftovers),
        "doubts": list(account.doubts),
        "coverage": _coverage(account),
    }


def _phase(part: Part) -> Json:
    return {
        "phase": part.name,
        "units": len(part.units),
        "undone": len(part.undone),
        "requests": part.requests,
        "seconds": part.seconds,
        "done": part.done,
        "cut": part.cut,
        "skipped": len(part.skipped),
    }


def _coverage(account: Account) -> Json:
    return {
        "operations": {
            each.id: {
                "method": each.method,
                "path": each.path,
                "statuses": {str(status): count for status, count in each.statuses.items()},
            }
            for each in account.operations
        },
        "lifecycles": {
            each.lifecycle.name: {
                "covered": each.covered,
                "of": len(each.taken),
                "transitions": dict(each.taken),
            }
            for each in account.lifecycles
        },
    }


def _verdict(run: Run) -> str:
    if run.findings.failures:
        return "failed"
    return "cut" if run.cut or any(each.cut for each in run.ended) else "passed"


def _parts(run: Run, mask: Mask) -> tuple[Part, ...]:
    """The phases in the order in which they ended, then those that were begun, then those that were not."""
    units, undone = ([unit.partition(":") for unit in each] for each in (run.units, run.undone))
    asked = Counter(each.phase for each in tuple(run.target.traffic))
    begun = [
        *(each.phase for each in run.ended),
        *(name for name, _, _ in units),
        *(each.phase for each in run.skipped),
        *(each.phase for each in run.findings),
    ]
    names = dict.fromkeys([*begun, *(run.options.phases if run.ended or run.cut else ())])
    return tuple(
        Part(
            name=name,
            units=tuple(mask.text(rest, 2_048) for phase, _, rest in units if phase == name),
            seconds=round(sum(each.seconds for each in run.ended if each.phase == name), 3),
            requests=asked[name],
            cut=mask.text("; ".join(dict.fromkeys(each.cut for each in run.ended if each.phase == name and each.cut))),
            skipped=tuple(
                (mask.text(each.what, 2_048), mask.text(each.why, 8_192)) for each in run.skipped if each.phase == name
            ),
            done=any(each.phase == name for each in run.ended),
            undone=tuple(mask.text(rest, 2_048) for phase, _, rest in undone if phase == name),
        )
        for name in names
    )


def _operations(run: Run, mask: Mask) -> tuple[Asked, ...]:
    """Every operation of the contract in its order, then what was asked besides."""
    seen: dict[str, dict[int, int]] = {}
    for (operation, status), count in sorted(run.answered.items()):
        seen.setdefault(operation, {})[status] = count
    known = run.provider.rules.contract.operations
    listed = [
        Asked(each.id, each.method, each.path, seen.get(each.id, {}), tuple(map(str, each.raw.get("responses", {}))))
        for each in known.values()
    ]
    return (
        *listed,
        *(Asked(mask.text(name, 2_048) or "(none)", "", "", seen[name], ()) for name in seen if name not in known),
    )
