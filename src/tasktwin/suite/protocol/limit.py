"""Rate limits: whoever is refused for too many requests is told how long to wait, and is let in after that."""

from collections.abc import Callable
from functools import partial

from tasktwin.behaviour.rules import Limit
from tasktwin.suite.finding import Basis
from tasktwin.suite.lifecycle.atlas import Atlas
from tasktwin.suite.story.inputs import Inputs
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.pursue import report_seen_twice
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Step

MOST = 75
"""So many requests are sent to see a limit; a larger one is not looked for."""

LONGEST = 12.0
"""Seconds that are really waited."""

RETRY_AFTER = Basis(
    "standard",
    "RFC 9110 §10.2.3: Retry-After says how long the client ought to wait before it asks again.",
    "https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3",
)


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """One unit for each limit that can be reached with few requests."""
    del atlas
    found: list[tuple[str, Callable[[], None]]] = []
    for limit in theatre.run.provider.rules.limits:
        each = _asked(limit, desk)
        if limit.quota <= MOST and each and theatre.run.asked_for(each.operation.id):
            found.append((f"limit {limit.name}", partial(_look, theatre, limit, each)))
    return found


def _asked(limit: Limit, desk: Desk) -> Inputs | None:
    """An operation that falls under a limit and needs no row: one that only looks, if there is one."""
    fitting = [
        each
        for each in desk.inputs.values()
        if each.operation.method in limit.methods and not each.needed and _covers(limit, each)
    ]
    return min(fitting, key=lambda each: each.writes, default=None)


def _covers(limit: Limit, each: Inputs) -> bool:
    path = each.operation.path
    return any(
        pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern[:-1])) for pattern in limit.paths
    )


def _look(theatre: Theatre, limit: Limit, each: Inputs) -> None:
    report_seen_twice(theatre, partial(_count, theatre, limit, each))


def _count(theatre: Theatre, limit: Limit, each: Inputs, stage: Stage) -> list[tuple[Taken, Mismatch]]:
    """Ask until refused, wait as told, and ask again."""
    who = next(iter(theatre.run.target.callers.headers), "")
    for n in range(limit.quota + 2):
        taken = stage.take(_step(each, who, n), obeys=False)
        if taken.reply.status == 429:
            return _after(theatre, each, stage, taken, who)
    return []


def _after(theatre: Theatre, each: Inputs, stage: Stage, refused: Taken, who: str) -> list[tuple[Taken, Mismatch]]:
    name, said = each.operation.id, refused.reply.headers.get("retry-after", "")
    if not said.strip().isdecimal():
        return []
    wait = float(said)
    if not theatre.run.target.has_clock and wait > LONGEST:
        return []
    taken = stage.take(_step(each, who, 10_000, wait), obeys=False)
    if taken.reply.status != 429:
        return []
    again = taken.reply.headers.get("retry-after", "nothing")
    return [
        (
            taken,
            Mismatch(
                "limit.retry-after",
                f"{name} refuses again after the time that its Retry-After told to wait",
                f"let in after {said} s",
                f"429, Retry-After: {again}",
                RETRY_AFTER,
                f"limit.retry-after:{name}",
            ),
        )
    ]


def _step(each: Inputs, who: str, key: int, wait: float = 0.0) -> Step:
    body = next(iter(each.bodies), None)
    return Step(key, each.operation.id, who, each.path, body=body, wait=wait)
