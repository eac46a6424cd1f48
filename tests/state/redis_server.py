"""A real Redis for the tests of one process, and stores upon it."""

import atexit
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from uuid import uuid4

import redis

from tasktwin.state.commit_log import CommitLog
from tasktwin.state.redis_link import RedisLink
from tasktwin.state.redis_store import RedisStore


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(port: int, folder: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a server that keeps its data in a folder; wait until it answers."""
    assert shutil.which("redis-server"), "these tests need redis-server: apt-get install redis-server"
    command = ["redis-server", "--port", str(port), "--dir", folder, "--save", "", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    late = time.monotonic() + 10
    while time.monotonic() < late:
        try:
            with redis.Redis(port=port) as client:
                client.ping()
        except redis.RedisError:
            time.sleep(0.01)
        else:
            return process
    raise AssertionError("redis-server does not answer")


@cache
def url() -> str:
    """The server of this process, which ends with it."""
    folder, port = tempfile.mkdtemp(), free_port()
    process = start(port, folder)

    def end() -> None:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return f"redis://127.0.0.1:{port}"


def log(name: str = "", address: str = "") -> CommitLog:
    """A log of its own, or the one of this name."""
    return CommitLog(RedisLink(address or url()), name or uuid4().hex)


def redis_store(event_limit: int = 20_000, topic_limit: int = 10_000, index_limit: int = 64) -> RedisStore:
    """A store of its own."""
    return RedisStore(log(), event_limit, topic_limit, index_limit)
