"""HTTP as uvicorn speaks it, with three things more: answers may be cut, streams see who leaves, and no head is endless."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tasktwin.server.stream import CUT

MOST_QUEUED = 8
"""So many requests may wait on one connection behind a stream."""

MOST_HEAD = 262_144
"""Bytes that may come without a head being complete or a body going on; until then they are only collected."""

_TOO_LARGE = (
    b'{"type":"urn:tasktwin:misuse","title":"misuse","status":431,"detail":"the head of the request does not end"}'
)
_REFUSED = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_TOO_LARGE), _TOO_LARGE)
)


class Protocol(HttpToolsProtocol):
    """Offers ``tasktwin.cut`` in the scope's ``extensions``: ``cut(flush)`` ends the connection in the middle.

    A request behind one that is still answered makes uvicorn stop reading, and so miss that the client leaves. Behind
    a stream, which may never end, it reads on.
    """

    _running: RequestResponseCycle | None = None
    _collected = 0

    def data_received(self, data: bytes) -> None:
        """Read on, unless what comes is no request and never will be."""
        self._collected += len(data)
        super().data_received(data)
        if self._collected > MOST_HEAD:
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_REFUSED)
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        """The request goes on."""
        self._collected = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Put it there before anybody answers."""
        self._collected = 0
        self.scope["extensions"] = cast("dict[str, dict[object, object]]", {CUT: self._cut})
        super().on_headers_complete()
        running = self._running
        if self.pipeline and running and running.chunked_encoding and not running.response_complete:
            if len(self.pipeline) > MOST_QUEUED:
                self._cut(flush=False)
            else:
                self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, not only the last one that came."""
        super().connection_lost(exc)
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _cut(self, flush: bool) -> None:  # noqa: FBT001 - the extension's one argument
        transport: asyncio.Transport = self.transport
        if flush:
            transport.close()
        else:
            transport.abort()
