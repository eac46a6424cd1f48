"""A step that failed, as a finding: what it contradicts, the lines that lead to it, and a script that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasktwin.provider import Provider
from tasktwin.provider.scenario import Scenario, Step, Workflow
from tasktwin.suite.certainty import basis_of
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.finding import Basis, Finding
from tasktwin.suite.run import Run
from tasktwin.suite.scenario.criterion import Unmet
from tasktwin.suite.scenario.played import Played, needed
from tasktwin.suite.scenario.script import script
from tasktwin.suite.story.judge import Mismatch

RULE = "scenario.step"


@dataclass(frozen=True, slots=True)
class Place:
    """A step and where it stands."""

    scenario: Scenario
    flow: Workflow
    step: Step


def finding(run: Run, place: Place, found: Sequence[Unmet], played: Sequence[Played], time: TargetTime) -> Finding:
    """What is wrong with a step, whose line is the last that was played."""
    scenario, flow, step = place.scenario, place.flow, place.step
    kept = needed(played)
    first = found[0]
    status = f"status {played[-1].line.reply.status}" if played else ""
    told = "; ".join(each.actual for each in found)
    expected = " and ".join(each.expected for each in found)
    actual = told if "$statusCode" in told or "status" in told else f"{told} ({status})"
    return Finding(
        RULE,
        step.operation,
        f"{_called(scenario, flow)}, step {step.id}: {first.actual}",
        expected,
        actual,
        _basis(run.provider, place),
        f"{RULE}:{scenario.name}:{flow.id}:{step.id}",
        "scenarios",
        tuple(each.line for each in kept),
        script(run, kept, time, f"expected: {expected}\nactual:   {actual}"),
        first.pointer,
    )


def _called(scenario: Scenario, flow: Workflow) -> str:
    """The scenario, and which of its workflows if it has several."""
    return f"{scenario.title}, {flow.id}" if len(scenario.workflows) > 1 else scenario.title


def _basis(provider: Provider, place: Place) -> Basis:
    scenario, flow, step = place.scenario, place.flow, place.step
    mark = step.provenance or flow.provenance or scenario.provenance
    about = f"The scenario {scenario.title!r} ({scenario.path.name}), step {step.id}: {step.about or flow.about}"
    return basis_of(provider, mark, about) if mark and mark.kind else Basis("observed", about)


def broken(run: Run, step: Step, mismatch: Mismatch, played: Sequence[Played], time: TargetTime) -> Finding:
    """An answer that breaks the contract: that of the last line that was played."""
    kept = needed(played)
    return Finding(
        mismatch.rule,
        step.operation,
        mismatch.title,
        mismatch.expected,
        mismatch.actual,
        mismatch.basis,
        mismatch.cause,
        "scenarios",
        tuple(each.line for each in kept),
        script(run, kept, time, f"expected: {mismatch.expected}\nactual:   {mismatch.actual}"),
        mismatch.pointer,
    )
