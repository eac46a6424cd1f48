"""From the first sight of something wrong to a finding: seen again, by the shortest story that shows it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tasktwin.state import elapsed
from tasktwin.suite.budget import SpentError
from tasktwin.suite.finding import Finding
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Step

MOST_PLAYS = 40
"""So often a story is played again to make it shorter."""

LONGEST = 6.0
"""Seconds that this may take."""


def pursue(theatre: Theatre, stage: Stage, taken: Taken, mismatch: Mismatch) -> None:
    """Report a mismatch, unless it is known already: again, and as shortly as possible."""
    run = theatre.run
    if mismatch.cause in run.findings.by_cause:
        run.report(stage.finding(taken, mismatch))
        return
    whole = [each.step for each in stage.taken[: stage.taken.index(taken) + 1]]
    first = stage.finding(taken, mismatch)
    if not run.findings.pending(first):
        return
    try:
        found = _shortest(theatre, whole, stage.needed(taken), mismatch)
    except SpentError:
        run.report(first)
        raise
    run.report(found or replace(first, title=f"{first.title} (seen once, not again)", severity_override="note"))


def report_seen_twice(theatre: Theatre, play: Callable[[Stage], list[tuple[Taken, Mismatch]]]) -> None:
    """Play a story, and again if it showed something; report what both showed."""
    with theatre.stage() as stage:
        first = {mismatch.cause for _, mismatch in play(stage)}
    if not first:
        return
    with theatre.stage() as stage:
        for taken, mismatch in play(stage):
            if mismatch.cause in first:
                theatre.run.report(stage.finding(taken, mismatch))


def _shortest(theatre: Theatre, whole: list[Step], needed: list[Step], mismatch: Mismatch) -> Finding | None:
    """The finding by the shortest story that shows it again; ``None`` if none does."""
    until = elapsed() + LONGEST
    best: Finding | None = None
    steps = needed
    for candidate in (needed, _with_looks(whole, needed), whole):
        best = _again(theatre, candidate, mismatch)
        if best:
            steps = candidate
            break
    if best is None:
        return None
    plays = 0
    for step in list(steps[:-1]):
        if plays >= MOST_PLAYS or elapsed() > until or mismatch.basis.severity == "note":
            break
        shorter = without(steps, step)
        if not shorter or len(shorter) == len(steps) or shorter[-1] is not steps[-1]:
            continue
        plays += 1
        found = _again(theatre, shorter, mismatch)
        if found:
            best, steps = found, shorter
    return best


def _with_looks(whole: Sequence[Step], needed: Sequence[Step]) -> list[Step]:
    """What a step needs, and whatever was done by those who take part in it."""
    cast = {each.as_ for each in needed}
    return [each for each in whole if each in needed or each.as_ in cast]


def without(steps: Sequence[Step], gone: Step) -> list[Step]:
    """A story without a step, and without those that need it."""
    lost = {gone.key}
    kept = []
    for step in steps:
        if step.key in lost or step.refs() & lost:
            lost.add(step.key)
        else:
            kept.append(step)
    return kept


def _again(theatre: Theatre, steps: Sequence[Step], mismatch: Mismatch) -> Finding | None:
    """The finding, if this story shows it with its last step."""
    with theatre.stage() as stage:
        for step in steps:
            taken = stage.take(step)
            if step is steps[-1]:
                same = next((each for each in taken.found if each.cause == mismatch.cause), None)
                return stage.finding(taken, same) if same else None
            if not taken.in_step:
                return None
    return None
