"""A faulty deployment: a twin with one bug, and a short story over HTTP in which the bug shows."""

import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import httpx2

from tasktwin import Provider, create_app
from tasktwin.behaviour.rules import Effect, LimitMode
from tasktwin.behaviour.worlds import Plan
from tasktwin.provider.build import Builder
from tasktwin.provider.effect import find_effects
from tasktwin.server.application import Application
from tasktwin.server.asgi import App
from tasktwin.state import Store
from tasktwin.wire import dumps, loads

Kind: TypeAlias = Literal[
    "isolation",
    "lifecycle",
    "money",
    "race",
    "idempotency",
    "paging",
    "filter",
    "validation",
    "error",
    "stream",
    "timer",
    "contract",
    "rpc",
    "limit",
    "conditional",
    "correct",
]
Data: TypeAlias = dict[str, Any]

CONTROL = "/_tasktwin"
BY_PATH = re.compile(f"{CONTROL}/worlds/([^/]+)/api(?=/)")
DEFAULT = "default"
CLOCK: ContextVar[str] = ContextVar("CLOCK", default="real")
"""How the deployment's clock goes."""

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a stream, or with neither data nor name a comment."""

    name: str
    id: str
    data: str

    @classmethod
    def of(cls, block: bytes) -> Self:
        """From the lines of one block."""
        lines = [line.partition(": ") for line in block.decode().split("\n")]
        fields = {name: value for name, _, value in lines if name}
        return cls(fields.get("event", ""), fields.get("id", ""), fields.get("data", ""))

    def json(self) -> Any:
        """Its data as a value."""
        return loads(self.data.encode())


def at_once(*calls: Callable[[], httpx2.Response]) -> list[httpx2.Response]:
    """The answers to calls that are made at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


class Caller:
    """A client of a deployment, in a world of its own. ``as_`` names the demo principal whose headers are added."""

    def __init__(self, base_url: str, principals: Mapping[str, Mapping[str, str]], world: str = "") -> None:
        self.base_url = base_url
        self.principals = principals
        self.world = world or f"story-{next(_NUMBERS)}"
        self.http = httpx2.Client(base_url=base_url, headers={"Tasktwin-World": self.world}, timeout=10)

    def __enter__(self) -> Self:
        """The caller itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self.http.close()

    def headers(self, as_: str) -> dict[str, str]:
        """What a demo principal sends; nothing for nobody."""
        return dict(self.principals[as_]) if as_ else {}

    def request(self, method: str, path: str, as_: str = "", **options: Any) -> httpx2.Response:
        """Ask as somebody, else as nobody. ``options`` are those of httpx."""
        headers = {**self.headers(as_), **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)

    def get(self, path: str, as_: str = "", **options: Any) -> httpx2.Response:
        """GET."""
        return self.request("GET", path, as_, **options)

    def post(self, path: str, as_: str = "", **options: Any) -> httpx2.Response:
        """POST."""
        return self.request("POST", path, as_, **options)

    def patch(self, path: str, as_: str = "", **options: Any) -> httpx2.Response:
        """PATCH."""
        return self.request("PATCH", path, as_, **options)

    def delete(self, path: str, as_: str = "", **options: Any) -> httpx2.Response:
        """DELETE."""
        return self.request("DELETE", path, as_, **options)

    def events(self, method: str, path: str, as_: str = "", **options: Any) -> Generator[Event]:
        """The events of a stream as they come, until it ends; whoever closes the iterator leaves it."""
        headers = {**self.headers(as_), **options.pop("headers", {})}
        with self.http.stream(method, path, headers=headers, **options) as answer:
            block = b""
            for line in answer.iter_lines():
                if line:
                    block += line.encode() + b"\n"
                    continue
                yield Event.of(block)
                block = b""

    def control(self, method: str, path: str, **options: Any) -> Any:
        """Ask the control plane; what it answers."""
        answer = self.http.request(method, f"{CONTROL}{path}", **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.control("POST", "/clock", json={"advance": seconds})

    def defects(self) -> list[str]:
        """The exchanges in which the twin itself gave up: there may be none."""
        entries = self.control("GET", "/journal")["entries"]
        return [f"{each['method']} {each['path']}" for each in entries if each["reason"] in GIVEN_UP]


GIVEN_UP = frozenset({"response-breaks-contract", "defect"})


@dataclass(frozen=True, slots=True)
class Deployment:
    """A twin of ``provider`` that ``break_`` gives one bug, or for the kind ``correct`` none.

    ``against`` is the sentence that it contradicts and whose it is: a source, itself, or a standard. ``shows`` is a
    short story over HTTP: whether the bug shows in it. On a healthy twin it never does.
    """

    name: str
    provider: str
    about: str
    kind: Kind
    against: str
    break_: Callable[[Provider], App]
    shows: Callable[[Caller], bool]


# ── other rules ──────────────────────────────────────────────────────────────────────────────────────────────────────


def twin(provider: Provider, *, seed: int = 0, limits: LimitMode = "count") -> Application:
    """The provider as an application. An answer that breaks the contract is sent all the same."""
    return create_app(provider, plan=Plan(seed=seed, mode=CLOCK.get(), limits=limits), responses="log")


def edited(provider: Provider, change: Callable[[Data], object], **effects: Effect) -> Provider:
    """The provider as it would be if its provider.yaml were changed, and some of its effects were others.

    Nothing in the data is shared any more: what an alias repeated can be changed alone.
    """
    data: Data = loads(dumps(provider.data))
    change(data)
    known, tests = find_effects(data.get("effects"))
    rules = Builder(data, provider.rules.contract, {**known, **effects}, tests).build()
    return replace(provider, rules=rules, data=data)


def ruled(change: Callable[[Data], object], **effects: Effect) -> Callable[[Provider], Application]:
    """Breaks a provider by other rules and effects: see ``edited``."""
    return lambda provider: twin(edited(provider, change, **effects))


def stored_in(application: Application, new_store: Callable[[], Store]) -> Application:
    """The application with another kind of store, in all its worlds."""
    for app in application.apps:
        app.worlds.new_store = new_store
        app.worlds.delete(DEFAULT)
        app.worlds.get()
    return application


# ── other requests and answers ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Asked:
    """A request as a front sees it. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    world: str = DEFAULT
    body: bytes = b""

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Self | None:
        """The request of an ASGI scope, without its body; ``None`` for what is not for the API."""
        path = scope.get("path", CONTROL)
        if by_path := BY_PATH.match(path):
            path = path[by_path.end() :]
        if path.startswith(CONTROL):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        world = by_path[1] if by_path else headers.get("tasktwin-world", DEFAULT)
        return cls(scope["method"], path, scope["query_string"].decode("latin-1"), headers, world)


