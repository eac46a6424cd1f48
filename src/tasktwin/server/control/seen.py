"""Routes about what was seen: the journal, the lifecycles, the coverage, how clients coped."""

from fnmatch import fnmatchcase
from io import StringIO
from typing import Any

from starlette.responses import Response

from tasktwin.behaviour.order import hint, quoted
from tasktwin.exchange.preference import preferences
from tasktwin.server.control.call import Call, Handler, ProblemError, answer
from tasktwin.server.control.coverage import coverage, lifecycles, rows_by_state
from tasktwin.server.control.har import as_har, as_json
from tasktwin.server.control.journal_feed import FeedResponse, JournalFeed


def get_journal(call: Call) -> Response:
    """What was asked and answered."""
    entries = call.world.journal.entries(**_filters(call))
    return answer(200, {"entries": [as_json(entry) for entry in entries], "dropped": call.world.journal.dropped})


def clear_journal(call: Call) -> Response:
    """Forget it."""
    call.world.journal.clear()
    return Response(status_code=204)


def stream_journal(call: Call) -> Response:
    """The same, live."""
    if call.hub.full:
        raise ProblemError(503, "no further stream can be opened: close some")
    status: str | None = call.read.query.get("status")
    wanted = {"operation": _operation(call), "status": status}
    _ = call.world.journal.entries(status=status, limit=0)  # what is no status is refused before anything is sent
    seen = call.read.header.get("last-event-id", call.read.query.get("since"))
    position = call.world.journal.newest if seen is None else min(seen, call.world.journal.newest)
    bounded = preferences(call.request.scope["headers"]).get("stream") == "bounded"
    return FeedResponse(call.hub, JournalFeed(call.world, position, wanted, bounded))


def get_har(call: Call) -> Response:
    """The journal as HAR 1.2."""
    origin = call.origin
    file = StringIO()
    as_har(call.world.journal.entries(**_filters(call)), origin, file)
    return Response(file.getvalue(), media_type="application/json")


def list_lifecycles(call: Call) -> Response:
    """States and transitions."""
    return answer(200, lifecycles(call.world))


def draw_lifecycle(call: Call) -> Response:
    """One of them, drawn."""
    lifecycle = call.rules.lifecycles.get(call.read.path["name"])
    if lifecycle is None:
        known = ", ".join(call.rules.lifecycles) or "none"
        raise ProblemError(404, f"there is no lifecycle {call.read.path['name']!r}; there are {known}")
    taken = {label for owner, label in call.world.taken if owner == lifecycle.name}
    from tasktwin.diagram import svg  # noqa: PLC0415 - 10 ms that serving does not need

    return Response(svg(lifecycle, rows_by_state(call.world, lifecycle), taken), media_type="image/svg+xml")


def get_coverage(call: Call) -> Response:
    """What was seen in this world."""
    return answer(200, coverage(call.world))


def get_clients(call: Call) -> Response:
    """How the clients of this world coped."""
    from tasktwin.server.control import clients  # noqa: PLC0415 - with the referee, whom few ask: serving starts sooner

    return clients.get_clients(call)


def _filters(call: Call) -> dict[str, Any]:
    filters: dict[str, Any] = {key: call.read.query.get(key) for key in ("status", "since", "limit")}
    return filters | {"operation": _operation(call)}


def _operation(call: Call) -> str | None:
    """The operations that are meant. Raises ``ProblemError`` if there is none: a test would count none of them for ever."""
    glob, known = call.read.query.get("operation"), call.rules.contract.operations
    if glob and not any(fnmatchcase(each, glob) for each in known):
        raise ProblemError(400, f"there is no operation {quoted(glob)}. {hint(glob, known)}")
    return glob


ROUTES: dict[str, Handler] = {
    "getJournal": get_journal,
    "clearJournal": clear_journal,
    "streamJournal": stream_journal,
    "getHar": get_har,
    "listLifecycles": list_lifecycles,
    "drawLifecycle": draw_lifecycle,
    "getCoverage": get_coverage,
    "getClients": get_clients,
}
