"""The client's side of one exchange: what it sends, what it is sent, and whether it is still there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from tasktwin.suite.proxy.head import Headers, has_body
from tasktwin.wire import dumps

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CUT: Final = "tasktwin.cut"
"""The key under which the server offers, in the scope's ``extensions``, to cut the connection: ``cut(flush)``."""

LINGER: Final = 0.5
"""Seconds that what was sent has to arrive before a connection is cut for good."""


class LeftError(Exception):
    """The client left while it sent its request. Never leaves this package."""


class Client:
    """Made from what an ASGI application is called with. ``path`` is raw. ``broken``: the answer ends in the middle."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.version: str = scope.get("http_version", "1.1")
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        self.path = raw.decode("latin-1")
        self.query: bytes = scope["query_string"]
        self.headers: Headers = tuple(scope["headers"])
        self.broken = False
        self._begun = self._finished = False
        self._asked = asyncio.Event()
        self._cut: Callable[[bool], None] | None = scope.get("extensions", {}).get(CUT)
        self._receive = receive
        self._send = send

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it comes. Raises ``LeftError``."""
        more = has_body(self.headers)
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise LeftError
            more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk
        self.ask()

    def ask(self) -> None:
        """The request's body is wanted no further; from now on it is noticed when the client leaves."""
        self._asked.set()

    async def attend(self, passing: "asyncio.Task[None]") -> None:
        """Wait until the exchange is over; it is cancelled when the client leaves. What it raises is raised."""
        leaving = asyncio.create_task(self._leave())
        try:
            await asyncio.wait((passing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not passing.done() and not self._finished:
                passing.cancel()
            await asyncio.wait((passing,))
            if passing.cancelled() or self.broken:
                await self._sever(leaving)
        finally:
            passing.cancel()
            leaving.cancel()
        if not passing.cancelled():
            passing.result()

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head of the answer."""
        self._begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, chunk: bytes) -> None:
        """Send a part of its body, as soon as the client has taken in most of what came before."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def finish(self) -> None:
        """The answer is whole."""
        self._finished = True
        await self._send({"type": "http.response.body", "body": b""})

    async def problem(self, status: int, title: str, detail: str) -> None:
        """An answer of the proxy's own (RFC 9457)."""
        body = dumps(
            {"type": f"urn:tasktwin:{title}", "title": title.replace("-", " "), "status": status, "detail": detail}
        )
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % len(body)),
            *([(b"connection", b"close")] if has_body(self.headers) and not self._asked.is_set() else []),
        ]
        await self.begin(status, headers)
        if self.method != "HEAD":
            await self.send(body)
        await self.finish()

    async def _leave(self) -> None:
        await self._asked.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _sever(self, leaving: "asyncio.Task[None]") -> None:
        """Cut the connection, at last without what the client does not take in."""
        if leaving.done():
            return
        self.ask()
        if not self._begun:
            await self.problem(503, "stopping", "the proxy stops")
            return
        if self._cut is None:
            raise ConnectionAbortedError("this server can only cut a connection by an error")
        for flush in (True, False):
            self._cut(flush)
            await asyncio.wait((leaving,), timeout=LINGER)
            if leaving.done():
                return
