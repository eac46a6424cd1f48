"""Routes by which trouble is ordered."""

from starlette.responses import Response

from tasktwin.behaviour.fault import parse_faults
from tasktwin.behaviour.limit import leave, standings
from tasktwin.behaviour.order import OrderError
from tasktwin.errors import MisuseError
from tasktwin.server.control.call import Call, Handler, answer


def get_faults(call: Call) -> Response:
    """The trouble that is ordered."""
    return answer(200, call.world.faults.as_json())


def put_faults(call: Call) -> Response:
    """Order trouble."""
    faults = parse_faults(call.read.body, call.rules.contract.operations, call.rules.streams)
    for place, fault in enumerate(faults):
        if fault.principal in call.rules.principals:
            _check_name(call, fault.principal, f"/{place}/match/principal")
    call.world.faults.put(faults)
    return answer(200, call.world.faults.as_json())


def _check_name(call: Call, demo: str, pointer: str) -> None:
    """A demo caller has another name in the journal, mostly: a fault for the first would strike nobody. Raises ``OrderError``."""
    name = call.who_is(demo)["name"]
    if name != demo:
        raise OrderError(pointer, f"faults name callers as the journal does: {demo!r} is {name!r}")


def clear_faults(call: Call) -> Response:
    """No more trouble."""
    call.world.faults.clear()
    return Response(status_code=204)


def get_limits(call: Call) -> Response:
    """Whether limits refuse, and where each caller stands."""
    return answer(200, standings(call.world))


def put_limits(call: Call) -> Response:
    """Set whether limits refuse, or leave so many requests, or both. Nothing is set when either is wrong."""
    wish, former = call.read.body, call.world.limits
    call.world.limits = wish.get("mode", former)
    try:
        if "leave" in wish:
            leave(call.world, wish["leave"], wish.get("limit", ""), wish.get("principal", "*"))
    except MisuseError:
        call.world.limits = former
        raise
    return answer(200, standings(call.world))


ROUTES: dict[str, Handler] = {
    "getFaults": get_faults,
    "putFaults": put_faults,
    "clearFaults": clear_faults,
    "getLimits": get_limits,
    "putLimits": put_limits,
}
