"""Several workers behind one port, as ``tasktwin serve --workers`` starts them: they race, and they die."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from uuid import uuid4

import httpx2
import pytest
import redis
from tests.server.front import ALICE, BOB, TASK, TASKS, connect, message, read_all, replies, serving
from tests.server.several import address
from tests.state import redis_server

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
RACES = 1_000
RUNNERS = 4
SKILL = "20000000-0000-4000-8000-000000000002"
"""Bob's."""


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The process ids of the workers."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def until_all_answer(url: str, process: "subprocess.Popen[str]", count: int = 2) -> list[int]:
    """Wait until there are so many workers, and one answers; who they are."""
    late = time.monotonic() + 60
    while time.monotonic() < late:
        with contextlib.suppress(httpx2.TransportError):
            if len(workers_of(process)) == count and httpx2.get(f"{url}/_tasktwin/health").status_code == 200:
                return workers_of(process)
        time.sleep(0.05)
    raise AssertionError("the workers do not come up")


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    options = ("--workers", "2", "--store", address(), "--quiet", "--limits", "off")
    with serving("uumit", *options) as (url, process):
        until_all_answer(url, process)
        yield url


def test_of_those_who_race_to_accept_exactly_one_wins_each_time(served: str) -> None:
    """Bob applied to each of a thousand tasks; each time four clients accept him at once, through connections to both workers."""

    def race(_number: int) -> tuple[Counter[int], list[str]]:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(httpx2.Client(base_url=served, timeout=60)) for _ in range(RUNNERS)]
            return run_races(clients, RACES // 4)

    def run_races(clients: list[httpx2.Client], races: int) -> tuple[Counter[int], list[str]]:
        seen: Counter[int] = Counter()
        wrong: list[str] = []
        with ThreadPoolExecutor(len(clients)) as pool:
            for _ in range(races):
                task = (
                    clients[0].post(TASKS, json={**TASK, "bounty_amount": "0.01"}, headers=ALICE).json()["data"]["id"]
                )
                own = f"{TASKS}{task}/applications"
                bid = clients[1].post(own, json={"skill_id": SKILL}, headers=BOB).json()["data"]["id"]
                ways = [(client, f"{own}/{bid}/accept") for client in clients]
                answers = list(pool.map(lambda way: way[0].post(way[1], headers=ALICE), ways))
                statuses = Counter(answer.status_code for answer in answers)
                seen += statuses
                rows = clients[2].get(own, headers=ALICE).json()["data"]["items"]
                states = sorted(row["status"] for row in rows)
                if statuses != {200: 1, 409: len(clients) - 1} or states != ["accepted"]:
                    wrong.append(f"{task}: {dict(statuses)} {states}")
        return seen, wrong

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(race, range(4)))
    assert [wrong for _, wrong in found] == [[]] * 4
    assert sum((seen for seen, _ in found), Counter()) == {200: RACES, 409: RACES * (RUNNERS - 1)}


@dataclass
class Load:
    """Clients that make tasks without pause; what they were told was made."""

    url: str
    stop: Event = field(default_factory=Event)
    made: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    cut: int = 0

    def run(self) -> None:
        """One client."""
        client = httpx2.Client(base_url=self.url, timeout=20)
        while not self.stop.is_set():
            try:
                answer = client.post(TASKS, json={**TASK, "bounty_amount": "0.01"}, headers=ALICE)
            except httpx2.TransportError:
                self.cut += 1
                continue
            self.statuses[answer.status_code] += 1
            if answer.status_code == 200:
                self.made.append(answer.json()["data"]["id"])
            else:
                time.sleep(0.02)
        client.close()

    @contextlib.contextmanager
    def running(self, clients: int = 4) -> Iterator[None]:
        """So many of them, until the end."""
        with ThreadPoolExecutor(clients) as pool:
            runs = [pool.submit(self.run) for _ in range(clients)]
            try:
                yield
            finally:
                self.stop.set()
                for each in runs:
                    each.result()

    def goes_on(self) -> None:
        """Wait until more was made."""
        before, late = len(self.made), time.monotonic() + 60
        while len(self.made) < before + 20:
            assert time.monotonic() < late, (before, len(self.made), self.statuses)
            time.sleep(0.02)


