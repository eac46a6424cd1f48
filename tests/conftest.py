"""What several tests share: a twin served by the real command on a real port, and which store it keeps its worlds in."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from tests.state import redis_server

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start ``tasktwin serve`` with the given arguments on a free port; the base URL that it prints."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> str:
        command = [sys.executable, "-m", "tasktwin", "serve", *arguments, "--port", "0", "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(timeout=10)
        assert process.stdout is not None
        process.stdout.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What looks into the memory store is left out where there is none."""
    if config.getoption("--store") == "redis":
        for item in items:
            if item.get_closest_marker("memory"):
                item.add_marker(pytest.mark.skip(reason="looks into the store in memory"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--store redis``: all twins keep their worlds in a real Redis."""
    parser.addoption("--store", choices=["memory", "redis"], default="memory")


@pytest.fixture(autouse=True, scope="session")
def _store(pytestconfig: pytest.Config) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if pytestconfig.getoption("--store") == "redis":
            patch.setenv("TASKTWIN_STORE", redis_server.url())
        yield


@pytest.fixture(autouse=True)
def _own_store(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twins that a test starts share nothing with those of another."""
    if pytestconfig.getoption("--store") == "redis":
        monkeypatch.setenv("TASKTWIN_STORE", f"{redis_server.url()}?prefix={uuid4().hex}")
