"""Idempotency keys: the first successful result of a caller's operation and key is given again."""

from collections.abc import Mapping

from tasktwin.behaviour.rules import Idempotency
from tasktwin.behaviour.verb import Call
from tasktwin.behaviour.world import World
from tasktwin.errors import Refusal
from tasktwin.state import Row, Timer
from tasktwin.wire import Json

COLLECTION = "_idempotency"


def find_key(rule: Idempotency, method: str, operation: str, headers: Mapping[str, Json], body: Json) -> str | None:
    """The key that a request carries, bare or quoted; the header wins over the body's field."""
    if method not in rule.methods:
        return None
    key = headers.get(rule.header)
    if key is None and operation in rule.fields and isinstance(body, dict):
        key = body.get(rule.fields[operation])
    if not isinstance(key, str):
        return None
    return key.strip().removeprefix('"').removesuffix('"') or None


def recall(world: World, call: Call, key: str) -> Row | None:
    """What the key gave before, or ``None``. Raises ``Refusal`` when it was given for another request."""
    row = world.store.get(COLLECTION, _name(call, key))
    if row is not None and row["fingerprint"] != _fingerprint(call):
        raise Refusal("key_reused", "the idempotency key was used for another request")
    return row


def begin(world: World, call: Call, key: str) -> str:
    """Hold the key until ``end``: nobody else may begin with it. Its name comes back.

    Raises ``Refusal`` while another request holds it, and for another payload than that one's.
    """
    name, fingerprint = _name(call, key), _fingerprint(call)
    held = world.running.get(name)
    if held is not None:
        if held != fingerprint:
            raise Refusal("key_reused", "the idempotency key is in use for another request")
        raise Refusal("key_in_use", "the first request with this idempotency key is not answered yet")
    world.running[name] = fingerprint
    return name


def end(world: World, name: str) -> None:
    """Let go of a key."""
    world.running.pop(name, None)


def keep(world: World, rule: Idempotency, call: Call, key: str, **result: Json) -> None:
    """Remember a successful result for as long as the rule says, on the world's clock."""
    name = _name(call, key)
    world.store.put(COLLECTION, name, {"fingerprint": _fingerprint(call), **result})
    world.store.arm(Timer(world.instant + rule.keep, "", name, COLLECTION))


def _name(call: Call, key: str) -> str:
    caller = (call.principal or {}).get("name", "")
    return "\n".join((str(caller), call.operation, key))


def _fingerprint(call: Call) -> str:
    return repr((sorted(call.path.items()), call.body))  # an uploaded file is bytes, which are no JSON
