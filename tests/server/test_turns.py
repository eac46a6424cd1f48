"""Twins upon one Redis are asked much at once: they ask Redis together, and everybody is answered as if alone.

A process that is stopped finds all at once what was sent to it meanwhile.
"""

import asyncio
import contextlib
import re
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Thread
from typing import Any

import httpx2
import pytest
import redis
from tests.server.front import ADA, ALICE, ALICES_TASK, BOB, TASK, TASKS, serving
from tests.server.several import address
from tests.server.stopped import Asked, Twin
from tests.state import redis_server

from tasktwin.server.application import create_app
from tasktwin.state.redis_link import RedisLink

SKILL = "20000000-0000-4000-8000-000000000002"
"""Bob's."""

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def twins() -> Iterator[list[Twin]]:
    options = ("--store", address(), "--quiet", "--limits", "off")
    with contextlib.ExitStack() as stack:
        served = [stack.enter_context(serving("uumit", *options, errors=sys.stderr)) for _ in range(2)]
        yield [Twin(url, process) for url, process in served]


@pytest.fixture
def names() -> list[str]:
    number = next(_NUMBERS)
    return [f"turn-{number}-{each}" for each in range(8)]


def rows(twin: Twin, world: str) -> dict[str, Any]:
    """The tasks of a world by identifier."""
    found = httpx2.get(f"{twin.url}/_tasktwin/worlds/{world}/control/state/task?limit=1000").json()
    return {row["id"]: row for row in found["items"]}


def entries(twin: Twin, world: str) -> list[Any]:
    """The journal of a world."""
    found: list[Any] = httpx2.get(f"{twin.url}/_tasktwin/worlds/{world}/control/journal").json()["entries"]
    return found


def post(title: str = "", who: dict[str, str] = ALICE) -> Asked:
    """A request that makes a task."""
    return "POST", TASKS, {**TASK, "bounty_amount": "0.01", "title": title or TASK["title"]}, who


def look(task: str = ALICES_TASK) -> Asked:
    """A request that reads one."""
    return "GET", TASKS + task, None, ALICE


def test_what_comes_together_is_answered_in_order_each_in_its_world(twins: list[Twin], names: list[str]) -> None:
    twin = twins[0]
    twin.stop()
    for world in names * 3:
        twin.send(world, post(world), look(), post(), ("GET", "/api/v1/none", None, ALICE), look())
    twin.go_on()
    heard = twin.heard()
    assert [[each.status for each in answers] for answers in heard] == [[200, 200, 200, 404, 200]] * 24
    for place, world in enumerate(names):
        own = [answers for number, answers in enumerate(heard) if number % len(names) == place]
        made = {each.json()["data"]["id"]: each.json()["data"]["title"] for answers in own for each in answers[0:3:2]}
        assert len(made) == 6
        held = rows(twins[1], world)
        assert {name: held[name]["title"] for name in made} == made
        assert [each["number"] for each in entries(twins[1], world)] == list(range(1, 16))


def test_a_read_sees_what_was_answered_before_it_was_sent(twins: list[Twin], names: list[str]) -> None:
    one, other = twins
    for _ in range(5):
        other.stop()
        made = []
        for world in names:
            other.send(world, look())
            head = {**ALICE, "Tasktwin-World": world}
            made.append(httpx2.post(one.url + TASKS, json=post()[2], headers=head).json()["data"]["id"])
            other.send(world, look(made[-1]))
        other.go_on()
        assert [[each.status for each in answers] for answers in other.heard()] == [[200]] * 16


def test_of_accepts_that_race_through_both_exactly_one_wins_in_each_world(twins: list[Twin], names: list[str]) -> None:
    bids = {}
    for world in names:
        with httpx2.Client(base_url=twins[0].url, headers={"Tasktwin-World": world}) as client:
            task = client.post(TASKS, json=post()[2], headers=ALICE).json()["data"]["id"]
            own = f"{TASKS}{task}/applications"
            bids[world] = f"{own}/{client.post(own, json={'skill_id': SKILL}, headers=BOB).json()['data']['id']}/accept"
    for twin in twins:
        twin.stop()
        for world in names * 2:
            twin.send(world, ("POST", bids[world], None, ALICE))
    for twin in twins:
        twin.go_on()
    heard = [answers[0].status for twin in twins for answers in twin.heard()]
    for place in range(len(names)):
        assert Counter(heard[place :: len(names)]) == {200: 1, 409: 3}


