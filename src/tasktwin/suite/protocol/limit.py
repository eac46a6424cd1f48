"""Rate limits: what is left falls; whoever is refused is told how long to wait, and is let in after that."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

from tasktwin.behaviour.rules import Limit
from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis
from tasktwin.suite.lifecycle.atlas import Atlas
from tasktwin.suite.protocol.deed.proof import with_headers
from tasktwin.suite.story.inputs import Inputs
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.pursue import report_seen_twice
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Step
from tasktwin.wire import Json

MOST = 75
"""So many requests are sent to see a limit; a larger one is not looked for."""

LOOKS = 4
"""So many requests are sent to see whether what is left of a limit falls."""

LONGEST = 12.0
"""Seconds that are really waited."""

RETRY_AFTER = Basis(
    "standard",
    "RFC 9110 §10.2.3: Retry-After says how long the client ought to wait before it asks again.",
    "https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3",
)


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """One unit for each limit that tells what is left, then one for each that can be reached with few requests."""
    del atlas
    standings: dict[str, tuple[str, Callable[[], None]]] = {}
    found: list[tuple[str, Callable[[], None]]] = []
    for limit in theatre.run.provider.rules.limits:
        each = _asked(limit, desk)
        if not each or not theatre.run.asked_for(each.operation.id):
            continue
        header = _remaining(theatre.run.provider.data, limit)
        if header and not each.writes:
            unit = (f"standing of {limit.name}", partial(_stand, theatre, limit, each, header))
            standings.setdefault(each.operation.id, unit)
        if limit.quota <= MOST:
            found.append((f"limit {limit.name}", partial(_look, theatre, limit, each)))
    return [*standings.values(), *found]


def _remaining(data: Mapping[str, Json], limit: Limit) -> str:
    """The header that tells what is left of a limit, by the data; "" if there is none."""
    headers = data.get("limits", {}).get(limit.name, {}).get("headers", {})
    return next((name for name, text in headers.items() if text == "$limit#/remaining"), "")


def _asked(limit: Limit, desk: Desk) -> Inputs | None:
    """An operation that falls under a limit and needs no row: one that only looks, if there is one."""
    prefix = desk.provider.rules.contract.prefix
    fitting = [
        each
        for each in desk.inputs.values()
        if each.operation.method in limit.methods and not each.needed and _covers(limit, prefix + each.operation.path)
    ]
    return min(fitting, key=lambda each: each.writes, default=None)


def _covers(limit: Limit, path: str) -> bool:
    return any(
        pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern[:-1])) for pattern in limit.paths
    )


def _stand(theatre: Theatre, limit: Limit, each: Inputs, header: str) -> None:
    report_seen_twice(theatre, partial(_falls, theatre, limit, each, header), partial(with_headers, headers=[header]))


def _falls(theatre: Theatre, limit: Limit, each: Inputs, header: str, stage: Stage) -> list[tuple[Taken, Mismatch]]:
    """Ask a few times: what is left cannot be the same each time. A rise is a new window.

    Whoever counts by a bucket fills it up meanwhile: that is nothing to be seen if it took too long.
    """
    who = next(iter(theatre.run.target.callers.headers), "")
    taken = [stage.take(_step(each, who, n), obeys=False) for n in range(LOOKS)]
    said = [one.reply.headers.get(header.lower(), "").strip() for one in taken]
    left = [int(text) for text in said if text.isdecimal() and text.isascii()]
    if len(left) < LOOKS or any(now != before for before, now in pairwise(left)) or not left[0]:
        return []
    if taken[-1].reply.at - taken[0].reply.at >= (LOOKS - 1) * limit.window / limit.quota:
        return []
    about = f"{header} tells what is left of {limit.quota} in {limit.window / 1_000_000:g} s"
    basis = certainty.basis_of(theatre.run.provider, limit.provenance, about)
    title = f"{each.operation.id} never lowers {header}, however often one asks"
    expected, actual = "less each time", f"{left[0]} {len(left)} times"
    return [(taken[-1], Mismatch("limit.standing", title, expected, actual, basis, f"limit.standing:{limit.name}"))]


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
