"""Routes about worlds as a whole: which there are, how they begin, their snapshots."""

from dataclasses import replace
from functools import partial

from starlette.responses import HTMLResponse, Response

from tasktwin import __version__
from tasktwin.behaviour.beginning import Saved
from tasktwin.behaviour.fault import parse_faults
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import MOST_KEPT, MOST_SNAPSHOTS, NAME, About, Plan
from tasktwin.errors import MisuseError
from tasktwin.server.control.call import Call, Handler, ProblemError, answer, free_name, read_instant
from tasktwin.server.control.contract import control_document
from tasktwin.server.control.page import page
from tasktwin.server.transport import CONTROL
from tasktwin.state import format_instant
from tasktwin.wire import Json


def get_page(call: Call) -> Response:
    """A page for people."""
    base = call.origin
    return HTMLResponse(page([call.rules], [base]))


def get_health(call: Call) -> Response:
    """Ready, once requests can be served."""
    return answer(200, {"status": "ok", "version": __version__, "providers": [call.rules.name]})


def get_contract(_call: Call) -> Response:
    """The control plane's own contract."""
    return answer(200, control_document())


def list_worlds(call: Call) -> Response:
    """The worlds there are."""
    return answer(200, {"worlds": [_told(call, each) for each in call.worlds.about()], "limit": call.worlds.plan.limit})


def create_world(call: Call) -> Response:
    """Make a world, from seeds, a snapshot or another world."""
    wish = call.read.body or {}
    name = wish.get("name") or free_name("world", len(call.worlds), call.worlds.find)
    _refuse_known(call, name)
    plan, origin = _origin(call, wish["from"]) if "from" in wish else (call.worlds.plan, None)
    given = {key: wish[key] for key in ("seeds", "seed", "mode", "limits") if key in wish}
    if "now" in wish:
        given["now"] = read_instant(wish["now"])
    if "faults" in wish:
        rules = call.rules
        given["faults"] = parse_faults(wish["faults"], rules.contract.operations, rules.streams, "/faults")
    try:
        made = call.worlds.create(name, replace(plan, **given), origin)
    except MisuseError:
        _refuse_known(call, name)  # by now: another process was first
        raise
    return answer(201, _told(call, About.of(made)))


def _refuse_known(call: Call, name: str) -> None:
    if call.worlds.find(name):
        raise ProblemError(409, f"the world {name!r} exists already")


def _origin(call: Call, name: str) -> tuple[Plan, Saved]:
    """A world as it is now, or a snapshot of the world that the request names; and how that world began."""
    other = call.worlds.find(name)
    world = other or call.worlds.find(call.name)
    saved = world.agree(other.save if other else partial(world.snapshots.get, name)) if world else None
    if saved is None or world is None:
        raise ProblemError(404, f"there is no world and no snapshot {name!r}")
    began = world.beginning
    mode, limits = world.clock.mode, world.limits
    return replace(call.worlds.plan, seeds=began.seeds, seed=began.seed, mode=mode, limits=limits, now=None), saved


def get_world(call: Call) -> Response:
    """One world."""
    world = _existing(call, call.read.path["name"])
    return answer(200, _told(call, world.agree(lambda: About.of(world))))


def delete_world(call: Call) -> Response:
    """Forget a world."""
    name = _existing(call, call.read.path["name"]).name
    if not call.worlds.delete(name):
        raise ProblemError(404, f"the world {name!r} was deleted a moment ago")
    return Response(status_code=204)


def reset(call: Call) -> Response:
    """Back to how the world began."""
    call.world.begin_again()
    return answer(200, _told(call, About.of(call.world)))


def _existing(call: Call, name: str) -> World:
    world = call.worlds.find(name)
    if world is None:
        raise ProblemError(404, f"there is no world {name!r}")
    return world


def _told(call: Call, world: About) -> Json:
    root = f"{call.origin}{CONTROL}/worlds/{world.name}"
    return {
        "name": world.name,
        "base_url": f"{root}/api",
        "control_url": f"{root}/control",
        "seeds": world.seeds,
        "seed": world.seed,
        "now": format_instant(world.clock.now(), "microseconds"),
        "mode": world.clock.mode,
        "limits": world.limits,
    }


def list_snapshots(call: Call) -> Response:
    """The snapshots there are."""
    saved = sorted(call.world.snapshots.items())
    found = [{"name": name, "now": format_instant(each.now, "microseconds")} for name, each in saved]
    return answer(200, {"snapshots": found})


def take_snapshot(call: Call) -> Response:
    """Keep the world as it is."""
    name = (call.read.body or {}).get("name") or free_name(
        "snapshot", len(call.world.snapshots), call.world.snapshots.get
    )
    assert NAME.fullmatch(name)
    if name not in call.world.snapshots and len(call.world.snapshots) >= MOST_SNAPSHOTS:
        raise ProblemError(409, f"a world keeps at most {MOST_SNAPSHOTS} snapshots")
    if call.worlds.is_full_of_snapshots():
        raise ProblemError(503, f"all worlds together keep at most {MOST_KEPT} snapshots: delete worlds")
    saved = call.world.snapshots[name] = call.world.save()
    return answer(201, {"name": name, "now": format_instant(saved.now, "microseconds")})


def restore_snapshot(call: Call) -> Response:
    """Back to a snapshot."""
    saved = call.world.snapshots.get(call.read.path["name"])
    if saved is None:
        known = ", ".join(sorted(call.world.snapshots)) or "none"
        raise ProblemError(404, f"there is no snapshot {call.read.path['name']!r}; there are {known}")
    call.world.restore(saved)
    return answer(200, _told(call, About.of(call.world)))


ROUTES: dict[str, Handler] = {
    "getPage": get_page,
    "getHealth": get_health,
    "getContract": get_contract,
    "listWorlds": list_worlds,
    "createWorld": create_world,
    "getWorld": get_world,
    "deleteWorld": delete_world,
    "reset": reset,
    "listSnapshots": list_snapshots,
    "takeSnapshot": take_snapshot,
    "restoreSnapshot": restore_snapshot,
}
