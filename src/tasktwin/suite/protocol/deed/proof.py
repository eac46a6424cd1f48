"""Proof of what happens only now and then: seen twice, and not when the same is asked for in turn."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from tasktwin.suite.finding import Basis, Finding
from tasktwin.suite.protocol.deed.deed import FIRST_LOOK
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.stage import Stage, Taken, Theatre, finding
from tasktwin.suite.story.step import Step

MOST_PLAYS = 5
"""So often a story is played again to see it once more."""

_STATUS = "HTTP %{http_code}\\n"
"""What a script has curl print behind an answer."""

SEEN = frozenset({"answer.value", "itself.changed", "itself.echo", "list.lacks", "list.extra"})
"""What a look shows that can come of what was done before; an order among equals cannot."""


class Play(Protocol):
    """One story, played in a stage: what it shows, ``None`` if it cannot be played.

    ``turns``: without that which is on trial, so that it shows what is wrong anyway.
    """

    def __call__(self, stage: Stage, *, turns: bool) -> list[Finding] | None:
        """Play it."""


def prove(theatre: Theatre, play: Play, rounds: int = 1) -> bool:
    """Play a story so often; if it shows something, again until that was seen twice, then report it. Whether it did.

    What the story shows in turns as well is somebody else's business; what was seen once only is a note. Causes that
    are the same before a ``|`` are one.
    """
    seen: Counter[str] = Counter()
    first: dict[str, Finding] = {}
    known: dict[str, Finding] | None = None
    plays, limit = 0, rounds
    while plays < limit:
        plays += 1
        shown = _played(theatre, play, turns=False)
        if shown and known is None:
            known = _played(theatre, play, turns=True)
            limit = plays + MOST_PLAYS
        if shown is None or (shown and known is None):
            break
        fresh = {_whole(cause): each for cause, each in reversed(shown.items()) if cause not in (known or {})}
        for cause, each in fresh.items():
            seen[cause] += 1
            first.setdefault(cause, replace(each, cause=cause))
            if seen[cause] == 2:
                theatre.run.report(first[cause])
        if shown and all(seen[cause] > 1 for cause in first):
            break
    for cause, each in first.items():
        if seen[cause] == 1:
            title = f"{each.title} (seen once in {plays} plays)"
            theatre.run.report(replace(each, title=title, severity_override="note"))
    return bool(first)


def _whole(cause: str) -> str:
    return cause.partition("|")[0]


def _played(theatre: Theatre, play: Play, *, turns: bool) -> dict[str, Finding] | None:
    with theatre.stage() as stage:
        shown = play(stage, turns=turns)
    return None if shown is None else {each.cause: each for each in shown}


def led_there(theatre: Theatre, stage: Stage, steps: Iterable[Step]) -> bool:
    """Take the steps that lead there; whether both sides are then where they should be."""
    return all(stage.take(step).in_step for step in steps if not (step.base and theatre.alike))


def looked(stage: Stage, looks: Sequence[Step], rule: str, cause: str, words: str, basis: Basis) -> list[Finding]:
    """Take looks; what they show that is not as it should be, put down to what was done before, in ``words``."""
    found = []
    for look in looks:
        taken = stage.take(look)
        for each in taken.found:
            if each.rule in SEEN:
                part = cause_part(each.pointer)
                title = f"{words}, {look.operation} shows {_shown(each)}"
                expected = "no such row" if each.rule == "list.extra" else each.expected
                actual = "no such row" if each.rule == "list.lacks" else each.actual
                detail = f"{cause}|{look.operation}:{part}"
                blamed = Mismatch(rule, title, expected, actual, basis, detail, each.pointer)
                found.append(told(stage, taken, blamed))
    return found


def cause_part(pointer: str) -> str:
    """A pointer without list positions and identifiers, as a part of a cause."""
    return "/".join("*" if part.isdigit() else part for part in pointer.split("/"))


def _shown(each: Mismatch) -> str:
    if each.rule == "list.extra":
        return "more than it should"
    if each.rule == "list.lacks":
        return "less than it should"
    return f"another {each.pointer.rpartition('/')[2] or 'answer'}"


def told(stage: Stage, taken: Taken, mismatch: Mismatch, keys: Sequence[str] = ()) -> Finding:
    """A mismatch of a step with all that was done before in this stage but other looks.

    In the script new keys stand for ``keys``, so that it can be played again.
    """
    last = stage.taken.index(taken)
    steps = [
        each
        for n, each in enumerate(stage.taken)
        if n <= last and not each.broken and (each is taken or not _is_look_of_others(each.step, taken.step))
    ]
    found = finding(stage, steps, mismatch)
    return with_new_keys(found, keys)


def with_new_keys(found: Finding, keys: Sequence[str]) -> Finding:
    """The finding with a script in which each of these keys is a new one whenever it is run."""
    head, mark, rest = found.script.partition("\n")
    lines = []
    for n, key in enumerate(each for each in keys if each in rest):
        name = f"key{n + 1}"
        lines.append(f"{name}=key-$$-$RANDOM  # a new one each time")
        rest = rest.replace(key, f"'\"${name}\"'")
    return replace(found, script="\n".join([head, *lines, ""]) + rest if mark else found.script)


def with_headers(found: Finding, headers: Sequence[str]) -> Finding:
    """The finding with a script that prints these headers of the last answer too."""
    told = "".join(f"{name}: %header{{{name.lower()}}}\\n" for name in headers)
    return replace(found, script=found.script.replace(_STATUS, _STATUS + told))


def _is_look_of_others(step: Step, last: Step) -> bool:
    if step.key >= FIRST_LOOK:
        return True
    return step.base and (step.operation, step.as_) != (last.operation, last.as_)
