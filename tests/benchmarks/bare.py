"""What the twin is measured against: an ASGI function that answers from prepared values and does nothing else.

``python bare.py FILE``: FILE maps ``"GET /path?query"`` to ``{"status", "headers", "body"}``. The first line on
standard output is the base URL. A body is serialised for each request, since the time stamp in it is new each time.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from socket import socket
from typing import Any

import orjson
import uvicorn

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def bare(prepared: dict[str, Any]) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """An ASGI application that knows these answers."""
    answers = {
        key: (
            each["status"],
            [(name.encode(), value.encode()) for name, value in each["headers"].items()],
            each["body"],
        )
        for key, each in prepared.items()
    }

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        query, path = scope["query_string"].decode(), f"{scope['method']} {scope['path']}"
        status, headers, body = answers.get(f"{path}?{query}") or answers[path]
        body["timestamp"] = int(time.time())
        raw = orjson.dumps(body)
        length = (b"content-length", str(len(raw)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": raw})

    return app


def main() -> None:
    """Serve with uvicorn, set as the twin sets it in ``server/run.py``."""
    app = bare(json.loads(Path(sys.argv[1]).read_bytes()))
    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", server_header=False, proxy_headers=False
    )
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - whoever started this reads it
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
