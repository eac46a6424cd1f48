"""What several tests share: a twin served by the real command on a real port."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

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