def test_nothing_that_was_answered_is_lost_when_a_worker_and_then_redis_are_killed() -> None:
    folder, port = tempfile.mkdtemp(), redis_server.free_port()
    store = redis_server.start(port, folder, *DURABLE)
    options = ("--workers", "2", "--store", address(port), "--quiet", "--limits", "off")
    with serving("uumit", *options) as (url, process):
        first = until_all_answer(url, process)
        load = Load(url)
        with load.running():
            load.goes_on()
            os.kill(first[0], signal.SIGKILL)
            load.goes_on()
            second = until_all_answer(url, process)
            assert first[0] not in second
            assert first[1] in second
            store.kill()
            store.wait()
            time.sleep(0.3)
            store = redis_server.start(port, folder, *DURABLE)
            load.goes_on()
        told = httpx2.get(f"{url}/_tasktwin/state/task?limit=10000")
        assert told.status_code == 200, told.text
        rows = {row["id"] for row in told.json()["items"]}
        assert set(load.made) <= rows
        assert len(set(load.made)) == len(load.made)
        assert set(load.statuses) <= {200, 503}, load.statuses
        assert load.statuses[503], "Redis was gone, so somebody was told so"
    store.kill()
    store.wait()
    shutil.rmtree(folder)


def test_workers_end_with_their_parent_however_it_ends() -> None:
    with serving("uumit", "--workers", "2", "--store", address(), "--quiet") as (url, process):
        workers = until_all_answer(url, process)
        process.kill()
        process.wait()
        late = time.monotonic() + 20
        while any(Path(f"/proc/{each}").exists() for each in workers):
            assert time.monotonic() < late
            time.sleep(0.05)
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{url}/_tasktwin/health")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_told_to_stop_all_stop(signum: signal.Signals) -> None:
    with serving("uumit", "--workers", "2", "--store", address(), "--quiet") as (url, process):
        workers = until_all_answer(url, process)
        process.send_signal(signum)
        assert process.wait(timeout=20) == (130 if signum is signal.SIGINT else 0)
        assert not [each for each in workers if Path(f"/proc/{each}").exists()]


@pytest.fixture
def frail() -> Iterator["tuple[int, subprocess.Popen[bytes]]"]:
    """The port and the process of a Redis that may be stopped."""
    folder, port = tempfile.mkdtemp(), redis_server.free_port()
    store = redis_server.start(port, folder)
    yield port, store
    store.kill()
    store.wait()
    shutil.rmtree(folder)


@pytest.mark.parametrize("whom", ["all", "a worker"])
def test_whoever_is_told_to_stop_while_redis_hangs_answers_first(
    frail: "tuple[int, subprocess.Popen[bytes]]", whom: str
) -> None:
    port, store = frail
    with serving("uumit", "--workers", "2", "--store", address(port), "--quiet") as (url, process):
        workers = until_all_answer(url, process)
        for _ in range(20):  # of so many each has some
            httpx2.get(f"{url}/_tasktwin/health")
        store.send_signal(signal.SIGSTOP)
        wires = [connect(url) for _ in range(20)]
        for wire in wires:
            wire.settimeout(20)
            wire.sendall(message("GET", TASKS, [*ALICE.items(), ("Connection", "close")]))
        time.sleep(0.3)
        if whom == "all":
            process.terminate()
            assert process.wait(timeout=8) == 0
        else:
            os.kill(workers[0], signal.SIGTERM)
        heard = [read_all(wire) for wire in wires]
        for wire in wires:
            wire.close()
        assert [[each.status for each in replies(raw)] for raw in heard] == [[503]] * 20
        store.send_signal(signal.SIGCONT)
        late = time.monotonic() + 20
        while whom == "a worker" and workers[0] in until_all_answer(url, process):
            assert time.monotonic() < late


