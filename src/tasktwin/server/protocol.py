"""HTTP as uvicorn speaks it, with some things more.

Answers may be cut, streams see who leaves, no head is endless; and what can be answered at once is: without a task of its
own, and in one piece.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from types import coroutine
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from tasktwin.server.stream import CUT

MOST_QUEUED = 8
"""So many requests may wait on one connection behind a stream."""

MOST_HEAD = 262_144
"""Bytes that may come without a head being complete or a body going on; until then they are only collected."""

MOST_NAMES = 1_000
"""So many names of headers are known to be good."""

MOST_HEADS = 256
"""So many heads of answers are remembered."""

LONGEST_HEAD = 2_048
"""Bytes of a head that is remembered."""

_TOO_LARGE = (
    b'{"type":"urn:tasktwin:misuse","title":"misuse","status":431,"detail":"the head of the request does not end"}'
)
_REFUSED = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_TOO_LARGE), _TOO_LARGE)
)
_UNSENDABLE = bytes([*range(9), *range(10, 32), 127])
"""Bytes that no header's value may hold (RFC 9110 §5.5)."""

_good_names: set[bytes] = set()
_heads: dict[tuple[int, bool, tuple[tuple[bytes, bytes], ...]], bytes] = {}


class Halt:
    """Where requests wait for one another: what is answered without a task may await it, until somebody ends it for all."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def __await__(self) -> Generator["Halt", None, None]:
        yield self

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def hold(self, go_on: Callable[[], None]) -> None:
        """Whoever answers says how it goes on."""
        self._waiting.append(go_on)

    def end(self) -> None:
        """Let all go on that wait. What goes wrong with one of them is told where that of any callback is."""
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            try:
                go_on()
            except Exception as error:  # noqa: BLE001 - whatever it is, the others have nothing to do with it
                told = {"message": "a request that waited for others failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    def whole(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send an answer in one piece, where its ``headers`` tell the length of ``body``.

        False where that cannot be, as when the client takes in nothing: then it is to be sent in the usual way.
        """
        if self.response_started or self.disconnected or self.flow.write_paused or self.access_log:
            return False
        lines = (*self.default_headers, *headers)
        head = _heads.get((status, self.keep_alive, lines)) or self._head(status, lines)
        if not head:
            return False
        self.response_started = self.response_complete = True
        self.transport.write(b"%b\r\n%b" % (head, body))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    def _head(self, status: int, lines: tuple[tuple[bytes, bytes], ...]) -> bytes:
        """A head, which is remembered since most answers of a second have the same; none where it cannot be sent."""
        parts = [STATUS_LINE[status]] if self.keep_alive else [STATUS_LINE[status], b"connection: close\r\n"]
        for name, value in lines:
            if name not in _good_names and not _is_good(name):
                return b""
            parts += (name, b": ", value, b"\r\n")
        head = b"".join(parts)
        if len(head) - len(head.translate(None, _UNSENDABLE)) != 2 * (len(lines) + 2 - self.keep_alive):
            return b""
        if len(head) <= LONGEST_HEAD:
            if len(_heads) >= MOST_HEADS:
                _heads.clear()
            _heads[status, self.keep_alive, lines] = head
        return head


def _is_good(name: bytes) -> bool:
    """Whether a name may stand in a head, and says nothing of the connection. Those that may are remembered."""
    if HEADER_RE.search(name) or name.lower() in {b"transfer-encoding", b"connection"}:
        return False
    if len(_good_names) < MOST_NAMES:
        _good_names.add(name)
    return True


class Protocol(HttpToolsProtocol):
    """Offers ``tasktwin.cut`` in the scope's ``extensions``: ``cut(flush)`` ends the connection in the middle.

    A request behind one that is still answered makes uvicorn stop reading, and so miss that the client leaves. Behind
    a stream, which may never end, it reads on. Where uvicorn sets a timer after each answer, to end a connection that is
    not used any more, one timer here lasts for many: when it rings it is looked how long nothing came.
    """

    _idle_since: float | None = None
    _running: RequestResponseCycle | None = None
    _collected = 0
    _driven = False
    _halted = False
    _over = False
    _ready: tuple[RequestResponseCycle, Any] | None = None

    def data_received(self, data: bytes) -> None:
        """Read on, unless what comes is no request and never will be.

        What was read is answered when all connections are read on which something came: to do the same for all before
        the next is done finds it in the processor's caches, and costs a sixth less for a read that was asked before.
        """
        self._collected += len(data)
        self._driven = True
        try:
            super().data_received(data)
        finally:
            self._driven = False
        if self._ready:
            self.loop.call_soon(self._drive)
        if self._collected > MOST_HEAD:
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_REFUSED)
            self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Whoever has said all there is to say is still answered what waits for what others asked, and then hung up on."""
        self._over = True
        return (self._halted or self._ready is not None) and self.cycle is not None and not self.cycle.more_body

    def on_body(self, body: bytes) -> None:
        """The request goes on."""
        self._collected = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Put it there before anybody answers."""
        self._collected = 0
        self.scope["extensions"] = cast("dict[str, dict[object, object]]", {CUT: self._cut})
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is before or self.cycle is None:
            return  # no request, but one for another protocol
        self.cycle.__class__ = Cycle  # uvicorn has no place to say of which class it is to make them
        running = self._running
        if self.pipeline and running and running.chunked_encoding and not running.response_complete:
            if len(self.pipeline) > MOST_QUEUED:
                self._cut(flush=False)
            else:
                self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, not only the last one that came."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task:
            self.timeout_keep_alive_task.cancel()
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the request behind, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        if self._over:
            self.transport.close()
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """End the connection if nothing came for long enough."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the end of what is answered now sets another timer
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch(left)
        else:
            super().timeout_keep_alive_handler()

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        is_quick = getattr(app, "is_quick", None)
        if self._driven and is_quick and is_quick(cycle.scope):
            self._ready = (cycle, app)  # when all is parsed that came with it, and the one before it is answered
        else:
            super()._start_asgi_task(cycle, app)

    def _drive(self, answering: Coroutine[Any, Any, None] | None = None) -> None:
        """Go on answering, and begin with what that makes ready."""
        self._driven = True
        try:
            if answering:
                self._take_on(answering)
            while self._ready:
                (cycle, app), self._ready = self._ready, None
                self._take_on(cycle.run_asgi(app))
        finally:
            self._driven = False

    def _take_on(self, answering: Coroutine[Any, Any, None]) -> None:
        """Answer without a task, as long as there is nothing to be waited for but others that do the same."""
        self._halted = False
        try:
            awaited = answering.send(None)
        except StopIteration:
            return
        self._halted = isinstance(awaited, Halt)
        if isinstance(awaited, Halt):
            awaited.hold(partial(self._drive, answering))
            return
        task = self.loop.create_task(_go_on(answering, awaited))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _cut(self, flush: bool) -> None:  # noqa: FBT001 - the extension's one argument
        transport: asyncio.Transport = self.transport
        if flush:
            transport.close()
        else:
            transport.abort()


@coroutine
def _go_on(answering: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Take a coroutine further that waits for ``awaited``."""
    while True:
        try:
            sent = yield awaited
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
            step = partial(answering.throw, error)
        else:
            step = partial(answering.send, sent)
        try:
            awaited = step()
        except StopIteration:
            return
