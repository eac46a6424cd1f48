"""A twin of PostHog's tasks at a fixed time, and requests to it."""

from collections.abc import Callable
from functools import cache

import pytest

from tasktwin.exchange.twin import Answer, Twin
from tasktwin.provider import Provider, load
from tasktwin.wire import Json

NOW = "2026-05-12T09:30:00Z"
TASKS = "/api/projects/@current/tasks/"

Ask = Callable[..., Answer]


@cache
def provider() -> Provider:
    """Loaded once for all tests."""
    return load("posthog")


@pytest.fixture
def twin() -> Twin:
    """Frozen, with the default seeds."""
    return Twin(provider(), now=NOW, clock="frozen")


@pytest.fixture
def ask(twin: Twin) -> Ask:
    """A request of Ada's; paths that do not begin with a slash are below her project's tasks."""

    def ask(method: str, path: str = "", body: Json = None, *, as_: str = "ada", **more: Json) -> Answer:
        return twin.request(method, path if path.startswith("/") else TASKS + path, json=body, as_=as_, **more)

    return ask
