"""What a second worker is worth: two workers on a Redis against one worker on it, and either against a store in memory.

*two apart* are two twins in memory that share nothing, each with half of the connections: more than these cores, which wrk uses
too, make of a second process cannot be made of a second worker.

``python -m tests.benchmarks.workers``: starts a ``redis-server`` with nothing kept on disk, and on it a twin of one worker
and one of two; drives them in turn with ``wrk`` on one thread, and prints requests/s as median (least - greatest) of several
alternated rounds, and the ratios of the same round. *many worlds*: each request goes to one of 64 worlds, as those of CI jobs do.
Redis, the workers and wrk share the cores that there are. ``--write`` puts the same into BENCHMARKS.md.
A measurement, not a test: it exits with 1 only when something is broken.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from uuid import uuid4

from tests.benchmarks.kept import keep, machine
from tests.benchmarks.serve import (
    CASES,
    DONE,
    HUMAN,
    JSON,
    TASK,
    BrokenError,
    Case,
    Server,
    drive,
    running,
    spread,
    table,
)
from tests.state import redis_server

WORLDS = 64
AIM = 1.6
TASK_PATH = "/api/v1/tasks/10000000-0000-4000-8000-000000000001"

LUA = (
    """
local heads = {%(heads)s}
local turn = {%(turn)s}
local n = 0
request = function()
  n = n + 1
  local kind, world = turn[n %% #turn + 1], "/_tasktwin/worlds/w" .. (n %% %(worlds)d) .. "/api"
  if kind == "create" then return wrk.format("POST", world .. "/api/v1/tasks/", heads, %(body)s) end
  if kind == "list" then return wrk.format("GET", world .. "/api/v1/tasks/?page=1&page_size=20&n=" .. n, heads) end
  if kind == "read anew" then return wrk.format("GET", world .. "%(path)s?n=" .. n, heads) end
  return wrk.format("GET", world .. "%(path)s", heads)
end
"""
    + DONE
)


@dataclass(frozen=True)
class Load(Case):
    """Requests to many worlds, of these kinds in turn. What is listed or read anew was not asked before."""

    turn: tuple[str, ...] = ()
    worlds: int = WORLDS

    def lua(self) -> str:
        """The requests as a script for wrk."""
        heads = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in {**HUMAN, **JSON}.items())
        told = {"heads": heads, "worlds": self.worlds, "path": TASK_PATH, "turn": ", ".join(map(json.dumps, self.turn))}
        return LUA % {**told, "body": json.dumps(json.dumps(TASK))}


def _load(name: str, *turn: str, worlds: int = WORLDS) -> Load:
    return Load(name, "GET", TASK_PATH, 200, HUMAN, turn=turn, worlds=worlds)


READ_OR_CREATE = ("read", "read", "read", "read", "create")
LOADS = (
    _load("GET a task, many worlds", "read"),
    _load("GET, not asked before, many worlds", "read anew"),
    _load("POST a task, many worlds", "create"),
    _load("one POST in five, many worlds", *READ_OR_CREATE),
    _load("POST, list and three GETs, not asked before, many worlds", "create", "list", *["read anew"] * 3),
    _load("GET a task, one world", "read", worlds=1),
    _load("one POST in five, one world", *READ_OR_CREATE, worlds=1),
)


@dataclass
class Measured:
    """Requests/s by server, a number for each round."""

    rates: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, server: str, other: str) -> list[float]:
        """One server's by another's."""
        return [one / two for one, two in zip(self.rates[server], self.rates[other], strict=True)]


@contextmanager
def redis() -> Iterator[str]:
    """A server of one's own."""
    folder, port = tempfile.mkdtemp(), redis_server.free_port()
    process = redis_server.start(port, folder)
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def served(options: list[str], folder: Path) -> Iterator[Server]:
    """A twin; of several workers all have begun."""
    command = [sys.executable, "-m", "tasktwin", "serve", "uumit", "--port", "0", "-q", *options]
    with running(command, CASES[0], folder / "cache") as server:
        time.sleep(3.0)
        yield server


def measure(load: Load, folder: Path, rounds: int, seconds: int, connections: int) -> Measured:
    """Drive all servers in turn."""
    found, script = Measured(), folder / "request.lua"
    script.write_text(load.lua())
    with ExitStack() as stack:
        store = stack.enter_context(redis())
        started = {
            name: stack.enter_context(served(options, folder))
            for name, options in {
                "memory": ["--store", "memory"],
                "another": ["--store", "memory"],
                "one worker": ["--store", f"{store}?prefix={uuid4().hex}"],
                "two workers": ["--store", f"{store}?prefix={uuid4().hex}", "--workers", "2"],
            }.items()
        }
        servers = {name: [server] for name, server in started.items() if name != "another"}
        servers["two apart"] = [started["memory"], started["another"]]
        for each in servers.values():
            rate(each, load, script, 2, connections)
        for _ in range(rounds):
            for name, each in servers.items():
                found.rates.setdefault(name, []).append(rate(each, load, script, seconds, connections))
    return found


def rate(servers: list[Server], load: Load, script: Path, seconds: int, connections: int) -> float:
    """The requests/s that servers answer at once, each on its share of the connections."""
    with ThreadPoolExecutor(len(servers)) as pool:
        share = connections // len(servers)
        results = list(pool.map(lambda server: drive(server, load, script, seconds, share), servers))
    return float(sum(each["requests"] / each["seconds"] for each in results))


def as_text(found: dict[str, Measured]) -> str:
    """The table, and what of it was wanted."""
    lines = [["requests", "server", "requests/s", "two by one"]]
    wanted = [["aim", "measured", "holds"]]
    for name, each in found.items():
        ratios = each.ratio("two workers", "one worker")
        twofold = {"two workers": ratios, "two apart": each.ratio("two apart", "memory")}
        lines += [
            [name, server, spread(rates, ",.0f"), spread(twofold[server], ".2f") if server in twofold else ""]
            for server, rates in each.rates.items()
        ]
        holds = "yes" if median(ratios) >= AIM else "no"
        wanted.append([f"{name}: two workers at least {AIM} x one", f"{median(ratios):.2f}", holds])
    return f"{table(lines)}\n\n{table(wanted)}"


def main() -> int:
    """Measure and print. 1 when something is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of one run")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", default="", help="only the loads whose name has this in it")
    parser.add_argument("--write", action="store_true", help="put the table into BENCHMARKS.md")
    given = parser.parse_args()
    if shutil.which("wrk") is None or shutil.which("redis-server") is None:
        sys.stderr.write("wrk and redis-server are needed: apt-get install wrk redis-server\n")
        return 1
    with tempfile.TemporaryDirectory() as name:
        try:
            loads = [each for each in LOADS if given.only in each.name]
            found = {
                each.name: measure(each, Path(name), given.rounds, given.seconds, given.connections) for each in loads
            }
        except (BrokenError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    text = as_text(found)
    sys.stdout.write(f"{text}\n")
    if given.write:
        about = (
            "Two workers on a Redis against one worker on it, in turn, driven by wrk on one thread; Redis, workers and wrk share "
            "the cores. *memory* is one worker that shares with nobody, *two apart* are two of these: the most that a second can be worth."
        )
        keep("Workers", about, machine(), text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
