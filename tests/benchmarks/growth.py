"""Whether a request costs more the more a world holds, and how much the twin weighs after many of them.

``python -m tests.benchmarks.growth``: first in one process, through the pipeline that is served: a page of a filtered and
sorted list in worlds of 100, 10,000 and 100,000 tasks; a read with the journal empty and full, with one world and 10,000
alive; a new world, and a fork of one with 1,000 rows; timers, few and many, due at once or in a year's advance. Then
``tasktwin serve`` is asked a million times (``--requests``) and weighed on the way. Numbers are medians (least - greatest) of
rounds in which what is compared takes turns; a ratio is of one round. ``--write`` keeps them in BENCHMARKS.md.
A measurement, not a test.
"""

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from tests.benchmarks.kept import keep, machine
from tests.benchmarks.serve import (
    CASES,
    HUMAN,
    BrokenError,
    Case,
    Server,
    ask,
    reset,
    running,
    spread,
    table,
    twin_command,
)

from tasktwin.behaviour.beginning import Saved
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.exchange.exchange import Exchange
from tasktwin.exchange.pipeline import Pipeline
from tasktwin.provider import Provider, load
from tasktwin.state import Query

ROOT = Path(__file__).parents[2]
SIZES = (100, 10_000, 100_000)
ROUNDS = 7
AGENT = "a0000000-0000-4000-8000-0000000000a1"
WORLDS = 10_000
UUMIT = """\
about: {count} tasks, made by a rule
extends: default
rows:
  purse:
    - {{id: {user}, ut_available: "2000.00", ut_frozen: "9000000.00", cash_available: "0.00", cash_frozen: "0.00"}}
make:
  task:
    - count: {count}
      row:
        user_id: {user}
        owner_type: agent
        bounty_currency: UT
        status: {status}
        title: "Task number {{$n}}"
        description: "Made by a rule."
        category: {{$pick: [data, finance, design]}}
        mode: online
        billing_model: fixed_deadline
        bounty_amount: "20.00"
        held: "20.00"
        delivery_hours: 24
        dispatch_mode: manual
        created_at: {{$pick: [-1h, -2h, -5h, -9h]}}
        updated_at: -30m
"""
POSTHOG = """\
about: {count} tasks, made by a rule
extends: default
make:
  task:
    - count: {count}
      row:
        project_id: 1
        creator_id: {{$pick: [1, 2]}}
        origin_product: {{$pick: [user_created, signal_report]}}
        task_number: {{$between: [1000, 900000]}}
        slug: "ACM-{{$n}}"
        title: "Task number {{$n}}"
        title_manually_set: true
        description: "Made by a rule."
        internal: false
        archived: false
        deleted: false
        updated_at: -30m
        created_at: {{$pick: [-1h, -2h, -5h, -9h]}}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was measured, in each round; with ``most`` it shall be at most that."""

    name: str
    values: Sequence[float]
    most: float | None = None
    form: str = ".2f"

    def cells(self) -> list[str]:
        """The line of a table."""
        told = spread(list(self.values), self.form) if len(self.values) > 1 else f"{self.values[0]:{self.form}}"
        if self.most is None:
            return [self.name, told, "", ""]
        return [self.name, told, f"{self.most:g}", "yes" if median(self.values) <= self.most else "no"]


@dataclass(frozen=True, slots=True)
class List:
    """A list that is asked for: of which API, where, and by whom."""

    name: str
    provider: str
    path: str
    query: str
    header: tuple[bytes, bytes]


LISTS = (
    List(
        "own tasks, newest first", "uumit", "/api/v1/tasks/", "page=2&page_size=20", (b"x-api-key", b"uuagent_sk_demo")
    ),
    List(
        "own tasks by status", "uumit", "/api/v1/tasks/", "status=open&page_size=20", (b"x-api-key", b"uuagent_sk_demo")
    ),
    List(
        "hall by category",
        "uumit",
        "/api/v1/tasks/hall",
        "category=data&page_size=20",
        (b"x-api-key", b"uuagent_sk_demo"),
    ),
    List(
        "tasks of a project", "posthog", "/api/projects/1/tasks/", "limit=20", (b"authorization", b"Bearer phx_ada_all")
    ),
)


