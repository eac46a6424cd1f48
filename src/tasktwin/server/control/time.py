"""Routes about time, and about what no call of the API does."""

from starlette.responses import Response

from tasktwin.behaviour.world import Fired
from tasktwin.server.control.call import Call, Handler, answer, read_instant
from tasktwin.state import LATEST, format_instant
from tasktwin.wire import Json


def get_clock(call: Call) -> Response:
    """The world's time, and the timers that wait."""
    return answer(200, _time(call))


def set_clock(call: Call) -> Response:
    """Move the world's time."""
    wish, clock = call.read.body, call.world.clock.copy()
    if "mode" in wish:
        clock.set_mode(wish["mode"])
    if "now" in wish:
        clock.set(read_instant(wish["now"]))
    if "advance" in wish:
        clock.advance(round(wish["advance"] * 1_000_000))
    fired = call.world.turn(clock)
    return answer(200, {**_time(call), "fired": [_fired(each) for each in fired]})


def _time(call: Call) -> dict[str, Json]:
    call.world.tick()
    timers = call.world.store.timers()
    waiting = [
        {
            "due": format_instant(timer.due, "microseconds"),
            "lifecycle": timer.lifecycle,
            "id": timer.row,
            "transition": timer.name,
        }
        for timer in timers[:100]
        if timer.lifecycle and timer.due <= LATEST
    ]
    return {
        "now": format_instant(call.world.instant, "microseconds"),
        "mode": call.world.clock.mode,
        "timers": len(timers),
        "next": waiting,
    }


def fire_trigger(call: Call) -> Response:
    """Fire a lifecycle's trigger on a row."""
    wish = call.read.body
    return answer(200, call.world.trigger(call.read.path["trigger"], wish["id"], wish.get("collection", "")))


def _fired(each: Fired) -> Json:
    return {
        "at": format_instant(each.instant, "microseconds"),
        "collection": each.collection,
        "id": each.row,
        "transition": each.transition,
    }


ROUTES: dict[str, Handler] = {"getClock": get_clock, "setClock": set_clock, "fireTrigger": fire_trigger}
