"""A deployment, and a proxy before it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.suite.proxy.front import Deployment, Proxy, deployed, folder, started

Before = Callable[..., Proxy]


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    with deployed() as running:
        yield running


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Before]:
    """Start a proxy before a URL, for the small contract, with options of the command."""
    home = folder(tmp_path)
    with ExitStack() as stack:
        yield lambda url, *options: stack.enter_context(started(url, home, *options))