def sized(name: str, folder: Path) -> Provider:
    """A bundled API with further seeds: so many tasks, of which half or all are open."""
    root = folder / name
    shutil.copytree(ROOT / "fixtures" / name, root)
    for size in (*SIZES, 10, 500, 1_000, 5_000):
        for kind, status in (("of", "{$pick: [open, closed]}"), ("open", "open")):
            text = UUMIT if name == "uumit" else POSTHOG
            (root / "seeds" / f"{kind}-{size}.yaml").write_text(text.format(count=size, user=AGENT, status=status))
    return load(str(root))


class Bench:
    """One provider's pipeline, and worlds in which time stands still."""

    def __init__(self, provider: Provider, journal: int = 1_000) -> None:
        self.pipeline = Pipeline(provider.rules)
        self.worlds = Worlds(provider.rules, provider.seeds, Plan(mode="frozen", limit=2 * WORLDS, journal=journal))
        self.numbers = itertools.count()

    def world(self, seeds: str = "default") -> World:
        """A new world."""
        return self.worlds.create(f"{seeds}-{next(self.numbers)}", Plan(seeds=seeds, mode="frozen"))

    def fork(self, origin: Saved) -> World:
        """A world that begins as another was."""
        return self.worlds.create(f"fork-{next(self.numbers)}", origin=origin)

    def get(self, name: str, path: str, query: str, header: tuple[bytes, bytes]) -> float:
        """Microseconds that a read takes, asked in other words each time so that nothing can be remembered."""
        asked = f"{query}&n={next(self.numbers)}".encode()
        headers = [(b"host", b"twin"), header, (b"x-platform-user-id", AGENT.encode())]
        began = time.process_time()
        exchange = Exchange(self.worlds.get(name), "GET", path, asked, headers)
        self.pipeline.answer(exchange)
        took = time.process_time() - began
        if exchange.status != 200:
            raise BrokenError(f"{path}: {exchange.status} {exchange.answer[:300]!r}")
        return took * 1e6

    def capabilities(self, name: str) -> float:
        """Microseconds that a short list takes."""
        return self.get(name, "/api/v1/capabilities/", "page_size=1", (b"x-api-key", b"uuagent_sk_demo"))


