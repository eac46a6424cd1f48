"""Sockets, signals and worlds: what is true of the server whichever API it serves."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.server.front import (
    ALICE,
    ALICES_TASK,
    TASK,
    TASKS,
    Reply,
    World,
    ask,
    assert_problem,
    connect,
    message,
    read_all,
    replies,
    serving,
    talk,
)

from tasktwin.wire import Json, dumps, loads

JSON = {"Content-Type": "application/json"}
WALLET = "/api/v1/wallet/"


# ── worlds ───────────────────────────────────────────────────────────────────────────────────────────────────────────

NO_NAMES = {
    "nothing": "",
    "dots": "..",
    "a dot first": ".hidden",
    "a dash first": "-rf",
    "a slash": "a/b",
    "an escaped slash": "a%2Fb",
    "a space": "a b",
    "a comma": "a,b",
    "65 letters": "a" * 65,
    "60,000 letters": "a" * 60_000,
    "an umlaut": "w\xf6rld",
    "a strange byte": "\xff",
    "markup": "<b>",
}


@pytest.mark.parametrize("path", [WALLET, "/_tasktwin/state"], ids=["API", "control plane"])
@pytest.mark.parametrize("name", NO_NAMES.values(), ids=NO_NAMES)
def test_a_bad_world_name_in_the_header_is_refused(origin: str, name: str, path: str) -> None:
    reply = ask(origin, "GET", path, {**ALICE, "Tasktwin-World": name})
    assert "is no world's name" in assert_problem(reply, 400)["detail"]


@pytest.mark.parametrize("rest", [f"api{WALLET}", "control/state"], ids=["API", "control plane"])
@pytest.mark.parametrize("name", ["", "..", ".hidden", "a%2Fb", "%2e%2e", "a%00", "a" * 65])
def test_a_bad_world_name_in_the_path_is_refused(origin: str, name: str, rest: str) -> None:
    reply = ask(origin, "GET", f"/_tasktwin/worlds/{name}/{rest}", ALICE)
    assert "is no world's name" in assert_problem(reply, 400)["detail"]


def test_a_world_is_made_when_it_is_first_named(origin: str) -> None:
    reply = ask(origin, "GET", WALLET, {**ALICE, "Tasktwin-World": "on-demand"})
    assert (reply.status, reply.headers["tasktwin-world"]) == (200, "on-demand")
    assert ask(origin, "GET", "/_tasktwin/worlds/on-demand").status == 200


def test_a_request_without_a_world_is_in_the_default_one(origin: str) -> None:
    assert ask(origin, "GET", WALLET, ALICE).headers["tasktwin-world"] == "default"


def test_header_and_path_lead_to_the_same_world(world: World) -> None:
    task = world.post_task().json()["data"]
    by_path = ask(world.origin, "GET", f"/_tasktwin/worlds/{world.name}/api{TASKS}{task['id']}", ALICE)
    assert by_path.json()["data"] == task
    assert by_path.headers["tasktwin-world"] == world.name


def test_the_path_wins_over_the_header(world: World) -> None:
    world.post_task()
    other = {**ALICE, "Tasktwin-World": "elsewhere"}
    by_path = ask(world.origin, "GET", f"/_tasktwin/worlds/{world.name}/api{TASKS}", other)
    assert by_path.headers["tasktwin-world"] == world.name
    assert by_path.json()["data"]["items"][0]["title"] == TASK["title"]
    control = ask(world.origin, "GET", f"/_tasktwin/worlds/{world.name}/control/state", other)
    assert control.json() == world.control.get("/state").json()


def test_of_a_world_named_twice_the_first_counts(world: World) -> None:
    lines = [("Tasktwin-World", world.name), ("Tasktwin-World", "elsewhere"), *ALICE.items(), *JSON.items()]
    reply = ask(world.origin, "POST", TASKS, lines, dumps(TASK))
    assert reply.headers["tasktwin-world"] == world.name
    counts = ask(world.origin, "GET", "/_tasktwin/state", lines).json()
    assert counts["collections"]["task"] == 17


@pytest.mark.parametrize("rest", ["", "/", "/apiary", "/controls", "/nothing"])
def test_below_a_world_there_is_only_its_api_and_its_control_plane(world: World, rest: str) -> None:
    reply = world.ask("GET", f"/_tasktwin/worlds/nobody-made-this{rest}")
    assert_problem(reply, 404)


def test_worlds_do_not_see_each_other(world: World, origin: str) -> None:
    other = World(origin, f"{world.name}-other")
    mine, theirs = world.post_task(title="mine").json(), other.post_task(title="theirs").json()
    assert mine["data"]["id"] == theirs["data"]["id"], "same seed, same requests, same identifiers"
    assert world.rows("task")[-1]["title"] == "mine"
    assert other.rows("task")[-1]["title"] == "theirs"
    assert len(other.entries()) == 1
    other.close()


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────────

START = message("POST", TASKS, [*ALICE.items(), *JSON.items()])[:-2]
HALVES = {
    "in the request line": START[:20],
    "in the headers": START[:60],
    "before the body": START + b"Content-Length: 200\r\n\r\n",
    "in the body": START + b"Content-Length: 400\r\n\r\n" + dumps(TASK),
    "one byte before the end": START + b"Content-Length: %d\r\n\r\n" % len(dumps(TASK)) + dumps(TASK)[:-1],
    "in a chunk": START + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n" + dumps(TASK),
    "between chunks": START + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(dumps(TASK)) + dumps(TASK) + b"\r\n",
    "in a broken chunk": START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + dumps(TASK),
}


def in_world(sent: bytes, name: str) -> bytes:
    """The same request, or what there is of it, for a world."""
    return sent.replace(b"Host: localhost\r\n", b"Host: localhost\r\nTasktwin-World: %s\r\n" % name.encode(), 1)


@pytest.mark.parametrize("ending", ["close", "reset", "half-close"])
@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_a_connection_that_breaks_in_mid_request_leaves_no_trace(world: World, half: bytes, ending: str) -> None:
    before = world.evidence()
    with connect(world.origin) as wire:
        wire.sendall(in_world(half, world.name))
        time.sleep(0.01)
        if ending == "half-close":
            wire.shutdown(socket.SHUT_WR)
            answer = read_all(wire)
            assert not answer or replies(answer)[0].status == 400
        elif ending == "reset":
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    assert world.evidence() == before
    assert world.entries() == []


def test_a_client_that_leaves_before_the_answer_has_done_all_or_nothing(world: World) -> None:
    body = dumps(TASK)
    sent = in_world(START + b"Content-Length: %d\r\n\r\n" % len(body) + body, world.name)
    for _ in range(20):
        with connect(world.origin) as wire:
            wire.sendall(sent)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    fork = world.control.post("/worlds", json={"from": world.name}).json()["control_url"]
    done = httpx2.get(f"{fork}/state").json()["collections"]["task"] - 16
    alice = httpx2.get(f"{fork}/state/purse/b0000000-0000-4000-8000-0000000000b1").json()
    assert alice["cash_available"] == f"{5000 - done}.00"
    assert alice["cash_frozen"] == f"{420 + done}.00"


def test_a_connection_is_kept_for_the_next_request(world: World) -> None:
    with connect(world.origin) as wire:
        for number in range(1, 4):
            wire.sendall(in_world(message("GET", f"{TASKS}?page={number}", [*ALICE.items()]), world.name))
            reply = read_one(wire)
            assert (reply.status, reply.json()["data"]["page"]) == (200, number)


def read_one(wire: socket.socket) -> Reply:
    """One answer from a connection that stays open."""
    raw = b""
    while True:
        raw += wire.recv(65_536)
        head, gap, body = raw.partition(b"\r\n\r\n")
        if gap and len(body) == int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            (reply,) = replies(raw)
            return reply


def test_pipelined_requests_are_answered_in_their_order(world: World) -> None:
    pages = [message("GET", f"{TASKS}?page={number}", [*ALICE.items()]) for number in range(1, 30)]
    last = message("GET", "/nope", [("Connection", "close")])
    answers = replies(talk(world.origin, b"".join(in_world(each, world.name) for each in [*pages, last])))
    assert [each.json()["data"]["page"] for each in answers[:-1]] == list(range(1, 30))
    assert answers[-1].status == 404


def test_a_client_may_ask_before_it_sends_a_body(world: World) -> None:
    body = dumps(TASK)
    lines = [("Expect", "100-continue"), ("Content-Length", str(len(body))), *ALICE.items(), *JSON.items()]
    with connect(world.origin) as wire:
        wire.sendall(in_world(message("POST", TASKS, lines), world.name))
        assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.sendall(body)
        assert read_one(wire).status == 200


def test_a_body_in_many_small_pieces_is_one_body(world: World) -> None:
    pieces = (bytes([byte]) for byte in dumps(TASK))
    response = world.api.post(TASKS, content=pieces, headers={**ALICE, **JSON})
    assert (response.status_code, response.json()["data"]["title"]) == (200, TASK["title"])


def test_a_client_of_http_1_0_is_answered_and_hung_up_on(world: World) -> None:
    sent = f"GET {WALLET} HTTP/1.0\r\nAuthorization: Bearer human-alice-token\r\n\r\n".encode()
    (reply,) = replies(talk(world.origin, sent))
    assert (reply.status, reply.headers["connection"]) == (200, "close")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-OpenSSH\r\n", b"\r\n" * 9])
def test_another_protocol_is_refused_or_ignored(origin: str, sent: bytes) -> None:
    with connect(origin) as wire:
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        assert read_all(wire).startswith((b"HTTP/1.1 400", b""))
    assert ask(origin, "GET", "/_tasktwin/health").status == 200


def test_a_websocket_is_not_opened(world: World) -> None:
    upgrade = [
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ]
    sent = message("GET", WALLET, [("Connection", "Upgrade"), *upgrade, *ALICE.items()])
    with connect(world.origin) as wire:
        wire.sendall(sent)
        assert not wire.recv(100).startswith(b"HTTP/1.1 101")


def test_head_and_options_write_nothing(world: World) -> None:
    before = world.evidence()
    for method in ("HEAD", "OPTIONS"):
        for path in (TASKS, TASKS + ALICES_TASK, f"{TASKS}{ALICES_TASK}/close", "/a2a"):
            world.ask(method, path, ALICE)
    assert world.evidence() == before


# ── starting and stopping ────────────────────────────────────────────────────────────────────────────────────────────


def stop(process: subprocess.Popen[str], sent: signal.Signals) -> tuple[int, float]:
    """Signal a process: its exit code, and the seconds it took."""
    began = time.monotonic()
    process.send_signal(sent)
    return process.wait(timeout=10), time.monotonic() - began


def test_the_base_url_is_the_first_line_and_answers_at_once() -> None:
    with serving("uumit") as (url, process):
        assert urlsplit(url).hostname == "127.0.0.1"
        assert urlsplit(url).port
        assert httpx2.get(f"{url}/_tasktwin/health").json()["status"] == "ok"
        assert process.stdout is not None
        assert "curl" in process.stdout.readline() + process.stdout.readline()


def test_sigterm_ends_it_within_four_seconds_though_a_connection_is_kept(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("w+") as errors, serving("uumit", "--quiet", errors=errors) as (url, process):
        with httpx2.Client(base_url=url) as client, connect(url):
            assert client.get(WALLET, headers=ALICE).status_code == 200
            code, seconds = stop(process, signal.SIGTERM)
        assert (code in (0, -signal.SIGTERM), seconds < 4) == (True, True), (code, seconds)
        errors.seek(0)
        assert errors.read() == ""


def test_sigterm_ends_it_though_a_request_never_ends(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("w+") as errors, serving("uumit", "--quiet", errors=errors) as (url, process):
        with connect(url) as slow:
            slow.sendall(HALVES["in the body"])
            assert httpx2.get(url + WALLET, headers=ALICE).status_code == 200, "by now the other one has begun"
            code, _seconds = stop(process, signal.SIGTERM)
        assert code in (0, -signal.SIGTERM)
        errors.seek(0)
        assert "Traceback" not in errors.read()


def test_ctrl_c_ends_it_with_130_and_without_a_trace(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("w+") as errors, serving("uumit", "--quiet", errors=errors) as (url, process):
        with httpx2.Client(base_url=url) as client:
            client.get(WALLET, headers=ALICE)
            code, seconds = stop(process, signal.SIGINT)
        assert (code, seconds < 4) == (130, True)
        errors.seek(0)
        assert errors.read() == ""


def refusal(*arguments: str) -> str:
    """What ``serve`` says when it does not start. It must end with 2."""
    command = [sys.executable, "-m", "tasktwin", "serve", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (2, ""), ended
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_port_in_use_is_told_with_a_hint(origin: str) -> None:
    said = refusal("uumit", "--port", str(urlsplit(origin).port))
    assert "Address already in use" in said
    assert "--port 0" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "256.0.0.1", "--port", "0"], "cannot listen on"),
        (["--now", "0001-01-01T00:00:00Z", "--port", "0"], "0001-01-01T00:00:00Z"),
        (["--seeds", "nowhere", "--port", "0"], "nowhere"),
    ],
    ids=["host", "the first day", "seeds"],
)
def test_a_wrong_option_is_told_with_exit_code_2(arguments: list[str], told: str) -> None:
    assert told in refusal("uumit", *arguments)


@pytest.fixture
def logged(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """What the server logs of a bad and a good request."""
    with (tmp_path / "errors").open("w+") as errors, serving("uumit", *request.param, errors=errors) as (url, process):
        httpx2.post(url + TASKS, content=b"{", headers={**ALICE, **JSON})
        httpx2.get(url + WALLET, headers={**ALICE, "Tasktwin-World": "w"})
        stop(process, signal.SIGTERM)
        errors.seek(0)
        yield errors.read().splitlines()


@pytest.mark.parametrize("logged", [["--log-format", "text"]], indirect=True, ids=["text"])
def test_each_request_is_a_line_of_text_without_secrets(logged: list[str]) -> None:
    assert logged[0].split()[:4] == ["400", "POST", TASKS, "createTask"]
    assert "not JSON" in logged[1]
    assert logged[2].split()[:5] == ["200", "GET", WALLET, "getWallet", "[w]"]
    assert "token" not in "".join(logged)


@pytest.mark.parametrize("logged", [["--log-format", "json"]], indirect=True, ids=["json"])
def test_each_request_is_a_line_of_json(logged: list[str]) -> None:
    first, second = (loads(line.encode()) for line in logged)
    assert (first["status"], first["operation"], first["world"]) == (400, "createTask", "default")
    assert (second["status"], second["reason"], second["world"]) == (200, "state", "w")
    assert first["violations"]


@pytest.mark.parametrize("logged", [["--quiet"]], indirect=True, ids=["quiet"])
def test_quiet_logs_nothing(logged: list[str]) -> None:
    assert logged == []


def test_off_the_loopback_the_control_plane_wants_a_token(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("w+") as errors:
        with serving("uumit", "--quiet", "--host", "0.0.0.0", errors=errors) as (url, _process):
            here = url.replace("0.0.0.0", "127.0.0.1")
            assert httpx2.get(f"{here}/_tasktwin/state").status_code == 401
            assert httpx2.get(here + WALLET, headers=ALICE).status_code == 200
        errors.seek(0)
        assert "control token: " in errors.read()


def test_the_world_begins_as_the_command_line_says() -> None:
    options = ("--now", "2030-01-01T00:00:00Z", "--clock", "frozen", "--seeds", "empty", "--seed", "7")
    with serving("uumit", "--quiet", *options) as (url, _process):
        told: Json = httpx2.get(f"{url}/_tasktwin/worlds/default").json()
        assert {key: told[key] for key in ("now", "mode", "seeds", "seed")} == {
            "now": "2030-01-01T00:00:00.000000Z",
            "mode": "frozen",
            "seeds": "empty",
            "seed": 7,
        }
        assert httpx2.get(f"{url}/_tasktwin/state").json()["collections"]["task"] == 0