def test_of_those_that_make_or_delete_a_world_at_once_one_does_it(twins: list[Twin], names: list[str]) -> None:
    for method, expected in (("POST", {201: 1, 409: 3}), ("DELETE", {204: 1, 404: 3})):
        for twin in twins:
            twin.stop()
            for world in names * 2:
                target = "/_tasktwin/worlds" if method == "POST" else f"/_tasktwin/worlds/{world}"
                twin.send(world, (method, target, {"name": world} if method == "POST" else None, {}))
        for twin in twins:
            twin.go_on()
        heard = [answers[0].status for twin in twins for answers in twin.heard()]
        for place in range(len(names)):
            assert Counter(heard[place :: len(names)]) == expected


def test_of_writes_that_were_undone_and_done_again_nothing_is_left(twins: list[Twin], names: list[str]) -> None:
    for twin in twins:
        twin.stop()
        for world in names * 4:
            twin.send(world, post(who=ADA))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Twin.go_on, twins))
    heard = [answers[0] for twin in twins for answers in twin.heard()]
    assert {each.status for each in heard} == {200}
    for place, world in enumerate(names):
        made = {each.json()["data"]["id"] for each in heard[place :: len(names)]}
        assert len(made) == 8
        first, second = (rows(twin, world) for twin in twins)
        assert first == second
        assert len(made & set(first)) == 8
        assert [each["number"] for each in entries(twins[0], world)] == list(range(1, 9))
        told = httpx2.get(f"{twins[1].url}/_tasktwin/worlds/{world}/control/coverage").json()
        assert told["operations"]["createTask"] == {"200": 8}


@pytest.mark.parametrize(
    "ops", [b"\x91\x91\xa7unknown", b"\x91\x92\xa3put\x01", b"\xc1"], ids=["unknown", "other", "none"]
)
def test_a_world_that_cannot_be_read_is_in_nobody_elses_way(twins: list[Twin], names: list[str], ops: bytes) -> None:
    twin, (bad, *good) = twins[0], names[:4]
    for world in names[:4]:
        httpx2.get(twin.url + TASKS, headers={**ALICE, "Tasktwin-World": world})
    with redis.Redis.from_url(redis_server.url()) as store:
        (log,) = store.keys(f"tasktwin:*:{bad}:log")
        store.xadd(log, {"c": ops, "t": "later"}, id="0-*")
    twin.stop()
    for world in (*good, bad, *good):
        twin.send(world, look())
    twin.go_on()
    assert [answers[0].status for answers in twin.heard()] == [200, 200, 200, 500, 200, 200, 200]
    alone = httpx2.get(twin.url + TASKS, headers={**ALICE, "Tasktwin-World": bad}, timeout=5)
    assert alone.status_code == 500


class Gate:
    """Stands between a twin and Redis; ``word`` is one that it lets nobody say, and then nobody pass, until it is none.

    Or it may be said ``once``: then whoever said it does not hear what Redis answers, and may come again.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.word = b""
        self.once = False
        self.is_shut = False
        Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Nobody passes any more."""
        self.is_shut = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def open(self) -> None:
        """Let all pass again."""
        self.word, self.is_shut = b"", False

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                Thread(target=self._pass, args=(wire,), daemon=True).start()

    def _pass(self, wire: socket.socket) -> None:
        """Let one connection pass, until the word is said."""
        with wire, socket.create_connection(("127.0.0.1", self._port)) as far, contextlib.suppress(OSError):
            while not self.is_shut:
                for source in select.select([wire, far], [], [], 0.1)[0]:
                    said = source.recv(1 << 20)
                    if self.once and self.word in said:
                        self.word, self.once = b"", False
                        far.sendall(said)
                        far.recv(1 << 20)
                        return
                    self.is_shut = self.is_shut or bool(self.word and self.word in said)
                    if self.is_shut or not said:
                        return
                    (far if source is wire else wire).sendall(said)


@pytest.mark.parametrize("together", [1, 6], ids=["alone", "with others"])
def test_a_commit_that_redis_never_saw_is_refused_and_leaves_nothing(together: int) -> None:
    gate = Gate(int(redis_server.url().rpartition(":")[2]))
    options = ("--store", address(gate.port), "--quiet")
    with contextlib.closing(gate), serving("uumit", *options, errors=sys.stderr) as (url, process):
        twin, worlds = Twin(url, process), [f"w{number}" for number in range(together)]
        key = {**ADA, "Idempotency-Key": "k"}
        assert {
            httpx2.get(f"{url}{TASKS}", headers={**ADA, "Tasktwin-World": each}).status_code for each in worlds
        } == {200}
        before = [rows(twin, world) for world in worlds]
        gate.word = b"never seen"
        twin.stop()
        for world in worlds:
            twin.send(world, post("never seen", key))
        twin.go_on()
        for (answer,) in twin.heard():
            assert (answer.status, answer.headers["tasktwin-reason"]) == (503, "refused: unavailable")
            assert set(answer.headers) <= {
                "tasktwin-reason",
                "tasktwin-world",
                "content-type",
                "content-length",
                "connection",
                "date",
            }
        gate.open()
        assert [rows(twin, world) for world in worlds] == before
        twin.stop()
        for world in worlds:
            twin.send(world, post("seen", key))
        twin.go_on()
        assert [answer.headers["tasktwin-reason"] for (answer,) in twin.heard()] == ["state"] * together


