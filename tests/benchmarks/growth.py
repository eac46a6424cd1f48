"""Whether a request costs more the more a world holds, and how much the twin weighs after many of them.

``python -m tests.benchmarks.growth``: in one process, through the pipeline that is served: a page of a filtered and sorted
list in worlds of 100, 10,000 and 100,000 tasks, a read with the journal empty and full, with one world and 10,000 alive; a
new world, and a fork of one with 1,000 rows; 1,000 timers due at once, and a year's advance over 5,000 open tasks. Then
``tasktwin serve`` is asked a million times (``--requests``), and weighed on the way. Times are the medians of many, alternated.
A measurement, not a test.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from tests.benchmarks.serve import CASES, drive, running, table, twin_command

from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.exchange.exchange import Exchange
from tasktwin.exchange.pipeline import Pipeline
from tasktwin.provider import Provider, load

ROOT = Path(__file__).parents[2]
SIZES = (100, 10_000, 100_000)
AGENT = "a0000000-0000-4000-8000-0000000000a1"
HEADERS = [(b"host", b"twin"), (b"x-api-key", b"uuagent_sk_demo"), (b"x-platform-user-id", AGENT.encode())]
SEEDS = """\
about: {count} tasks, made by a rule
extends: default
make:
  task:
    - count: {count}
      row:
        user_id: {user}
        owner_type: agent
        bounty_currency: UT
        status: {{$pick: [open, closed]}}
        title: "Task number {{$n}}"
        description: "Made by a rule."
        category: {{$pick: [data, finance, design]}}
        mode: online
        billing_model: fixed_deadline
        bounty_amount: "20.00"
        delivery_hours: 24
        created_at: {{$pick: [-1h, -2h, -5h, -9h]}}
        updated_at: -30m
"""


def sized(folder: Path) -> Provider:
    """UUMit with further seeds: so many tasks, of which half or all are open."""
    root = folder / "uumit"
    shutil.copytree(ROOT / "fixtures" / "uumit", root)
    for size in (*SIZES, 1_000, 5_000):
        text = SEEDS.format(count=size, user=AGENT)
        (root / "seeds" / f"of-{size}.yaml").write_text(text)
        (root / "seeds" / f"open-{size}.yaml").write_text(text.replace("{$pick: [open, closed]}", "open"))
    return load(str(root))


class Bench:
    """One provider's pipeline and worlds."""

    def __init__(self, provider: Provider) -> None:
        self.pipeline = Pipeline(provider.rules)
        self.worlds = Worlds(provider.rules, provider.seeds, Plan(mode="frozen", limit=20_000))
        self.asked = 0

    def next(self) -> int:
        """A number that was not used yet."""
        self.asked += 1
        return self.asked

    def world(self, name: str, seeds: str) -> World:
        """A world of its own."""
        return self.worlds.create(name, Plan(seeds=seeds, mode="frozen"))

    def get(self, world: World, path: str, query: str) -> float:
        """Microseconds that a read takes, in other words each time."""
        self.asked += 1
        exchange = Exchange(world, "GET", path, f"{query}&n={self.asked}".encode(), HEADERS)
        began = time.perf_counter()
        self.pipeline.answer(exchange)
        took = time.perf_counter() - began
        if exchange.status != 200:
            raise SystemExit(f"{path}: {exchange.status} {exchange.answer[:300]!r}")
        return took * 1e6


def alternated(works: dict[str, Callable[[], float]], times: int) -> dict[str, float]:
    """The median of each, all of them done in turn."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(times):
        for name, work in works.items():
            taken[name].append(work())
    return {name: median(each) for name, each in taken.items()}


def lists(bench: Bench) -> list[list[str]]:
    """A page of a list by the size of its world."""
    lines = []
    for name, query in (
        ("page of 50, newest first", "page=1&page_size=50"),
        ("filtered, second page of 50", "status=open&page=2&page_size=50"),
        ("searched in the hall", "keyword=number+7&page_size=20"),
    ):
        path = "/api/v1/tasks/hall" if "keyword" in query else "/api/v1/tasks/"
        found = alternated(
            {str(size): partial(bench.get, bench.worlds.get(f"of-{size}"), path, query) for size in SIZES},
            15 if "keyword" in query else 101,
        )
        times = [f"{found[str(size)]:,.0f}" for size in SIZES]
        lines.append([name, *times, f"{found[str(SIZES[-1])] / found[str(SIZES[0])]:.2f}"])
    return lines


def rest(bench: Bench) -> list[list[str]]:
    """Everything that is one number."""
    lines = []
    small = bench.worlds.get("of-100")
    quiet = bench.world("quiet", "default")
    for _ in range(1_100):
        bench.get(small, "/api/v1/tasks/", "page_size=1")
    empty = alternated({"empty": lambda: bench.get(quiet, "/api/v1/capabilities/", "page_size=1")}, 301)["empty"]
    full = alternated({"full": lambda: bench.get(small, "/api/v1/capabilities/", "page_size=1")}, 301)["full"]
    lines.append(["read with a full journal, by one with an almost empty one", f"{full / empty:.2f}"])
    new = alternated({"new": lambda: timed(lambda: bench.world(f"new-{bench.next()}", "default"))}, 301)["new"]
    lines.append(["new world, µs", f"{new:,.0f}"])
    origin = bench.world("origin", "of-1000").save()
    fork = alternated({"fork": lambda: timed(lambda: bench.worlds.create(f"fork-{bench.next()}", origin=origin))}, 301)
    lines.append(["fork of a world of 1,000 rows, µs", f"{fork['fork']:,.0f}"])
    while len(bench.worlds) < 10_000:
        bench.world(f"alive-{bench.next()}", "default")
    many = alternated({"many": lambda: bench.get(quiet, "/api/v1/capabilities/", "page_size=1")}, 301)["many"]
    lines.append(["read with 10,000 worlds alive, by one with a few", f"{many / empty:.2f}"])
    for size, seconds, name in (
        (1_000, 73 * 3600, "1,000 timers due at once, ms"),
        (5_000, 365 * 86_400, "a year over 5,000 tasks, ms"),
    ):
        world = bench.world(f"timers-{size}", f"open-{size}")
        began = time.perf_counter()
        fired = world.advance(seconds)
        lines.append([f"{name} ({len(fired):,} fired)", f"{(time.perf_counter() - began) * 1000:,.0f}"])
    return lines


def timed(work: Callable[[], object]) -> float:
    """Microseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e6


def weight(requests: int) -> list[list[str]]:
    """MiB of a served twin after so many requests, half of which write."""
    lines = []
    with tempfile.TemporaryDirectory() as name, running(twin_command("default"), CASES[0], Path(name)) as server:
        script, sent = Path(name) / "request.lua", 0
        for mark in (0, 10_000, 100_000, requests):
            turn = 0
            while sent < mark:
                case = CASES[1] if turn % 2 else CASES[4]
                script.write_text(case.lua())
                sent += drive(server, case, script, 2, 16)["requests"]
                turn += 1
            lines.append([f"MiB resident after {sent:,} requests", f"{server.memory():.1f}"])
    return lines


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(sized(Path(name)))
        for size in SIZES:
            bench.world(f"of-{size}", f"of-{size}")
        head = ["list, µs", *(f"{size:,} tasks" for size in SIZES), "last by first"]
        sys.stdout.write(table([head, *lists(bench)]) + "\n\n")
        sys.stdout.write(table([["work", "measured"], *rest(bench)]) + "\n\n")
    sys.stdout.write(table([["memory", "measured"], *weight(asked.requests)]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
