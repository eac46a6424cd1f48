"""Many readers at once, and readers that do not read: nobody misses anything, nobody holds up others, nothing is left."""

import asyncio
import contextlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from tests.benchmarks import streams
from tests.benchmarks.streams import Case, Reader, Server, Told, Writer
from tests.server import front

from tasktwin.wire import Json

IMPATIENT = """
import socket
import sys
from tasktwin.behaviour.worlds import Plan
from tasktwin.server import create_app
from tasktwin.server.run import Place, bind, run
listener, url = bind(Place(port=0))
if sys.argv[2] != "0":
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, int(sys.argv[2]))
print(url, flush=True)
run(create_app("posthog", plan=Plan(mode="frozen"), patience=float(sys.argv[1])), listener, None)
"""
LARGE, MANY = 100_000, 60
"""Characters of a large event, and how many of them are more than any socket holds."""
MEBIBYTES = 100
"""So much the server's memory may grow by 50 readers that do not read and by the log; what they do not read is 300 MiB."""

END = b"\r\n0\r\n\r\n"
"""How a chunked body ends."""


@pytest.fixture
def server() -> Iterator[Server]:
    """One worker that serves PostHog, and nobody else asks."""
    streams.allow_files(1500)
    with streams.running(is_twin=True) as server:
        yield server


@contextmanager
def patient(seconds: float, room: int = 0) -> Iterator[Server]:
    """The same with other patience for readers who do not read, and on a frozen clock: no heartbeat comes to find them.

    ``room``: bytes that the machine holds for each client; 0 leaves it to the machine.
    """
    command = [sys.executable, "-c", IMPATIENT, str(seconds), str(room)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(process.stdout.readline().strip(), process, is_twin=True)
        finally:
            process.kill()


async def write(server: Server) -> Writer:
    """A connection for requests."""
    _, writer = await asyncio.get_running_loop().create_connection(Writer, *server.place)
    return writer


async def hang_up(*parts: Reader | Writer) -> None:
    """Nobody is there any more."""
    for part in parts:
        part.transport.abort()
    await asyncio.sleep(0.05)


def marks(readers: Sequence[Reader]) -> set[tuple[int, ...]]:
    """What the readers received: the marks of the events, each different sequence once."""
    return {tuple(number for number, _ in reader.arrivals()) for reader in readers}


# ── many ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("case", "events"), [(Case(1, 1000), 10), (Case(200, 5), 600)], ids=["1000 of one topic", "5 of each of 200 topics"]
)
def test_all_readers_are_told_everything_in_order(case: Case, events: int, server: Server) -> None:
    async def play() -> None:
        writer, told = await write(server), Told(events * case.readers)
        paths = await streams.topics(server, writer, case.topics)
        readers = await streams.open_readers(server, [path for path in paths for _ in range(case.readers)], told)
        await streams.cause(writer, paths, events, 0.0)
        await asyncio.wait_for(told.done.wait(), 60)
        streams.check(readers, case, events)
        await hang_up(writer, *readers)

    streams.play(play())


def test_all_who_come_back_at_once_go_on_where_they_were(server: Server) -> None:
    async def play() -> None:
        writer, told = await write(server), Told(20)
        (first,) = await streams.open_readers(server, [streams.RUN], told)
        await streams.cause(writer, [streams.RUN], 20, 0.0)
        await asyncio.wait_for(told.done.wait(), 20)
        last = ids(first)[9]
        told = Told(1000 * 15)
        readers = await streams.open_readers(server, [streams.RUN] * 1000, told, last)
        for number in range(20, 25):
            await writer.post(f"{streams.RUN}append_log/", streams.entry(number))
        await asyncio.wait_for(told.done.wait(), 60)
        assert marks(readers) == {tuple(range(10, 25))}
        assert {tuple(ids(reader)[:10]) for reader in readers} == {tuple(ids(first)[10:20])}
        await hang_up(writer, first, *readers)

    streams.play(play())


def ids(reader: Reader) -> list[str]:
    """The ids that it was told."""
    return re.findall(r"^id: (.*)$", b"".join(data for _, data in reader.chunks).decode(), re.MULTILINE)


# ── those who do not read ────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def staring(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """So many clients that ask for the stream and then read nothing."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(socket.socket()) for _ in range(count)]
        for wire in wires:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.settimeout(10)
            wire.connect(server.place)
            wire.sendall(streams.message("GET", f"{streams.RUN}stream/"))
        yield wires


def append(server: Server, count: int, size: int = LARGE, at_once: int = 1) -> None:
    """So many large events, which can be found again: some of them by each request."""
    with httpx2.Client(base_url=server.url, verify=False) as client:
        for number in range(0, count, at_once):
            entry: Json = {"entries": []}
            for each in range(number, number + at_once):
                entry["entries"].append({"filling": "x" * size, **streams.entry(each)["entries"][0]})
            answer = client.post(
                f"{streams.RUN}append_log/", json=entry, headers={"Authorization": f"Bearer {streams.TOKEN}"}
            )
            assert answer.is_success, answer.text


def reasons(server: Server) -> list[str]:
    """Why streams were closed."""
    entries: list[Json] = httpx2.get(f"{server.url}/_tasktwin/journal?limit=1000", verify=False).json()["entries"]
    return [each["reason"] for each in entries if each["reason"].startswith("stream ")]


