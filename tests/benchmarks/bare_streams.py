"""What the twin's streams are measured against: an ASGI function that tells every reader the same and does nothing else.

``python bare_streams.py``: ``GET …/stream/`` opens a stream, ``POST …/append_log/`` below the same path sends one event
to all that are open there, with the mark that its body carries. The first line on standard output is the base URL.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from socket import socket
from typing import Any

import uvicorn

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MARK = re.compile(rb"@\d+@")
EVENT = (
    b'id: 1778578200000-0\ndata: {"type":"notification","timestamp":"2026-05-12T09:31:04Z","notification":'
    b'{"jsonrpc":"2.0","method":"_posthog/console","params":{"mark":"%b"}}}\n\n'
)
TOLD = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
ANSWER = [(b"content-type", b"application/json"), (b"content-length", b"2")]


class Topic:
    """Who reads, each with what it was not sent yet."""

    def __init__(self) -> None:
        self.queues: set[asyncio.Queue[bytes | None]] = set()

    def tell(self, event: bytes | None) -> None:
        """One more event for everybody; None ends all streams."""
        for queue in self.queues:
            queue.put_nowait(event)


TOPICS: defaultdict[str, Topic] = defaultdict(Topic)


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Open a stream, or tell."""
    path, _, last = scope["path"].rstrip("/").rpartition("/")
    if last == "stream":
        await stream(TOPICS[path], receive, send)
        return
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    if mark := MARK.search(body):
        TOPICS[path].tell(EVENT % mark[0])
    await send({"type": "http.response.start", "status": 200, "headers": ANSWER})
    await send({"type": "http.response.body", "body": b"{}"})


async def stream(topic: Topic, receive: Receive, send: Send) -> None:
    """Send what comes until the reader is gone."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    topic.queues.add(queue)
    gone = asyncio.ensure_future(leave(receive, queue))
    await send({"type": "http.response.start", "status": 200, "headers": TOLD})
    await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
    while (event := await queue.get()) is not None:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    topic.queues.remove(queue)
    gone.cancel()


async def leave(receive: Receive, queue: asyncio.Queue[bytes | None]) -> None:
    """Wait until the reader is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    queue.put_nowait(None)


def main() -> None:
    """Serve with uvicorn, set as the twin sets it in ``server/run.py``."""
    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", server_header=False, proxy_headers=False
    )
    config.timeout_graceful_shutdown = 1
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - whoever started this reads it
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