@dataclass(slots=True)
class Told:
    """A whole answer, which may be changed. Header names are lower case; the length is put right when the body was changed."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body as a value; ``None`` when it is not JSON."""
        try:
            return loads(self.body)
        except ValueError:
            return None

    def say(self, value: Any) -> None:
        """Another body."""
        self.body = dumps(value)
        self.headers["content-length"] = str(len(self.body))


def altered(app: App, alter: Callable[[Asked, Told], None]) -> App:
    """The application behind a front that alters whole answers. Streams and the control plane pass untouched."""

    async def front(scope: Any, receive: Any, send: Any) -> None:
        asked, told = Asked.of(scope), Told(0)
        if asked is None:
            await app(scope, receive, send)
            return
        streamed = False

        async def hear() -> Any:
            message = await receive()
            asked.body += message.get("body", b"")
            return message

        async def tell(message: Any) -> None:
            nonlocal streamed
            if message["type"] == "http.response.start":
                told.status = message["status"]
                told.headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
                }
                streamed = told.headers.get("content-type", "").startswith("text/event-stream")
            if streamed or message["type"] not in ("http.response.start", "http.response.body"):
                await send(message)
                return
            told.body += message.get("body", b"")
            if message["type"] == "http.response.body" and not message.get("more_body"):
                body = told.body
                alter(asked, told)
                if told.body != body:
                    told.headers["content-length"] = str(len(told.body))
                await answer(send, told)

        await app(scope, hear, tell)

    return front


def preceded(app: App, act: Callable[[Asked], Awaitable[Told | None]]) -> App:
    """The application behind a front that acts before each request.

    It may wait, change what was asked (query, headers, body), or answer instead of the application.
    """

    async def front(scope: Any, receive: Any, send: Any) -> None:
        asked = Asked.of(scope)
        if asked is None:
            await app(scope, receive, send)
            return
        body = await whole(receive)
        if body is None:
            return
        asked.body, before = body, asked.headers.copy()
        told = await act(asked)
        if told:
            await answer(send, told)
            return
        changed = {**scope, "query_string": asked.query.encode("latin-1")}
        if asked.body != body:
            asked.headers["content-length"] = str(len(asked.body))
        if asked.headers != before:
            changed["headers"] = [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in asked.headers.items()
            ]
        await app(changed, again(asked.body, receive), send)

    return front


async def answer(send: Any, told: Told) -> None:
    """Send a whole answer."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.headers.items()]
    await send({"type": "http.response.start", "status": told.status, "headers": headers})
    await send({"type": "http.response.body", "body": told.body})


async def whole(receive: Any) -> bytes | None:
    """The body of a request; ``None`` when the client left before it was sent."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def again(body: bytes, receive: Any) -> Callable[[], Any]:
    """Gives a body that was read already once more, and then what the client does next."""
    first = True

    async def hear() -> Any:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return hear


def retold(app: App, begin: Callable[[Asked], Callable[[bytes], list[bytes]] | None]) -> App:
    """The application behind a front that alters streams event by event.

    ``begin`` is asked at each request and gives what turns one block of a stream (an event or a comment, with its
    blank line) into those to be sent; ``None`` leaves the answer as it is.
    """

    async def front(scope: Any, receive: Any, send: Any) -> None:
        asked = Asked.of(scope)
        turn = begin(asked) if asked else None
        kept, streamed = b"", False

        async def tell(message: Any) -> None:
            nonlocal kept, streamed
            if message["type"] == "http.response.start":
                named = dict(message["headers"])
                streamed = named.get(b"content-type", b"").startswith(b"text/event-stream")
                if streamed:
                    named.pop(b"content-length", None)
                    message = {**message, "headers": [*named.items()]}
            elif streamed and turn:
                *blocks, kept = (kept + message.get("body", b"")).split(b"\n\n")
                parts = [part for block in blocks for part in turn(block + b"\n\n")]
                message = {**message, "body": b"".join(parts)}
                if not (message["body"] or not message.get("more_body")):
                    return
            await send(message)

        await app(scope, receive, tell if turn else send)

    return front