def test_all_go_on_though_it_cannot_be_heard_what_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (app,) = create_app("uumit", store=address()).apps
    turns, done, told = app.turns, [], []
    assert turns

    async def request() -> None:
        await turns.begin(app.worlds.get())
        await turns.committed()
        await turns.over()
        done.append("answered")

    def go_on(answering: Coroutine[Any, Any, None]) -> None:
        with contextlib.suppress(StopIteration):
            answering.send(None).hold(partial(go_on, answering))

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        monkeypatch.setattr(RedisLink, "hear", lambda _link: 1 / 0)
        for _ in range(2):
            loop.call_soon(go_on, request())
        await asyncio.sleep(0.05)

    asyncio.run(run())
    assert done == ["answered"] * 2
    assert [type(each) for each in told] == [ZeroDivisionError]


def test_whoever_wished_to_wait_is_answered_though_others_were_first(twins: list[Twin], names: list[str]) -> None:
    wish = {**ADA, "Prefer": "wait=0.5"}
    for twin in twins:
        for _ in range(40):
            twin.send(names[0], post(who=wish))
    time.sleep(0.3)
    for twin in twins:
        twin.stop()
    time.sleep(0.5)
    for twin in twins:
        twin.go_on()
    heard = [answers[0] for twin in twins for answers in twin.heard()]
    assert {each.status for each in heard} == {200}
    assert len({each.json()["data"]["id"] for each in heard}) == 80


def test_a_commit_that_redis_made_and_did_not_say_is_not_made_again() -> None:
    gate = Gate(int(redis_server.url().rpartition(":")[2]))
    options = ("--store", address(gate.port), "--quiet")
    with contextlib.closing(gate), serving("uumit", *options, errors=sys.stderr) as (url, process):
        twin = Twin(url, process)
        assert httpx2.get(f"{url}{TASKS}", headers={**ADA, "Tasktwin-World": "w"}).status_code == 200
        twin.stop()
        for number in range(3):
            twin.send("w", post(f"made once {number}", ADA))
        gate.word, gate.once = b"made once", True
        twin.go_on()
        assert Counter(answer.status for (answer,) in twin.heard()) == {200: 2, 503: 1}
        titles = [each["title"] for each in rows(twin, "w").values()]
        assert sorted(each for each in titles if "made once" in each) == [f"made once {number}" for number in range(3)]


def test_who_held_a_world_that_was_deleted_holds_the_next_of_its_name(twins: list[Twin], names: list[str]) -> None:
    one, other = (httpx2.Client(base_url=twin.url, headers={**ALICE, "Tasktwin-World": names[0]}) for twin in twins)
    with one, other:
        old = [one.post(TASKS, json=post()[2]).json()["data"]["id"] for _ in range(3)]
        assert other.get(TASKS + old[-1]).status_code == 200
        one.delete(f"/_tasktwin/worlds/{names[0]}")
        one.post("/_tasktwin/worlds", json={"name": names[0], "seed": 7})
        made = [one.post(TASKS, json=post()[2]).json()["data"]["id"] for _ in range(12)]
        assert [other.get(TASKS + each).status_code for each in (*old, *made)] == [404] * 3 + [200] * 12


def test_a_redis_that_is_too_old_is_told_at_the_start() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    told = b"redis_version:6.2.14\r\n"

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = listener.accept()
                with wire:
                    while said := wire.recv(65_536):
                        for asked in re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)", said):
                            is_info = asked == b"INFO"
                            wire.sendall(b"$%d\r\n%b\r\n" % (len(told), told) if is_info else b"-ERR unknown\r\n")

    Thread(target=serve, daemon=True).start()
    command = [sys.executable, "-m", "tasktwin", "serve", "uumit", "--port", "0"]
    command += ["--store", f"redis://127.0.0.1:{listener.getsockname()[1]}?protocol=2"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    assert ended.returncode == 2
    assert "is 6.2.14, which is too old: run 7.0 or later" in ended.stderr