def timed(work: Callable[[], object]) -> float:
    """Microseconds of the processor."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e6


def rounds(works: Sequence[Callable[[], float]], times: int) -> list[list[float]]:
    """Of each work the median of so many times, in each round; all of them take turns."""
    for work in works:
        work()
    found: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        taken = [[work() for work in works] for _ in range(times)]
        for each, values in zip(found, zip(*taken, strict=True), strict=True):
            each.append(median(values))
    return found


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """One by the other, round by round."""
    return [one / two for one, two in zip(ours, theirs, strict=True)]


def lists(bench: Bench, name: str) -> list[Line]:
    """A page of each list by the size of its world."""
    worlds = [bench.world(f"of-{size}").name for size in SIZES]
    lines = []
    for each in LISTS:
        if each.provider == name:
            ask_for = partial(bench.get, path=each.path, query=each.query, header=each.header)
            few, more, most = rounds([partial(ask_for, world) for world in worlds], 41)
            about = f"{name}, {each.name}"
            lines.append(Line(f"{about}: 10,000 tasks by 100", ratios(more, few), 1.5))
            lines.append(Line(f"{about}: 100,000 tasks by 100", ratios(most, few), 1.5))
    if name == "uumit":
        lines += searches(bench, worlds[-1])
    return lines


def searches(bench: Bench, world: str) -> list[Line]:
    """Searches for other words each time, so that nothing is known from the one before."""
    numbers = itertools.count(1)

    def search(begin: str) -> float:
        query = f"keyword={begin}{next(numbers) % 9 + 1}"
        return bench.get(world, "/api/v1/tasks/hall", query, LISTS[0].header)

    many, one = rounds([partial(search, "number+"), partial(search, "number+4000")], 3)
    about = "uumit, a search in the texts of 50,000 tasks that finds"
    return [
        Line(f"{about} {what}, ms", [each / 1e3 for each in values], form=".1f")
        for what, values in (("every ninth", many), ("one", one))
    ]


def worlds(provider: Provider) -> list[Line]:
    """What worlds cost: to make, to fork, to keep many of."""
    bench, alone, crowd = Bench(provider), Bench(provider), Bench(provider)
    origin = bench.world("of-1000").save()
    [new, fork, first] = rounds(
        [lambda: timed(bench.world), lambda: timed(lambda: bench.fork(origin)), lambda: written(bench.fork(origin))], 31
    )
    for _ in range(1_100):
        bench.capabilities("full")
    silent = Bench(provider, journal=0)
    [full, empty] = rounds([lambda: bench.capabilities("full"), lambda: silent.capabilities("silent")], 301)
    names = [crowd.world().name for _ in range(WORLDS)]
    for each in names:
        crowd.capabilities(each)
    turn, crowded = itertools.cycle(names), "10,000 worlds asked in turn by one"
    [many, one] = rounds([lambda: crowd.capabilities(next(turn)), lambda: alone.capabilities("only")], 301)
    return [
        Line("new world, ms", [each / 1e3 for each in new], 0.2, ".3f"),
        Line("fork of a world of 1,000 rows, ms", [each / 1e3 for each in fork], 1, ".3f"),
        Line("its first write, ms", [each / 1e3 for each in first], 1, ".3f"),
        Line("a read: full journal by none", ratios(full, empty), 1.5),
        Line(f"a read: {crowded}", ratios(many, one), 1.5),
    ]


def written(world: World) -> float:
    """Microseconds that the first write in a world takes."""
    row = next(iter(world.store.find(Query("task"), limit=1)))
    return timed(lambda: world.change("task", row, title="Changed"))


def timers(bench: Bench) -> list[Line]:
    """What a timer costs that fires, among few and among many."""
    origins = {size: bench.world(f"open-{size}").save() for size in (10, 500, 1_000, 5_000)}
    least, most = rounds(
        [lambda: fired_by_request(bench, origins[10]), lambda: fired_by_request(bench, origins[1_000])], 1
    )
    few, many = rounds(
        [lambda: fired_in_a_year(bench, origins[500]), lambda: fired_in_a_year(bench, origins[5_000])], 1
    )
    return [
        Line("a request that fires 1,000 timers, µs each", most, form=".0f"),
        Line("the same by one that fires 10, each", ratios(most, least), 1.5),
        Line("a year's advance over 5,000 tasks, µs a timer", many, form=".0f"),
        Line("the same by one over 500, a timer", ratios(many, few), 1.5),
    ]


def fired_by_request(bench: Bench, origin: Saved) -> float:
    """Microseconds for each timer, all of them due when the request comes."""
    world = bench.fork(origin)
    before = len(world.store.timers())
    world.clock.advance(73 * 3_600 * 1_000_000)
    took = bench.capabilities(world.name)
    count = before - len(world.store.timers())
    bench.worlds.delete(world.name)
    return took / count


def fired_in_a_year(bench: Bench, origin: Saved) -> float:
    """Microseconds for each timer that fires in a year."""
    world = bench.fork(origin)
    began = time.process_time()
    fired = world.advance(365 * 86_400)
    took = time.process_time() - began
    bench.worlds.delete(world.name)
    return took * 1e6 / len(fired)


ABOUT = """\
Written by `python -m tests.benchmarks.growth --write`; not by hand. Medians (least - greatest) of rounds in which what is
compared takes turns; a ratio is of one round. Down to the timers it is the time of the processor, in one process, through
the pipeline that is served; a request is in other words each time, so that nothing is remembered of it. What is weighed is
`tasktwin serve uumit`, which reads, creates, refuses and lists in turn; its world begins again every few seconds."""

MIX = (
    *CASES,
    Case("own tasks", "GET", "/api/v1/tasks/?page=1&page_size=50", 200, CASES[3].headers, fresh=True),
    Case("no such task", "GET", "/api/v1/tasks/10000000-0000-4000-8000-00000000ffff", 404, HUMAN),
    Case("nobody", "GET", "/api/v1/tasks/hall", 401, {}),
)
"""What the served twin is asked, in turn."""


def mixed(cases: Sequence[Case]) -> str:
    """All cases in turn as a script for wrk."""
    lines = ["local n, all = 0, {"]
    for case in cases:
        headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in case.headers.items())
        body = json.dumps(case.body) if case.body else "nil"
        more = "&n=" if "?" in case.target else "?n="
        fresh = json.dumps(more) if case.fresh else "nil"
        lines.append(f"  {{{json.dumps(case.method)}, {json.dumps(case.target)}, {{{headers}}}, {body}, {fresh}}},")
    return (
        "\n".join(lines)
        + """
}
request = function()
  n = n + 1
  local one = all[n % #all + 1]
  return wrk.format(one[1], one[5] and one[2] .. one[5] .. n or one[2], one[3], one[4])
end
done = function(summary)
  local e = summary.errors
  io.write(string.format("\\n%d %d\\n", summary.requests, e.connect + e.read + e.write + e.timeout))
end
"""
    )


def weight(requests: int) -> list[Line]:
    """MiB of a served twin after so many requests of all kinds. Its world begins again from time to time."""
    found: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name, running(twin_command("default"), CASES[0], Path(name)) as server:
        for case in MIX:
            status, _, body = ask(server.url, case)
            if status != case.status:
                raise BrokenError(f"{case.name}: {status} instead of {case.status}: {body[:300]!r}")
        script, sent = Path(name) / "mix.lua", 0
        script.write_text(mixed(MIX))
        for mark in sorted({10_000, 100_000, requests}):
            while sent < mark:
                reset(server)
                sent += drive(server, script)
            found[mark] = server.memory()
    first, middle, *last = [found[each] for each in sorted(found)]
    lines = [
        Line("MiB resident after 10,000 requests", [first], form=".1f"),
        Line("MiB resident after 100,000", [middle], 90, ".1f"),
    ]
    lines += [Line(f"more MiB after {requests:,} than after 10,000", [each - first], 5, ".1f") for each in last]
    return lines


def drive(server: Server, script: Path) -> int:
    """One run of wrk: how many requests it sent."""
    command = ["wrk", "-t1", "-c16", "-d2s", "-s", str(script), server.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sent, lost = map(int, done.stdout.strip().splitlines()[-1].split()) if done.returncode == 0 else (0, 0)
    told = json.loads(ask(server.url, Case("", "GET", "/_tasktwin/journal?status=5xx&limit=1", 200, {}))[2])
    if not sent or lost or told["entries"]:
        raise BrokenError(f"{sent} requests, of which {lost} were lost: {done.stderr} {told['entries']}")
    return sent


def main() -> int:
    """Measure and print. 1 when something is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000, help="that the served twin is asked")
    parser.add_argument("--write", action="store_true", help="keep the table in BENCHMARKS.md")
    asked = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as name:
            uumit = sized("uumit", Path(name))
            lines = [*lists(Bench(uumit), "uumit"), *lists(Bench(sized("posthog", Path(name))), "posthog")]
            lines += [*worlds(uumit), *timers(Bench(uumit))]
        lines += weight(asked.requests)
    except BrokenError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = table([["what", "measured", "at most", "holds"], *(each.cells() for each in lines)])
    sys.stdout.write(text + "\n")
    if asked.write:
        keep("What a world holds", ABOUT, f"{machine()}.", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
