"""How soon readers see what happened, how many at once, and what each of them costs.

``python tests/benchmarks/streams.py``: readers of PostHog's run streams on real sockets, and events caused by requests
to append to the runs' logs, at a modest pace. A table of the time from the last byte of the request's answer to the event
at each reader (below zero: it was there before the answer), of the request itself, of the server's own work (processor
time, which what else the machine does hardly touches), and of its memory, beside a bare ASGI application on the same
uvicorn that tells everybody the same. A measurement, not a test: it exits with 1 only when
an event is lost, doubled or out of order. The two are driven in turn within each round; the medians of the rounds count,
with the least and the greatest in brackets. Reader and writer are one process, whose own work is in every number.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

TASKS = "/api/projects/@current/tasks/"
RUN = f"{TASKS}10000000-0000-4000-8000-000000000001/runs/20000000-0000-4000-8000-000000000002/"
TOKEN = "phx_ada_all"
MARK = re.compile(rb'"mark":"@(\d+)@"[^\n]*\n\n')
TOPICS, READERS_OF_EACH = 200, 5
PATIENCE = 15.0
"""Seconds to wait for what was not delivered yet."""
P99 = 50.0
"""Milliseconds within which 99 of 100 events shall be there, with the most readers of one topic."""


class BrokenError(Exception):
    """What is measured does not work, so there is nothing to measure."""


@dataclass(frozen=True)
class Case:
    """So many topics with so many readers each."""

    topics: int
    readers: int

    @property
    def name(self) -> str:
        """As it stands in the table."""
        many = f"{self.readers:,} readers"
        return many if self.topics == 1 else f"{self.topics} topics x {self.readers}"

    @property
    def pace(self) -> float:
        """Seconds from one event to the next: a fifth of a second for a thousand readers, never under 20 ms."""
        return max(0.02, self.readers * 0.0002)


@dataclass
class Measured:
    """What came of one case on one server: a number for each round, of milliseconds; memory in MiB, of the first round."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    request: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)  # microseconds of the processor for each event at each reader
    memory: tuple[float, float, float] = (0.0, 0.0, 0.0)  # before any reader, with all of them, after the events
    delivered: int = 0


class Reader(asyncio.Protocol):
    """Opens one stream and keeps what comes and when, to be understood later: reading must cost next to nothing."""

    def __init__(self, request: bytes, told: "Told") -> None:
        self.request = request
        self.told = told
        self.chunks: list[tuple[float, bytes]] = []
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's does not say that it is one
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self.chunks.append((time.perf_counter(), data))
        self.told.add(data.count(b'"mark"'))
        if not self.opened.done():
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        if not self.opened.done():
            self.opened.set_exception(exc or BrokenError("a stream was closed before it began"))

    def arrivals(self) -> list[tuple[int, float]]:
        """The mark of each event, and when its last byte was there."""
        whole, ends, size = b"".join(data for _, data in self.chunks), [], 0
        for at, data in self.chunks:
            size += len(data)
            ends.append((size, at))
        found, chunk = [], 0
        for match in MARK.finditer(whole):
            while ends[chunk][0] < match.end():
                chunk += 1
            found.append((int(match[1]), ends[chunk][1]))
        return found


class Told:
    """How many events all readers still have to receive together."""

    def __init__(self, missing: int) -> None:
        self.missing = missing
        self.done = asyncio.Event()

    def add(self, count: int) -> None:
        """So many more were received."""
        self.missing -= count
        if self.missing <= 0:
            self.done.set()


class Writer(asyncio.Protocol):
    """One kept connection for requests, one after the other."""

    def __init__(self) -> None:
        self.raw = b""
        self.answer: asyncio.Future[tuple[bytes, float]]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's does not say that it is one

    def data_received(self, data: bytes) -> None:
        """The answer is there when its last byte is."""
        at = time.perf_counter()
        self.raw += data
        head, end, body = self.raw.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if end and len(body) >= (int(length[1]) if length else 0):
            self.raw = b""
            self.answer.set_result((head + end + body, at))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        with contextlib.suppress(AttributeError, asyncio.InvalidStateError):
            self.answer.set_exception(exc or BrokenError("the server hung up on a request"))

    async def post(self, path: str, body: Any) -> tuple[Any, float, float]:
        """One request: the answer's body, when it was sent, and when the last byte of the answer was there."""
        self.answer = asyncio.get_running_loop().create_future()
        sent = time.perf_counter()
        self.transport.write(message("POST", path, json.dumps(body).encode()))
        raw, at = await self.answer
        head, _, content = raw.partition(b"\r\n\r\n")
        if head.split()[1][:1] != b"2":
            raise BrokenError(f"POST {path}: {raw[:500]!r}")
        return json.loads(content or b"null"), sent, at


