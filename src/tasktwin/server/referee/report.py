"""The report on the clients of a world, made from its journal when it is asked for: no request pays for it.

A client is a caller with a ``User-Agent``. Requests for which nobody signed in are those of the one caller with the same
``User-Agent``, if there is only one. Where a client runs is not looked at: on one machine all have one address.
"""

from collections.abc import Callable, Sequence

from tasktwin.behaviour.world import World
from tasktwin.server.referee.conduct import kept_contract, kept_limits, tolerated
from tasktwin.server.referee.follow import polled, resumed
from tasktwin.server.referee.pages import followed
from tasktwin.server.referee.point import Point
from tasktwin.server.referee.retry import backed_off, kept_key, waited
from tasktwin.server.referee.trace import Trace, trace
from tasktwin.server.referee.unmet import unmet
from tasktwin.state import Entry, format_instant
from tasktwin.wire import Json

MOST_CLIENTS = 50
"""So many clients are judged, those with the most requests; the report tells how many it leaves out."""

LONGEST_AGENT = 200
"""Characters of a ``User-Agent`` that the report shows."""

JUDGES: tuple[Callable[[Trace], Point], ...] = (
    waited,
    backed_off,
    kept_key,
    resumed,
    followed,
    polled,
    tolerated,
    kept_limits,
    kept_contract,
)
"""The points, in the order of the report."""

Client = tuple[str, str]
"""Whoever signed in, "" for nobody; and the ``User-Agent``, "" without one."""


def report(world: World) -> dict[str, Json]:
    """Every client of a world with its points and what it never met, as JSON."""
    journal = world.journal
    entries = journal.entries()
    clients = sort_out(entries)
    judged = sorted(clients.items(), key=lambda each: -len(each[1]))[:MOST_CLIENTS]
    return {
        "world": world.name,
        "at": format_instant(world.instant, "microseconds"),
        "journal": {
            "first": journal.oldest,
            "last": journal.newest,
            "dropped": journal.dropped,
            "limit": journal.limit,
        },
        "clients": [_judged(client, trace(world, found)) for client, found in judged],
        "left_out": len(clients) - len(judged),
    }


def sort_out(entries: Sequence[Entry]) -> dict[Client, list[Entry]]:
    """The entries of each client, in order."""
    agents: dict[str, set[str]] = {}
    for each in entries:
        if each.principal:
            agents.setdefault(_agent(each), set()).add(each.principal)
    clients: dict[Client, list[Entry]] = {}
    for each in entries:
        agent = _agent(each)
        callers = agents.get(agent, set())
        caller = each.principal or (next(iter(callers)) if len(callers) == 1 else "")
        clients.setdefault((caller, agent), []).append(each)
    return clients


def _agent(entry: Entry) -> str:
    return next((value for name, value in entry.request_headers if name.lower() == "user-agent"), "")


def _judged(client: Client, seen: Trace) -> dict[str, Json]:
    points = [judge(seen) for judge in JUDGES]
    first, last = seen.all[0].entry, seen.all[-1].entry
    return {
        "principal": client[0],
        "user_agent": client[1][:LONGEST_AGENT],
        "requests": len(seen.seen),
        "first": _placed(first),
        "last": _placed(last),
        "verdicts": {name: sum(1 for each in points if each.verdict == name) for name in ("good", "bad", "unseen")},
        "points": [each.as_json() for each in points],
        "never_met": unmet(seen),
    }


def _placed(entry: Entry) -> dict[str, Json]:
    return {"number": entry.number, "at": format_instant(entry.instant, "microseconds")}
