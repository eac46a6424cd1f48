"""Routes by which trouble is ordered."""

from starlette.responses import Response

from tasktwin.behaviour.fault import parse_faults
from tasktwin.server.control.call import Call, Handler, answer


def get_faults(call: Call) -> Response:
    """The trouble that is ordered."""
    return answer(200, call.world.faults.as_json())


def put_faults(call: Call) -> Response:
    """Order trouble."""
    call.world.faults.put(parse_faults(call.read.body, call.rules.contract.operations, call.rules.streams))
    return answer(200, call.world.faults.as_json())


def clear_faults(call: Call) -> Response:
    """No more trouble."""
    call.world.faults.clear()
    return Response(status_code=204)


ROUTES: dict[str, Handler] = {"getFaults": get_faults, "putFaults": put_faults, "clearFaults": clear_faults}
