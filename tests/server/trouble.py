"""Ordering trouble in a world, and what a plain socket gets of it."""

from tests.server.front import ALICE, TASKS, World, message, talk

from tasktwin.wire import Json, dumps

DRAFTS = f"{TASKS}ai-create"
DRAFT: Json = {"description": "A logo in two colours"}


def order(world: World, do: Json, name: str = "", **match: Json) -> None:
    """Order one fault."""
    named = {"name": name} if name else {}
    world.control.put("/faults", json=[{**named, "match": match, "do": do}]).raise_for_status()


def lines(world: World, **more: str) -> list[tuple[str, str]]:
    """Alice's headers in a world."""
    return [*ALICE.items(), ("Tasktwin-World", world.name), *more.items()]


def ask(world: World, method: str = "GET", target: str = TASKS, body: Json = None, **more: str) -> bytes:
    """All bytes that come back, and how: the connection is left to the server to close."""
    sent = dumps(body) if body is not None else b""
    return talk(world.origin, message(method, target, lines(world, Connection="close", **more), sent))


def ask_for_stream(world: World) -> bytes:
    """All bytes of an answer that streams."""
    return ask(world, "POST", DRAFTS, DRAFT, **{"Content-Type": "application/json"})


def parted(raw: bytes) -> tuple[dict[str, str], bytes]:
    """The head of an answer, and what came of its body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    return {"status": first.split()[1], **{k.lower(): v for k, _, v in (each.partition(": ") for each in rest)}}, body
