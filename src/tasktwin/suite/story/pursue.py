"""From the first sight of something wrong to a finding: seen again, by the shortest story that shows it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tasktwin.state import elapsed
from tasktwin.suite.budget import SpentError
from tasktwin.suite.finding import Finding
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Step
from tasktwin.suite.target import UnreachableError

MOST_PLAYS = 40
"""So often a story is played again to make it shorter."""

LONGEST = 6.0
"""Seconds that this may take."""


def pursue(theatre: Theatre, stage: Stage, taken: Taken, mismatch: Mismatch) -> None:
    """Report a mismatch, unless it is known already: again, and as shortly as possible."""
    run = theatre.run
    known = run.findings.by_cause.get(mismatch.cause)
    if known and (known.severity == "failure" or mismatch.basis.severity == "note"):
        run.report(stage.finding(taken, mismatch))
        return
    whole = [each.step for each in stage.taken[: stage.taken.index(taken) + 1]]
    first = stage.finding(taken, mismatch)
    if not run.findings.pending(first):
        return
    best: Finding | None = None
    try:
        for shorter in _shorter_and_shorter(theatre, whole, stage.needed(taken), mismatch):
            best = shorter
    except (SpentError, UnreachableError) as error:
        run.report(best or _once(first, f"then {error}"))
        raise
    run.report(best or _once(first, "not again"))


def report_seen_twice(
    theatre: Theatre,
    play: Callable[[Stage], list[tuple[Taken, Mismatch]]],
    worded: Callable[[Finding], Finding] = lambda found: found,
) -> None:
    """Play a story, and again if it showed something; report what both showed, as it is then ``worded``."""
    with theatre.stage() as stage:
        first = {mismatch.cause: stage.finding(taken, mismatch) for taken, mismatch in play(stage)}
    if not first:
        return
    with theatre.stage() as stage:
        try:
            again = play(stage)
        except (SpentError, UnreachableError) as error:
            for each in first.values():
                theatre.run.report(_once(worded(each), f"then {error}"))
            raise
        for taken, mismatch in again:
            if mismatch.cause in first:
                theatre.run.report(worded(stage.finding(taken, mismatch)))


def _once(first: Finding, why: str) -> Finding:
    """What was not seen again is no more than a note."""
    return replace(first, title=f"{first.title} (seen once, {why})", severity_override="note")


def _shorter_and_shorter(
    theatre: Theatre, whole: list[Step], needed: list[Step], mismatch: Mismatch
) -> Iterator[Finding]:
    """The finding, as often as a story shows it again, each one shorter than the one before."""
    until = elapsed() + LONGEST
    for steps in (needed, _with_looks(whole, needed), whole):
        seen = _again(theatre, steps, mismatch)
        if seen:
            yield seen
            break
    else:
        return
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
            yield found
            steps = shorter


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
                same = next((each for each in taken.found if _is_same(each, mismatch)), None)
                return stage.finding(taken, same) if same else None
            if not taken.in_step:
                return None
    return None


def _is_same(one: Mismatch, other: Mismatch) -> bool:
    return one.cause == other.cause and one.basis.severity == other.basis.severity
