"""Passes requests on and answers back, piece by piece, as an ASGI application. Nothing is changed, nothing waits."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

import httpx2

from tasktwin.suite.proxy import head
from tasktwin.suite.proxy.client import Client, LeftError, Receive, Scope, Send
from tasktwin.suite.proxy.passing import Passing
from tasktwin.suite.proxy.watch import Watch

PATIENCE: Final = 120.0
"""Seconds within which the deployment must take a part of a request, and begin to answer. Answers may last."""

CONNECT: Final = 5.0
"""Seconds within which a connection to the deployment must be there."""

MOST_OPEN: Final = 500
"""So many exchanges with the deployment are open at once."""

TURN: Final = 10.0
"""Seconds that an exchange waits for its turn when too many are open."""

IDLE: Final = 2.0
"""Seconds that an idle connection is kept: less than servers do, so that none ends just when it is used again."""

LAST: Final = 2.0
"""Seconds that what is open has to end when the proxy stops; streams have none."""


class _Upload(httpx2.AsyncByteStream):
    """The body of a request, while the client sends it."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why there is no answer. ``theirs``: the deployment broke the protocol."""

    status: int
    title: str
    detail: str
    theirs: bool = False
    unreached: bool = False


class Relay:
    """Stands before the deployment ``url``. ``own`` is the base URL under which clients reach it."""

    def __init__(self, url: str, own: str, watch: Watch, patience: float = PATIENCE) -> None:
        self.upstream = head.Upstream.of(url)
        self.own = own
        self.watch = watch
        self.patience = patience
        self._timeouts = {"connect": min(CONNECT, patience), "read": None, "write": None, "pool": min(TURN, patience)}
        self._transport = httpx2.AsyncHTTPTransport(
            trust_env=False,
            limits=httpx2.Limits(max_connections=MOST_OPEN, max_keepalive_connections=64, keepalive_expiry=IDLE),
        )
        self._open: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        client = Client(scope, receive, send)
        why = head.refused(client.method, client.version, client.headers)
        if why:
            await client.problem(501, "not-passed-on", why)
            return
        task = asyncio.create_task(self._pass(client))
        self._open.add(task)
        try:
            await client.attend(task)
        finally:
            self._open.discard(task)
            self._streams.discard(task)

    def close(self) -> None:
        """Let streams end now, and everything else soon, so that the server can stop."""
        _cancel(self._streams)
        asyncio.get_running_loop().call_later(LAST, _cancel, self._open)

    async def _pass(self, client: Client) -> None:
        """One exchange. It is cancelled when the client leaves."""
        passing = self.watch.begin(client.method, client.path, client.query, client.headers)
        try:
            response = await self._ask(client, passing)
            if response is not None:
                await self._hand_back(client, passing, response)
        except (asyncio.CancelledError, LeftError) as error:
            passing.left = True
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self.watch.end(passing)

    async def _ask(self, client: Client, passing: Passing) -> httpx2.Response | None:
        """Pass a request on; the answer's head, or ``None`` if there is none: then the client was told why."""
        try:
            async with asyncio.timeout(self.patience) as deadline:
                request = httpx2.Request(
                    client.method,
                    self.upstream.url,
                    headers=head.passed_on(client.headers, self.upstream),
                    stream=_Upload(self._chunks(client, passing, deadline)),
                    extensions={
                        "target": self.upstream.target(client.path.encode("latin-1"), client.query),
                        "timeout": self._timeouts,
                    },
                )
                return await self._transport.handle_async_request(request)
        except (httpx2.HTTPError, TimeoutError) as error:
            trouble = self._trouble(error)
        if trouble.theirs:
            passing.problem = trouble.detail
        elif trouble.unreached:
            self.watch.unreached(trouble.detail)
        await client.problem(trouble.status, trouble.title, trouble.detail)
        return None

    async def _chunks(self, client: Client, passing: Passing, deadline: asyncio.Timeout) -> AsyncIterator[bytes]:
        """What the client sends. It may take its time; the deployment has ``patience`` for each part."""
        loop = asyncio.get_running_loop()
        deadline.reschedule(None)
        async for chunk in client.body():
            passing.sent.add(chunk)
            deadline.reschedule(loop.time() + self.patience)
            yield chunk
            deadline.reschedule(None)
        deadline.reschedule(loop.time() + self.patience)

    async def _hand_back(self, client: Client, passing: Passing, response: httpx2.Response) -> None:
        """Pass an answer back as it comes."""
        client.ask()
        passing.status, passing.answer = response.status_code, tuple(response.headers.raw)
        try:
            headers = head.handed_back(
                passing.status, passing.answer, self.upstream, head.origin_of(client.headers, self.own)
            )
            if why := head.unfit(passing.status, headers, client.method, client.version):
                await client.problem(*why)
                return
            await client.begin(passing.status, headers)
            await self._flow(client, passing, response)
        except httpx2.HTTPError as error:
            passing.problem = f"the connection ended within the answer: {_said(error)}"
            client.broken = True
        finally:
            await response.aclose()
        if not client.broken:
            await client.finish()

    async def _flow(self, client: Client, passing: Passing, response: httpx2.Response) -> None:
        """The body of an answer: each piece goes to the client first, then it is looked at."""
        if not head.is_stream(passing.answer):
            async for chunk in response.aiter_raw():
                await client.send(chunk)
                passing.told.add(chunk)
            return
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        self.watch.listen(passing)
        async for chunk in response.aiter_raw():
            await client.send(chunk)
            self.watch.hear(passing, chunk)

    def _trouble(self, error: Exception) -> _Trouble:
        match error:
            case httpx2.ConnectError() | httpx2.ConnectTimeout():
                detail = f"{self.upstream.url} cannot be reached: {_said(error)}"
                return _Trouble(502, "unreachable", detail, unreached=True)
            case httpx2.PoolTimeout():
                return _Trouble(503, "too-many-at-once", f"{MOST_OPEN} requests are being passed on already")
            case httpx2.LocalProtocolError():
                return _Trouble(400, "not-passed-on", f"the request cannot be passed on: {_said(error)}")
            case TimeoutError():
                detail = f"nothing came within {self.patience:g} s"
                return _Trouble(504, "no-answer", detail, theirs=True)
            case _:
                return _Trouble(
                    502, "no-answer", f"the connection ended without an answer: {_said(error)}", theirs=True
                )


def _cancel(tasks: Iterable["asyncio.Task[None]"]) -> None:
    for task in tuple(tasks):
        task.cancel()


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
