"""The engine's front door below HTTP: one call, done wholly or not at all."""

from tasktwin.behaviour import rpc
from tasktwin.behaviour.verb import Call, Outcome, act
from tasktwin.behaviour.world import World
from tasktwin.errors import Refusal

READING = frozenset({"read", "list", "document"})
"""Verbs that write nothing, so that they need no transaction."""


def perform(world: World, call: Call) -> Outcome:
    """Do what the operation does. Raises ``Refusal``; then nothing was changed.

    An ``Outcome`` with a ``refusal`` is answered as one although something was done (a task saved as a draft).
    """
    binding = world.rules.bindings.get(call.operation)
    if binding is None:
        raise Refusal("not_modelled", f"the twin does not model {call.operation}")
    if binding.verb in READING:
        return act(world, binding, call)
    with world.transaction():
        return rpc.answer(world, binding, call) if binding.verb == "rpc" else act(world, binding, call)
