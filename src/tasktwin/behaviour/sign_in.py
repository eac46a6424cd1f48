"""Who calls. The provider's channels are tried in their order; the first whose lead credential was sent decides."""

from collections.abc import Callable

from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.remembered import Caller
from tasktwin.behaviour.rules import Channel, Look
from tasktwin.behaviour.signed import looks_signed, read_claims
from tasktwin.behaviour.world import World
from tasktwin.contract import Operation
from tasktwin.errors import Refusal
from tasktwin.wire import Json

MOST_CALLERS = 1_000
"""So many callers a world recognises without looking them up again."""

Credentials = Callable[[str], str | None]
"""A security scheme's name, or ``body:FIELD``, to the credential that the request carries there."""


Carried = tuple[tuple[bytes, bytes], ...]
"""The raw header lines that alone decide who calls; none when more than headers may decide."""


def identify(
    world: World, operation: Operation, credentials: Credentials, carried: Carried = ()
) -> dict[str, Json] | None:
    """The caller, as the fields that the channel's data name; ``None`` for an anonymous one.

    Raises ``Refusal``: ``not_authenticated`` when nothing usable was sent, or what a failed look-up names.
    A public operation asks nobody, whatever was sent.
    """
    if not operation.security:
        return None
    known = world.callers.get(carried) if carried else None
    if known is not None and known.stamps == _stamps(world, known.channel):
        return _admit(known, _scopes(world, known.channel, operation))
    channel = _lead(world.rules.channels, credentials)
    if channel:
        return _enter(world, channel, operation, credentials, carried)
    if () in operation.security:
        return None
    if not world.rules.channels and _complete(operation, credentials):
        return {"name": "somebody"}
    raise Refusal("not_authenticated", _wanted(operation))


def recognise(world: World, credentials: Credentials) -> dict[str, Json]:
    """Who the credentials are, whatever is to be done. Raises ``Refusal`` like ``identify``."""
    channel = _lead(world.rules.channels, credentials)
    if channel is None:
        raise Refusal("not_authenticated", "no credential was given")
    return _look_up(world, channel, credentials).principal


def _lead(channels: tuple[Channel, ...], credentials: Credentials) -> Channel | None:
    """The channel that decides. One of signed tokens leaves what looks like none to the channels behind it."""
    last = None
    for channel in channels:
        look = channel.looks[0]
        given = _given(look, credentials)[0]
        if given is None:
            continue
        if look.jwt is None or looks_signed(given):
            return channel
        last = last or channel
    return last


def _enter(
    world: World, channel: Channel, operation: Operation, credentials: Credentials, carried: Carried
) -> dict[str, Json]:
    scopes = _scopes(world, channel, operation)
    if not channel.steady:
        return _admit(_look_up(world, channel, credentials), scopes)
    return _admit(_recognise(world, channel, credentials, carried), scopes)


def _scopes(world: World, channel: Channel, operation: Operation) -> frozenset[str]:
    scopes = world.rules.scopes.get((channel.name, operation.id))
    if scopes is None:
        raise Refusal("not_authenticated", f"this operation does not take the {channel.name} channel")
    return scopes


def _admit(caller: Caller, scopes: frozenset[str]) -> dict[str, Json]:
    if not scopes <= caller.scopes:
        lacking = " ".join(sorted(scopes - caller.scopes))
        raise Refusal("forbidden", f"the credential lacks the scope {lacking}", data=lacking)
    return caller.principal


def _recognise(world: World, channel: Channel, credentials: Credentials, carried: Carried) -> Caller:
    """Look the caller up, unless the same credentials were looked up before and the rows are still the same."""
    key: tuple[object, ...] = carried or (
        channel.name,
        *[_given(look, credentials)[0] or "" for look in channel.looks],
    )
    known = world.callers.get(key)
    if known is not None and known.stamps == _stamps(world, channel):
        return known
    if len(world.callers) >= MOST_CALLERS:
        world.callers.clear()
    world.callers[key] = caller = _look_up(world, channel, credentials)
    return caller


def _look_up(world: World, channel: Channel, credentials: Credentials) -> Caller:
    scope = world.scope()
    for look in channel.looks:
        scope[look.name] = _look(world, look, scope, credentials)
    principal: dict[str, Json] = channel.principal(scope)
    principal["channel"] = channel.name
    return Caller(channel, _stamps(world, channel), principal, frozenset(_held(world, principal)))


def _stamps(world: World, channel: Channel) -> tuple[int, ...]:
    return tuple(map(world.store.stamp, channel.sees))


def _held(world: World, principal: dict[str, Json]) -> set[str]:
    """The caller's scopes, with those that they include."""
    own = principal.get("scopes") or ()
    return {scope for each in own for scope in (each, *world.rules.includes.get(each, ()))}


def _given(look: Look, credentials: Credentials) -> tuple[str | None, str]:
    """The credential that counts, and what its place is called."""
    for place in look.places:
        found = credentials(place.scheme or f"body:{place.field}")
        if found is not None:
            return found, place.called or place.scheme
    return None, look.places[0].called or look.places[0].scheme


def _look(world: World, look: Look, scope: Scope, credentials: Credentials) -> Json:
    scope["credential"], called = _given(look, credentials)
    if scope["credential"] is None:
        raise Refusal("not_authenticated", f"the credential {called} is missing")
    if look.jwt:
        return read_claims(look.jwt, scope["credential"], world.instant, look.unknown)
    row = world.first(look.collection, look.where, scope)
    if (row is None) is not look.absent:
        why = "was withdrawn" if look.absent else "is not known"
        raise Refusal(look.unknown, f"the credential {called} {why}", data=called)
    return row


def _complete(operation: Operation, credentials: Credentials) -> bool:
    return any(all(credentials(scheme) is not None for scheme, _ in each) for each in operation.security)


def _wanted(operation: Operation) -> str:
    return "send " + " or ".join(" and ".join(scheme for scheme, _ in each) for each in operation.security if each)
