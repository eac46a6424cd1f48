"""What a world has seen, as the control plane tells it: states, transitions, operations and their statuses."""

from tasktwin.behaviour.lifecycle import Lifecycle
from tasktwin.behaviour.world import World
from tasktwin.state import Query
from tasktwin.wire import Json


def lifecycles(world: World) -> dict[str, Json]:
    """Every lifecycle: how many rows are in each state, and how often each transition was taken."""
    return {name: _lifecycle(world, lifecycle) for name, lifecycle in world.rules.lifecycles.items()}


def _lifecycle(world: World, lifecycle: Lifecycle) -> Json:
    counts = rows_by_state(world, lifecycle)
    return {
        "collection": lifecycle.collection,
        "states": {
            state: {"rows": counts[state], "final": each.final, "provenance": str(each.provenance)}
            for state, each in lifecycle.states.items()
        },
        "transitions": {
            label: {
                "from": list(way.sources),
                "to": way.to,
                "cause": way.cause,
                "taken": world.taken[lifecycle.name, label],
                "provenance": str(way.provenance),
            }
            for label, way in lifecycle.transitions.items()
        },
    }


def rows_by_state(world: World, lifecycle: Lifecycle) -> dict[str, int]:
    """How many rows are in each state."""
    collection, field = lifecycle.collection, lifecycle.field
    return {state: world.store.count(Query(collection, ((field, state),))) for state in lifecycle.states}


def coverage(world: World) -> dict[str, Json]:
    """Operations with how often each status was answered and each event told, transitions taken, and the sums."""
    names = world.rules.contract.operations
    operations: dict[str, dict[str, int]] = {name: {} for name in names}
    for (name, status), count in sorted(world.answered.items()):
        operations.setdefault(name or "(no operation)", {})[str(status)] = count
    transitions = {
        name: {label: world.taken[name, label] for label in lifecycle.transitions}
        for name, lifecycle in world.rules.lifecycles.items()
    }
    ways = [count for each in transitions.values() for count in each.values()]
    events: dict[str, dict[str, int]] = {}
    for (name, event), count in sorted(world.told.items()):
        events.setdefault(name, {})[event] = count
    return {
        "operations": operations,
        "transitions": transitions,
        "events": events,
        "summary": {
            "operations": {"seen": sum(1 for name in names if operations[name]), "all": len(names)},
            "transitions": {"seen": sum(1 for count in ways if count), "all": len(ways)},
        },
    }