def test_a_redis_that_hangs_loses_nothing_that_was_answered(frail: "tuple[int, subprocess.Popen[bytes]]") -> None:
    port, store = frail
    options = ("--workers", "2", "--store", address(port), "--quiet", "--limits", "off")
    with serving("uumit", *options) as (url, process):
        until_all_answer(url, process)
        load = Load(url)
        with load.running():
            for seconds in (0.5, 3):
                load.goes_on()
                store.send_signal(signal.SIGSTOP)
                time.sleep(seconds)
                store.send_signal(signal.SIGCONT)
            load.goes_on()
        rows = {row["id"] for row in httpx2.get(f"{url}/_tasktwin/state/task?limit=10000").json()["items"]}
        assert set(load.made) <= rows
        assert len(set(load.made)) == len(load.made)
        assert (set(load.statuses), load.cut) == ({200, 503}, 0)


def test_workers_whose_data_went_bad_are_not_started_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "uumit"
    shutil.copytree(Path(__file__).parents[2] / "fixtures" / "uumit", folder)
    command = [
        sys.executable,
        "-m",
        "tasktwin",
        "serve",
        str(folder),
        "--port",
        "0",
        "--quiet",
        "--workers",
        "2",
        "--store",
        address(),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        (folder / "provider.yaml").write_text("nonsense: true\n")
        for _ in range(3):
            for worker in workers_of(process):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            time.sleep(0.3)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "workers died within" in errors


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--workers", "2"), "--store redis://HOST:PORT"),
        (("--store", "http://x"), "no address of a Redis"),
        (("--store", "redis://127.0.0.1:1", "--reload"), "does not go with"),
        (("--workers", "0"), "1<=x<=64"),
        (("--workers", "-1"), "1<=x<=64"),
        (("--host", "nowhere.invalid"), "Choose an address of this machine with --host"),
        (("--host", "192.0.2.1"), "Choose an address of this machine with --host"),
    ],
    ids=["no store", "no address", "reload", "none", "less than none", "no host", "another's host"],
)
def test_what_does_not_go_together_is_told(options: tuple[str, ...], told: str) -> None:
    command = [sys.executable, "-m", "tasktwin", "serve", "uumit", "--port", "0", *options]
    environment = {name: value for name, value in os.environ.items() if name != "TASKTWIN_STORE"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert ended.returncode == 2
    assert told in ended.stderr


def test_a_redis_that_is_not_there_is_told_at_the_start() -> None:
    command = [sys.executable, "-m", "tasktwin", "serve", "uumit", "--port", "0", "--quiet"]
    command += ["--store", f"redis://127.0.0.1:{redis_server.free_port()}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://")
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert "warning: Redis does not answer" in errors
    assert "refused. Until that is mended, requests are answered with 503" in errors


RULES = {
    "INFO": "-info",
    "scripts": "-eval -evalsha -script",
    "keys": "resetkeys ~other:*",
    "channels": "resetchannels",
}


@pytest.mark.parametrize("denied", [*RULES, "password"])
def test_a_user_whom_redis_does_not_let_is_told_what_is_needed_unless_it_can_do_without(denied: str) -> None:
    user = uuid4().hex
    with redis.Redis.from_url(redis_server.url()) as store:
        store.execute_command(
            "ACL", "SETUSER", user, "on", ">right", "~*", "&*", "+@all", *RULES.get(denied, "").split()
        )
    password = "wrong" if denied == "password" else "right"
    shared = address().replace("//", f"//{user}:{password}@")
    command = [sys.executable, "-m", "tasktwin", "serve", "uumit", "--port", "0", "--quiet", "--store", shared]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        status = httpx2.post(url + TASKS, json=TASK, headers=ALICE).status_code if url else 0
        if url:
            process.terminate()
        _, errors = process.communicate(timeout=20)
    if denied == "INFO":
        assert (status, errors) == (200, "")
    else:
        assert (url, process.returncode) == ("", 2)
        assert "--store redis://USER:PASSWORD@HOST:PORT" in errors
        assert "right" not in errors


@pytest.mark.parametrize("host", ["::1", "::"])
def test_workers_share_an_address_of_ipv6_too(host: str) -> None:
    with serving("uumit", "--host", host, "--workers", "2", "--store", address(), "--quiet") as (url, process):
        assert url.startswith(f"http://[{host}]:")
        until_all_answer(url, process)
        seen = {httpx2.get(url + TASKS, headers=ALICE).status_code for _ in range(20)}
        assert seen == {200}
