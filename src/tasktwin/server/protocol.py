"""HTTP as uvicorn speaks it, with one thing more: whoever answers may cut the connection."""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tasktwin.server.stream import CUT


class Protocol(HttpToolsProtocol):
    """Offers ``tasktwin.cut`` in the scope's ``extensions``: ``cut(flush)`` ends the connection in the middle."""

    def on_headers_complete(self) -> None:
        """Put it there before anybody answers."""
        self.scope["extensions"] = cast("dict[str, dict[object, object]]", {CUT: self._cut})
        super().on_headers_complete()

    def _cut(self, flush: bool) -> None:  # noqa: FBT001 - the extension's one argument
        transport: asyncio.Transport = self.transport
        if flush:
            transport.close()
        else:
            transport.abort()
