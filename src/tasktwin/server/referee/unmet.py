"""What a client never met: the answers, transitions, events and troubles that it was not tested with."""

from collections.abc import Iterable

from tasktwin.behaviour.deed import READ
from tasktwin.behaviour.rules import Binding
from tasktwin.behaviour.telling import StreamRule
from tasktwin.server.referee.trace import WAYS, Trace
from tasktwin.wire import Json


def unmet(trace: Trace) -> dict[str, Json]:
    """What this client never met in the operations that it uses; transitions and events count for the whole world."""
    used = sorted({each.entry.operation for each in trace.seen if each.operation})
    return {
        "statuses": _statuses(trace, used),
        "transitions": _transitions(trace, used),
        "events": _events(trace, used),
        "faults": _faults(trace),
    }


def _statuses(trace: Trace, used: Iterable[str]) -> dict[str, Json]:
    """The statuses that the contract declares, and that this client was not answered with."""
    met: dict[str, set[str]] = {}
    for each in trace.seen:
        statuses = met.setdefault(each.entry.operation, set())
        if each.entry.status >= 500 or not each.unsure:
            statuses.add(str(each.entry.status))
    missing = {}
    for name in used:
        declared = trace.rules.contract.operations[name].responses.by_key
        left = [key for key in declared if key.isdigit() and key not in met[name]]
        if left:
            missing[name] = sorted(left)
    return missing


def _transitions(trace: Trace, used: Iterable[str]) -> dict[str, Json]:
    """The transitions that nobody took, of the lifecycles that the operations have to do with."""
    found = {}
    for name in used:
        lifecycle = binding.collection.lifecycle if (binding := _binding(trace, name)) and binding.collection else None
        if lifecycle:
            left = [label for label in lifecycle.transitions if not trace.world.taken[lifecycle.name, label]]
            if left:
                found[lifecycle.name] = left
    return found


def _events(trace: Trace, used: Iterable[str]) -> dict[str, Json]:
    """The events that streams can tell, and that this world told nobody."""
    found = {}
    for name in used:
        binding = _binding(trace, name)
        rules = [binding.stream, *(each.stream for each in binding.methods.values())] if binding else []
        known = {event for rule in rules if rule for event in _names(rule)}
        left = sorted(event for event in known if not trace.world.told[name, event])
        if left:
            found[name] = left
    return found


def _names(rule: StreamRule) -> set[str]:
    tellings = [*rule.events, *([rule.now] if rule.now else [])]
    sayings = [each.say for each in tellings] + [each.say for each in (rule.heartbeat, rule.wait, rule.lasts) if each]
    return {say.event or "message" for say in sayings if say and say.data}


def _faults(trace: Trace) -> list[Json]:
    met = {each.trouble for each in trace.seen}
    known = [f"{key}: {way}" if way else key for key in READ for way in WAYS.get(key, ("",))]
    return [each for each in known if each not in met]


def _binding(trace: Trace, name: str) -> Binding | None:
    return trace.rules.bindings.get(name)
