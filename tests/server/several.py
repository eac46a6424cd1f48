"""Two twins upon one Redis, each with a URL of its own: as two machines are, or two workers whose connections one can choose."""

import contextlib
import sys
from collections.abc import Iterator
from uuid import uuid4

from tests.server.front import World, serving
from tests.state import redis_server


def address(port: int = 0) -> str:
    """A Redis, as nobody else uses it: that of all tests, or the one at a port."""
    return f"{f'redis://127.0.0.1:{port}' if port else redis_server.url()}?prefix={uuid4().hex}"


@contextlib.contextmanager
def several(provider: str = "uumit", *options: str, count: int = 2, store: str = "") -> Iterator[list[str]]:
    """The base URLs of so many twins that share their worlds."""
    store = store or address()
    with contextlib.ExitStack() as stack:
        shared = ("--store", store, "--quiet", *options)
        started = [stack.enter_context(serving(provider, *shared, errors=sys.stderr)) for _ in range(count)]
        yield [url for url, _ in started]


@contextlib.contextmanager
def both(urls: list[str], name: str) -> Iterator[list[World]]:
    """One world, as it is seen through each URL."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(World(url, name))) for url in urls]
