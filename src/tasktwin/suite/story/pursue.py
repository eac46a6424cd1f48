"""From the first sight of something wrong to a finding: seen again, by the shortest story that shows it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tasktwin.state import elapsed
from tasktwin.suite.budget import SpentError
from tasktwin.suite.finding import Finding
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.stage import SAFE, Stage, Taken, Theatre
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
    """The finding, as often as a story shows it again, each one shorter than the one before.

    From what a step needs, or with all that writes, or with all that is done by the same callers, or all; then without
    halves of it, quarters, and at last single steps.
    """
    until = elapsed() + LONGEST
    steps: list[Step] = []
    for steps in (needed, _with_writes(theatre, whole, needed), _with_looks(whole, needed), whole):
        seen = _again(theatre, steps, mismatch)
        if seen:
            yield seen
            break
    else:
        return
    size = len(steps) // 2 if mismatch.basis.severity == "failure" else 0
    plays = 0
    while size:
        for gone in [steps[n : n + size] for n in range(0, len(steps) - 1, size)]:
            shorter = without(steps, *gone)
            if len(shorter) == len(steps) or not shorter or shorter[-1] is not steps[-1]:
                continue
            if plays >= MOST_PLAYS or elapsed() > until:
                return
            plays += 1
            seen = _again(theatre, shorter, mismatch)
            if seen:
                yield seen
                steps = shorter
        size //= 2


def _with_writes(theatre: Theatre, whole: Sequence[Step], needed: Sequence[Step]) -> list[Step]:
    """What a step needs, and all that may change something."""
    operations = theatre.run.provider.rules.contract.operations
    return [each for each in whole if each in needed or operations[each.operation].method not in SAFE]


def _with_looks(whole: Sequence[Step], needed: Sequence[Step]) -> list[Step]:
    """What a step needs, and whatever was done by those who take part in it."""
    cast = {each.as_ for each in needed}
    return [each for each in whole if each in needed or each.as_ in cast]


def without(steps: Sequence[Step], *gone: Step) -> list[Step]:
    """A story without some steps, and without those that need them."""
    lost = {each.key for each in gone}
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
