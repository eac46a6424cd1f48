"""A server that keeps what arrives, and what bash sends to it."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Got(NamedTuple):
    """A request as it arrived. The names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Recorder(ThreadingHTTPServer):
    """Keeps what arrives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Recording)
        self.got: list[Got] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Recording(BaseHTTPRequestHandler):
    """Answers any method with ``fine``."""

    protocol_version = "HTTP/1.1"
    server: Recorder

    def __getattr__(self, name: str) -> Callable[[], None]:
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self.answer

    def answer(self) -> None:
        """Keep the request, with its path as it stood in the first line."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append(Got(self.command, self.requestline.split(" ")[1], headers, body))
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"fine")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - so it is called
        """Nobody reads it."""


@contextmanager
def recorder() -> Iterator[Recorder]:
    """One that is served."""
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def bash(text: str, **env: str) -> str:
    """What a script prints, which complains of nothing."""
    done = subprocess.run(
        ["bash", "-s"],
        check=False,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], **env},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def arrived(*lines: str, **env: str) -> list[Got]:
    """What arrives of these lines, played one after the other."""
    with recorder() as server:
        bash("\n".join([f"url={server.url}", *lines]), **env)
        return server.got
