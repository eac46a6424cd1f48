"""HTTP as uvicorn speaks it, with two things more: whoever answers may cut the connection, and streams see it go."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tasktwin.server.stream import CUT

MOST_QUEUED = 8
"""So many requests may wait on one connection behind a stream."""


class Protocol(HttpToolsProtocol):
    """Offers ``tasktwin.cut`` in the scope's ``extensions``: ``cut(flush)`` ends the connection in the middle.

    A request behind one that is still answered makes uvicorn stop reading, and so miss that the client leaves. Behind
    a stream, which may never end, it reads on.
    """

    _running: RequestResponseCycle | None = None

    def on_headers_complete(self) -> None:
        """Put it there before anybody answers."""
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
