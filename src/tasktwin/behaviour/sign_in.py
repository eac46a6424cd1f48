"""Who calls. The provider's channels are tried in their order; the first whose lead credential was sent decides."""

from collections.abc import Callable

from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.rules import Channel, Look
from tasktwin.behaviour.world import World
from tasktwin.contract import Operation
from tasktwin.errors import Refusal
from tasktwin.wire import Json

Credentials = Callable[[str], str | None]
"""A security scheme's name to the credential that the request carries for it."""


def identify(world: World, operation: Operation, credentials: Credentials) -> dict[str, Json] | None:
    """The caller, as the fields that the channel's data name; ``None`` for an anonymous one.

    Raises ``Refusal``: ``not_authenticated`` when nothing usable was sent, or what a failed look-up names.
    A public operation asks nobody, whatever was sent.
    """
    if not operation.security:
        return None
    for channel in world.rules.channels:
        if credentials(channel.lead) is not None:
            return _enter(world, channel, operation, credentials)
    if () in operation.security:
        return None
    if not world.rules.channels and _complete(operation, credentials):
        return {"name": "somebody"}
    raise Refusal("not_authenticated", _wanted(operation))


def _enter(world: World, channel: Channel, operation: Operation, credentials: Credentials) -> dict[str, Json]:
    scopes = world.rules.scopes.get((channel.name, operation.id))
    if scopes is None:
        raise Refusal("not_authenticated", f"this operation does not take the {channel.name} channel")
    scope = world.scope()
    for look in channel.looks:
        scope[look.name] = _look(world, look, scope, credentials)
    principal: dict[str, Json] = channel.principal(scope)
    principal["channel"] = channel.name
    if scopes and not scopes <= set(principal.get("scopes") or ()):
        raise Refusal("forbidden", f"the credential lacks the scope {' '.join(sorted(scopes))}")
    return principal


def _look(world: World, look: Look, scope: Scope, credentials: Credentials) -> Json:
    scope["credential"] = credentials(look.scheme)
    if scope["credential"] is None:
        raise Refusal("not_authenticated", f"the credential {look.scheme} is missing")
    row = world.first(look.collection, look.where, scope)
    if row is None:
        raise Refusal(look.unknown, f"the credential {look.scheme} is not known")
    return row


def _complete(operation: Operation, credentials: Credentials) -> bool:
    return any(all(credentials(scheme) is not None for scheme, _ in each) for each in operation.security)


def _wanted(operation: Operation) -> str:
    return "send " + " or ".join(" and ".join(scheme for scheme, _ in each) for each in operation.security if each)