def message(method: str, path: str, body: bytes = b"", last: str = "") -> bytes:
    """A request of Ada's. ``last``: the event after which a stream goes on."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKEN}"]
    lines += [f"Last-Event-ID: {last}"] if last else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if method == "POST" else []
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    is_twin: bool

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def memory(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def worked(self) -> float:
        """Seconds that it had the processor until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(*, is_twin: bool) -> Iterator[Server]:
    """The twin of PostHog as it is started by default, or the bare application; stopped in the end."""
    twin = ["-m", "tasktwin", "serve", "posthog", "--port", "0", "-q"]
    bare = [str(Path(__file__).with_name("bare_streams.py"))]
    with subprocess.Popen([sys.executable, *(twin if is_twin else bare)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise BrokenError("a server does not start")
            yield Server(url, process, is_twin)
        finally:
            process.terminate()
            process.wait(timeout=10)


async def open_readers(server: Server, paths: Sequence[str], told: Told, last: str = "") -> list[Reader]:
    """A reader of each path, when all of them have their first bytes."""
    loop, readers = asyncio.get_running_loop(), []
    for path in paths:
        request = message("GET", f"{path}stream/", last=last)
        _, reader = await loop.create_connection(partial(Reader, request, told), *server.place)
        readers.append(reader)
    await asyncio.wait_for(asyncio.gather(*(reader.opened for reader in readers)), PATIENCE)
    if refused := [reader for reader in readers if not reader.chunks[0][1].startswith(b"HTTP/1.1 200 ")]:
        raise BrokenError(f"{len(refused)} streams were refused, such as with {refused[0].chunks[0][1][:500]!r}")
    return readers


async def topics(server: Server, writer: Writer, count: int) -> list[str]:
    """The paths of so many runs: the seeded one, or new ones, in a world that begins again."""
    if not server.is_twin:
        return [f"{RUN}{number}/" for number in range(count)]
    await writer.post("/_tasktwin/reset", {})
    if count == 1:
        return [RUN]
    paths = []
    for _ in range(count):
        task = (await writer.post(TASKS, {}))[0]["id"]
        run = (await writer.post(f"{TASKS}{task}/run/", {}))[0]["latest_run"]["id"]
        paths.append(f"{TASKS}{task}/runs/{run}/")
    return paths


def entry(number: int) -> Any:
    """A line of the log that can be found again."""
    told = {"jsonrpc": "2.0", "method": "_posthog/console", "params": {"mark": f"@{number}@"}}
    return {"entries": [{"type": "notification", "timestamp": "2026-05-12T09:31:04Z", "notification": told}]}


async def drive(server: Server, case: Case, events: int, measured: Measured) -> None:
    """One round: open all streams, cause the events, wait until everybody has them, hang up."""
    told = Told(events * case.readers)
    _, writer = await asyncio.get_running_loop().create_connection(Writer, *server.place)
    paths = await topics(server, writer, case.topics)
    before = server.memory()
    readers = await open_readers(server, [path for path in paths for _ in range(case.readers)], told)
    await asyncio.sleep(0.2)
    opened, worked = server.memory(), server.worked()
    sent, answered = await cause(writer, paths, events, case.pace)
    with contextlib.suppress(TimeoutError):  # what is missing is told below
        await asyncio.wait_for(told.done.wait(), PATIENCE)
    measured.work.append((server.worked() - worked) * 1e6 / (events * case.readers))
    if not measured.p50:
        measured.memory = before, opened, server.memory()
    for reader in readers:
        reader.transport.abort()
    writer.transport.close()
    note(measured, check(readers, case, events), sent, answered)
    await asyncio.sleep(0.3)


async def cause(writer: Writer, paths: Sequence[str], events: int, pace: float) -> tuple[list[float], list[float]]:
    """Append to the logs in turn: when each request was sent, and when it was answered."""
    sent, answered = [], []
    for number in range(events):
        due = time.perf_counter() + pace
        _, begun, done = await writer.post(f"{paths[number % len(paths)]}append_log/", entry(number))
        sent.append(begun)
        answered.append(done)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return sent, answered


def check(readers: Sequence[Reader], case: Case, events: int) -> list[tuple[int, float]]:
    """All arrivals. Raises ``BrokenError`` unless every reader got all events of its topic once, in order."""
    found = []
    for position, reader in enumerate(readers):
        arrivals = reader.arrivals()
        wanted = list(range(position // case.readers, events, case.topics))
        if (got := [number for number, _ in arrivals]) != wanted:
            raise BrokenError(
                f"{case.name}: reader {position} got {len(got)} of {len(wanted)} events: {got[:20]}, not {wanted[:20]}"
            )
        found += arrivals
    return found


def note(
    measured: Measured, arrivals: Sequence[tuple[int, float]], sent: Sequence[float], answered: Sequence[float]
) -> None:
    """What one round was like, in milliseconds."""
    late = sorted((at - answered[number]) * 1000 for number, at in arrivals)
    measured.delivered += len(late)
    measured.p50.append(late[len(late) // 2])
    measured.p99.append(late[len(late) * 99 // 100])
    measured.most.append(late[-1])
    measured.request.append(median((done - begun) * 1000 for begun, done in zip(sent, answered, strict=True)))


@dataclass
class Row:
    """One case on both servers."""

    case: str
    readers: int
    twin: Measured = field(default_factory=Measured)
    bare: Measured = field(default_factory=Measured)

    @property
    def ratios(self) -> list[float]:
        """The bare application's p99 by the twin's, in each round."""
        return [bare / twin for twin, bare in zip(self.twin.p99, self.bare.p99, strict=True)]


def measure(case: Case, events: int, rounds: int) -> Row:
    """Drive both servers in turn, each a new process."""
    row = Row(case.name, case.topics * case.readers)
    events = max(events, case.topics)
    with ExitStack() as stack:
        twin, bare = (stack.enter_context(running(is_twin=each)) for each in (True, False))
        for server in (twin, bare):
            play(drive(server, Case(1, 1), 3, Measured()))
        for _ in range(rounds):
            for server, measured in ((twin, row.twin), (bare, row.bare)):
                play(drive(server, case, events, measured))
                gc.collect()
    return row


def play(round_: Coroutine[Any, Any, None]) -> None:
    """Run it to its end in an event loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(round_)


def spread(values: Sequence[float]) -> str:
    """``median (least - greatest)``."""
    return f"{median(values):.1f} ({min(values):.1f} - {max(values):.1f})"


def table(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, aligned."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def each_costs(row: Row, measured: Measured) -> float:
    """KiB of the server's memory that one open stream takes."""
    before, opened, _ = measured.memory
    return (opened - before) * 1024 / row.readers


def as_text(rows: Sequence[Row]) -> str:
    """Two tables, times and memory, and what of it was wanted."""
    times = [
        ["case", "server", "delivered", "p50 ms", "p99 ms", "most ms", "bare p99 by twin's", "request ms", "work us"]
    ]
    memory = [["case", "server", "MiB before", "with readers", "after events", "KiB per reader"]]
    for row in rows:
        for name, each in (("twin", row.twin), ("bare", row.bare)):
            ratio = f"{median(row.ratios):.2f}" if each is row.twin else ""
            late = [spread(each.p50), spread(each.p99), spread(each.most)]
            times.append(
                [row.case, name, f"{each.delivered:,}, in order", *late, ratio, spread(each.request), spread(each.work)]
            )
            cells = [f"{value:.1f}" for value in (*each.memory, each_costs(row, each))]
            memory.append([row.case, name, *cells])
    return "\n\n".join([table(times), table(memory), *growth(rows), aim(rows)])


def growth(rows: Sequence[Row]) -> list[str]:
    """From the fewest to the most readers of one topic."""
    single = [row for row in rows if "topics" not in row.case]
    if len(single) < 2:
        return []
    least, most = single[0], single[-1]
    told = []
    for name, few, many in (("twin", least.twin, most.twin), ("bare", least.bare, most.bare)):
        more = many.memory[1] - few.memory[1]
        each = more * 1024 / (most.readers - least.readers)
        told.append(
            f"{name}, from {least.readers:,} to {most.readers:,} readers: {more:+.1f} MiB ({each:.1f} KiB each), "
            f"p99 {median(few.p99):.1f} -> {median(many.p99):.1f} ms, request {median(few.request):.1f} -> {median(many.request):.1f} ms"
        )
    return ["\n".join(told)]


def aim(rows: Sequence[Row]) -> str:
    """What we want, what we have, and whether it holds."""
    row = max((row for row in rows if "topics" not in row.case), key=lambda row: row.readers, default=rows[0])
    p99 = median(row.twin.p99)
    return f"aim: p99 under {P99:.0f} ms with {row.case}: {p99:.1f} ms, {'holds' if p99 < P99 else 'does not hold'}"


def allow_files(count: int) -> None:
    """Let this process, and the servers it starts, open so many files. Raises ``BrokenError`` when it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise BrokenError(f"{count} open files are needed, the hard limit is {hard}: ulimit -Hn")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=40, help="events in one round")
    parser.add_argument("--readers", type=int, nargs="+", default=[10, 100, 1000], help="of one topic")
    parser.add_argument("--no-topics", action="store_true", help="without the case of many topics")
    parser.add_argument("--json", action="store_true", help="print JSON, with the numbers of every round")
    return parser.parse_args()


def main() -> int:
    """Measure and print. 1 when something is broken."""
    given = arguments()
    cases = [Case(1, readers) for readers in sorted(given.readers)]
    cases += [] if given.no_topics else [Case(TOPICS, READERS_OF_EACH)]
    try:
        allow_files(max(case.topics * case.readers for case in cases) + 200)
        rows = [measure(case, given.events, given.rounds) for case in cases]
    except (BrokenError, TimeoutError) as error:
        sys.stderr.write(f"{str(error) or 'a server does not answer'}\n")
        return 1
    if given.json:
        sys.stdout.write(json.dumps([{**asdict(row), "ratios": row.ratios} for row in rows], indent=2) + "\n")
    else:
        sys.stdout.write(as_text(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
