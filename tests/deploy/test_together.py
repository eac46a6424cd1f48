"""What Compose starts, started here by the same commands: Redis, two replicas and the balancer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
from tests.deploy.balanced import balancing
from tests.deploy.part import COMMANDS
from tests.state import redis_server

ALICE = {"Authorization": "Bearer human-alice-token"}
TASK = {"title": "Logo", "description": "Two colours.", "bounty_amount": "1", "delivery_hours": 48}


@contextmanager
def stopped(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def composed(folder: Path) -> Iterator[str]:
    """The balancer's base URL. Redis keeps its data in the folder."""
    store, ports = redis_server.free_port(), [redis_server.free_port() for _ in range(2)]
    with ExitStack() as stack:
        options = COMMANDS["compose"].redis[1:]
        stack.enter_context(stopped(redis_server.start(store, str(folder), *options)))
        for port in ports:
            command = [each.replace("--port=8080", f"--port={port}") for each in COMMANDS["compose"].twin]
            command = [each.replace("redis://redis:6379", f"redis://127.0.0.1:{store}") for each in command]
            command = [sys.executable, "-m", "tasktwin", *command, "--quiet"]
            twin = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TASKTWIN_CONTROL_TOKEN": "t"})
            stack.enter_context(twin)
            stack.enter_context(stopped(twin))
            assert twin.stdout is not None
            assert twin.stdout.readline()
        yield stack.enter_context(balancing([f"http://127.0.0.1:{port}" for port in ports], folder))


def ids_of_all(url: str) -> list[set[str]]:
    """Alice's tasks, as several connections see them."""
    ask = f"{url}/api/v1/tasks/?page_size=100"
    answers = [httpx2.get(ask, headers=ALICE, trust_env=False, timeout=10).json() for _ in range(6)]
    return [{each["id"] for each in answer["data"]["items"]} for answer in answers]


def test_all_replicas_show_what_one_of_them_made_also_after_all_were_stopped(tmp_path: Path) -> None:
    with composed(tmp_path) as url:
        made = {
            httpx2.post(f"{url}/api/v1/tasks/", json=TASK, headers=ALICE, trust_env=False, timeout=10).json()["data"][
                "id"
            ]
            for _ in range(4)
        }
        assert [made - seen for seen in ids_of_all(url)] == [set()] * 6
    with composed(tmp_path) as url:
        assert [made - seen for seen in ids_of_all(url)] == [set()] * 6
