"""ASGI, and nothing else: reading a request within bounds, choosing its world, sending the answer."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import DEFAULT, Worlds
from tasktwin.errors import MisuseError, TooManyWorldsError
from tasktwin.exchange.exchange import Exchange
from tasktwin.exchange.pipeline import Pipeline
from tasktwin.exchange.spoil import disturbed
from tasktwin.server.asgi import App, Receive, Scope, Send
from tasktwin.server.cors import Cors
from tasktwin.server.protocol import Cycle
from tasktwin.server.stream import BY_FAULT, Hub, Link
from tasktwin.wire import dumps

if TYPE_CHECKING:
    from tasktwin.server.turns import Turns

CONTROL = "/_tasktwin"
BY_PATH = "/_tasktwin/worlds/"
HEADER = b"tasktwin-world"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
_TELLING = frozenset({HEADER, b"content-length", b"transfer-encoding", b"origin"})
HEADER_LIMIT = 65_536
"""Bytes of all header names and values together; more are refused, so that the journal stays small."""

Listener = Callable[[Exchange], None]


class ProviderApp:
    """One provider over HTTP: its own API at ``prefix``, in the world that the request names.

    ``control`` answers what is under ``/_tasktwin``; ``listeners`` are told of each exchange once it is answered.
    ``cors`` says which pages may read the API's answers. ``turns`` are waited for where worlds are shared.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        worlds: Worlds,
        control: App,
        prefix: str = "",
        hub: Hub | None = None,
        cors: Cors | None = None,
        turns: "Turns | None" = None,
    ) -> None:
        self.pipeline = pipeline
        self.hub = hub or Hub()
        pipeline.is_full = lambda: self.hub.full
        self.worlds = worlds
        self.control = control
        self.prefix = prefix
        self.cors = cors or Cors(frozenset())
        self.turns = turns
        self.listeners: list[Listener] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = raw_path(scope).removeprefix(self.prefix) or "/"
        headers = scope["headers"]
        size, named, bodied, origin = _weighed(headers)
        name, path, is_control = named_by(path) if path.startswith(CONTROL) else (None, path, False)
        if origin is not None and not is_control:
            send = self.cors.sharing(origin, send)
            if await is_preflight(self.cors, scope, origin, send):
                return
        if size > HEADER_LIMIT:
            await send_problem(send, 431, f"the headers are larger than {HEADER_LIMIT} bytes")
            return
        if is_control:
            await self._control(scope, receive, send)
            return
        try:
            world = self.worlds.get(named if name is None else name)
        except MisuseError as error:
            await send_problem(send, 503 if isinstance(error, TooManyWorldsError) else 400, str(error))
            return
        exchange = self._exchange(scope, world, path, by_path=name is not None)
        if (bodied or scope.get("http_version", "2")[:1] != "1") and not await self._read_body(exchange, receive):
            return
        pause = await self._share(exchange, self.turns) if self.turns else self.pipeline.answer(exchange)
        if pause or world.watched or self.turns:
            await self._go_on(exchange, pause)
        if exchange.stream and exchange.cut != -1 and scope.get("http_version") == "1.0":
            self.pipeline.collect(exchange)
            exchange.stream = None
        if exchange.stream or exchange.cut is not None:
            await self._send_at_length(exchange, Link(scope, receive, send), send)
            return
        await self._send(exchange, send)

    async def _share(self, exchange: Exchange, turns: "Turns") -> float:
        """Have it answered with all that came with it."""
        await turns.begin(exchange.world)
        return await self.pipeline.answer_with_others(exchange, turns.committed)

    async def _send(self, exchange: Exchange, send: Send) -> None:
        """Answer with all there is, in one piece if nobody stands between this and the connection."""
        body, headers = b"" if exchange.method == "HEAD" else exchange.answer, _headers(exchange)
        cycle = getattr(send, "__self__", None)
        if cycle.__class__ is not Cycle or not cycle.whole(exchange.status, headers, body):
            await send({"type": "http.response.start", "status": exchange.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        for listener in self.listeners:
            listener(exchange)

    async def _send_at_length(self, exchange: Exchange, link: Link, send: Send) -> None:
        """Answer with a stream, or with less than a whole answer."""
        await asyncio.sleep(0)  # from here on this is a task: what follows waits with timeouts
        if exchange.stream and exchange.cut != -1:
            await self._stream(exchange, link, send)
        else:
            await self._break_off(exchange, link, send)

    async def _break_off(self, exchange: Exchange, link: Link, send: Send) -> None:
        """Answer as far as a fault lets it, and cut the connection."""
        assert exchange.cut is not None
        if exchange.cut >= 0:
            body = b"" if exchange.method == "HEAD" else exchange.answer[: exchange.cut]
            await send({"type": "http.response.start", "status": exchange.status, "headers": _headers(exchange)})
            await send({"type": "http.response.body", "body": body, "more_body": True})
        for listener in self.listeners:
            listener(exchange)
        if exchange.stream:
            self._closed(exchange, BY_FAULT, 0.0)
        await link.sever(self.hub.patience)

    async def _go_on(self, exchange: Exchange, pause: float) -> None:
        """Wait as the pipeline says, as often as it does; then readers look again."""
        while pause:
            try:
                await asyncio.sleep(pause)
            except asyncio.CancelledError:
                self.pipeline.abandon(exchange)
                raise
            pause = self.pipeline.answer(exchange)
        if exchange.world.watched:
            self.hub.spread(exchange.world)
        if self.turns:
            await self.turns.over()

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the control plane, which may have moved a clock; then readers look again."""
        try:
            await self.control(scope, receive, send)
        finally:
            if scope["method"] in READING:
                self.hub.spread_all()
            else:
                self.hub.stir()

    async def _stream(self, exchange: Exchange, link: Link, send: Send) -> None:
        """Answer with a stream; whoever listens is told when it opens and when it is over."""
        assert exchange.stream is not None
        await send({"type": "http.response.start", "status": exchange.status, "headers": _headers(exchange)})
        for listener in self.listeners:
            listener(exchange)

        if exchange.method == "HEAD":
            await link.send(b"", self.hub.patience, more=False)
            self._closed(exchange, "only its head was asked for", 0.0)
            return
        await self.hub.serve(exchange.stream, disturbed(exchange), link, partial(self._closed, exchange))

    def _closed(self, exchange: Exchange, why: str, seconds: float) -> None:
        """Write down that a stream is over, and tell whoever listens."""
        self.pipeline.close(exchange, why, seconds)
        for listener in self.listeners:
            listener(exchange)

    def _exchange(self, scope: Scope, world: World, path: str, *, by_path: bool) -> Exchange:
        exchange = Exchange(world, scope["method"], path, scope["query_string"], scope["headers"])
        if (client := scope.get("client")) is not None:
            exchange.address = client[0]
        exchange.scheme = scope["scheme"]
        exchange.prefix = f"{self.prefix}{BY_PATH}{world.name}/api" if by_path else self.prefix
        if scope.get("http_version") == "1.0":
            exchange.wishes["stream"] = "bounded"  # it knows no chunks, in which a stream without end would come
        return exchange

    async def _read_body(self, exchange: Exchange, receive: Receive) -> bool:
        """Read the body, within the limit. False when the client went away: then nothing was done."""
        limit = self.pipeline.rules.limit
        message = await receive()
        chunks: list[bytes] = []
        size = 0
        while True:
            if message["type"] == "http.disconnect":
                return False
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                exchange.too_large = True
                return True
            chunks.append(chunk)
            if not message.get("more_body", False):
                break
            message = await receive()
        exchange.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return True


def _headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"tasktwin-reason", exchange.reason.encode("latin-1", "replace")),
        (b"tasktwin-world", exchange.world.name.encode()),
    ]
    if exchange.extra:
        headers += [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in exchange.extra]
    if exchange.status != 204:
        if exchange.media:
            headers.append((b"content-type", exchange.media.encode()))
        if exchange.stream is None or exchange.answer:
            headers.append((b"content-length", b"%d" % len(exchange.answer)))
    if exchange.too_large:
        headers.append((b"connection", b"close"))
    return headers


def raw_path(scope: Scope) -> str:
    """The path as it was sent: percent-encoded, without the query. Bytes above ASCII are read as Latin-1."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1")


def named_by(path: str) -> tuple[str | None, str, bool]:
    """World and remaining path of ``/_tasktwin/worlds/NAME/api/…``; else whether it is the control plane's."""
    if path.startswith(BY_PATH):
        name, slash, rest = path[len(BY_PATH) :].partition("/")
        if slash and (rest == "api" or rest.startswith("api/")):
            return name, rest.removeprefix("api") or "/", False
    return None, path, path == CONTROL or path.startswith(f"{CONTROL}/")


def _weighed(headers: list[tuple[bytes, bytes]]) -> tuple[int, str, bool, bytes | None]:
    """The bytes of all headers; the world and the origin that they name (of several the first); may a body follow."""
    size, world, bodied, origin = 0, None, False, None
    for name, value in headers:
        size += len(name) + len(value)
        if name in _TELLING:
            if name == HEADER:
                world = value.decode("latin-1") if world is None else world
            elif name == b"origin":
                origin = value if origin is None else origin
            else:
                bodied = True
    return size, DEFAULT if world is None else world, bodied, origin


async def is_preflight(cors: Cors, scope: Scope, origin: bytes, send: Send) -> bool:
    """Whether a browser only asked if a page may send a request; then it is answered. ``send`` is ``cors``'s own."""
    if scope["method"] != "OPTIONS" or not cors:
        return False
    try:
        told = cors.preflight(origin, scope["headers"])
    except MisuseError as error:
        await send_problem(send, 403, str(error))
        return True
    if told is None:
        return False
    await send({"type": "http.response.start", "status": 204, "headers": told})
    await send({"type": "http.response.body", "body": b""})
    return True


async def send_problem(send: Send, status: int, detail: str, title: str = "misuse") -> None:
    """An RFC 9457 problem: what the twin itself, not the API, has to say."""
    body = dumps({"type": f"urn:tasktwin:{title}", "title": title, "status": status, "detail": detail})
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