def files(server: Server) -> int:
    """How many files and sockets the server has open."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def at_rest(server: Server) -> int:
    """How many, once the connections of what was asked before are closed."""
    time.sleep(0.2)
    return files(server)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, 10 seconds at most."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("late", [False, True], ids=["from the beginning", "coming late"])
def test_who_does_not_read_costs_little_and_holds_up_nobody(*, late: bool) -> None:
    async def read() -> None:
        told = Told(5 * MANY)
        readers = await streams.open_readers(twin, [streams.RUN] * 5, told)
        await asyncio.wait_for(told.done.wait(), 30)
        await asyncio.sleep(0.2)  # for what stands behind the last mark
        assert marks(readers) == {tuple(range(MANY))}
        await hang_up(*readers)

    with patient(3600) as twin:
        if late:
            append(twin, MANY)
        before = twin.memory()
        with staring(twin, 50):
            if not late:
                append(twin, MANY)
            streams.play(read())
            assert twin.memory() - before < MEBIBYTES
            until(lambda: len(reasons(twin)) == 5)
            assert {each.partition(",")[0] for each in reasons(twin)} == {"stream closed: the client left"}


def test_who_does_not_read_for_too_long_is_dropped_and_told_of() -> None:
    with patient(0.3) as twin:
        append(twin, MANY)
        before = at_rest(twin)
        with staring(twin, 3) as wires:
            until(lambda: len(reasons(twin)) == 3)
            assert {each.partition(",")[0] for each in reasons(twin)} == {"stream closed: dropped: it did not read"}
            until(lambda: files(twin) == before)
            assert not any(front.read_all(wire).endswith(END) for wire in wires)


def test_who_does_not_read_a_long_past_costs_little() -> None:
    with patient(3600) as twin:
        append(twin, 240, 200_000, at_once=4)
        before = twin.memory()
        with staring(twin, 20) as wires:
            assert all(wire.recv(12) == b"HTTP/1.1 200" for wire in wires)
            time.sleep(1)
            assert twin.memory() - before < MEBIBYTES
        until(lambda: len(reasons(twin)) == 20)
        assert twin.memory() - before < MEBIBYTES


def test_a_request_is_answered_while_others_read_a_long_past() -> None:
    async def read() -> None:
        writer, told = await write(twin), Told(20_000 * 10)
        readers = await streams.open_readers(twin, [streams.RUN] * 10, told)
        for _ in range(3):
            await asyncio.wait_for(writer.post("/_tasktwin/clock", {"advance": 1}), 30)
        assert told.missing > 0, "the readers were served first"
        await asyncio.wait_for(told.done.wait(), 60)
        assert marks(readers) == {tuple(range(20_000))}
        await hang_up(writer, *readers)

    with patient(3600) as twin:
        append(twin, 20_000, 10, at_once=250)
        streams.play(read())


def test_a_cut_that_the_client_does_not_take_in_leaves_no_connection() -> None:
    with patient(0.3, 4096) as twin:
        append(twin, 1)
        order = [{"do": {"stream": "cut", "event": 1, "byte": 60_000}}]  # held back for whoever reads on
        assert httpx2.put(f"{twin.url}/_tasktwin/faults", json=order, verify=False).is_success
        before = at_rest(twin)
        with staring(twin, 10) as wires:
            until(lambda: len(reasons(twin)) == 10)
            assert {each.partition(",")[0] for each in reasons(twin)} == {"stream closed: cut by a fault"}
            until(lambda: files(twin) == before)
            assert not any(front.read_all(wire).endswith(END) for wire in wires)


def test_a_cut_is_read_up_to_its_last_byte_by_who_reads_slowly() -> None:
    with patient(2, 4096) as twin:
        append(twin, 1)
        order = [{"do": {"stream": "cut", "event": 1, "byte": 60_000}}]
        assert httpx2.put(f"{twin.url}/_tasktwin/faults", json=order, verify=False).is_success
        with staring(twin, 1) as (wire,):
            time.sleep(0.5)
            assert front.read_all(wire).count(b"x") > 59_000


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_told_to_stop_the_twin_ends_all_streams_and_is_gone(server: Server) -> None:
    with staring(server, 100) as wires:
        assert all(wire.recv(12) == b"HTTP/1.1 200" for wire in wires)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=10) in (0, -signal.SIGTERM)
        assert time.monotonic() - began < 2
        assert all(front.read_all(wire).endswith(END) for wire in wires)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_the_twin_does_not_wait_for_who_does_not_read(number: signal.Signals, tmp_path: Path) -> None:
    told = tmp_path / "errors"
    with told.open("w") as errors, front.serving("posthog", "--quiet", errors=errors) as (url, process):
        server = Server(url, process, is_twin=True)
        append(server, MANY)
        with staring(server, 10) as wires:
            assert all(wire.recv(12) == b"HTTP/1.1 200" for wire in wires)
            time.sleep(0.5)
            began = time.monotonic()
            process.send_signal(number)
            process.wait(timeout=10)
            assert time.monotonic() - began < 2
    assert told.read_text() == ""


@pytest.mark.memory
def test_nothing_is_left_of_clients_that_are_gone(server: Server) -> None:
    assert reasons(server) == []
    before = at_rest(server)
    with staring(server, 100) as wires:
        until(lambda: files(server) == before + 100)
        for wire in wires[::2]:  # half of them without a word, by a reset
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: files(server) == before)
    assert [each.partition(",")[0] for each in reasons(server)] == ["stream closed: the client left"] * 100
