"""What passes is not changed, does not wait, and does not pile up; and what happens when a side is gone."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Semaphore, Thread
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.suite.proxy.front import Deployment, Proxy, answer, ask

Before = Callable[..., Proxy]

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def connect(proxy: Proxy) -> socket.socket:
    parts = urlsplit(proxy.url)
    return socket.create_connection((parts.hostname, parts.port), 10)


def raw(proxy: Proxy, request: bytes) -> bytes:
    """All that comes back for some bytes on a connection that is then closed by the other side."""
    with connect(proxy) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_head_and_body_arrive_as_they_were_sent(deployment: Deployment, before: Before) -> None:
    deployment.answers["/a%2Fb//c"] = answer(
        b"ok", "299 Fine", "text/x", "X-Two: 1", "X-Two: 2", "Set-Cookie: a=b; Domain=api.test"
    )
    proxy = before(deployment.url)
    told = raw(
        proxy,
        b"POST /a%2Fb//c?x=%2f&&y HTTP/1.1\r\nHost: me.test\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nCookie: k=v\r\n"
        b"X-Two: a\r\nX-Two: b\r\nAccept-Encoding: br;q=0.1\r\nUser-Agent:\r\nContent-Length: 4\r\n\r\n\x00\xff\r\n",
    )
    head, _, body = deployment.heard[0].partition(b"\r\n\r\n")
    host = deployment.url.removeprefix("http://").encode()
    assert head.split(b"\r\n") == [
        b"POST /a%2Fb//c?x=%2f&&y HTTP/1.1", b"host: " + host, b"cookie: k=v", b"x-two: a", b"x-two: b",
        b"accept-encoding: br;q=0.1", b"user-agent: ", b"content-length: 4",
    ]  # fmt: skip
    assert body == b"\x00\xff\r\n"
    assert told.split(b"\r\n")[1:-2] == [
        b"content-length: 2", b"x-two: 1", b"x-two: 2", b"set-cookie: a=b; Domain=api.test", b"content-type: text/x",
        b"connection: close",
    ]  # fmt: skip
    assert told.endswith(b"\r\n\r\nok")


def test_a_body_in_chunks_is_passed_on_in_chunks(deployment: Deployment, before: Before) -> None:
    deployment.answers["/file"] = answer(b"", "204 No Content", "")
    proxy = before(deployment.url)
    pieces = [b"x" * 100_000 for _ in range(10)]
    assert ask(f"{proxy.url}/file", "PUT", content=iter(pieces)).status_code == 204
    assert b"transfer-encoding: chunked" in deployment.heard[0]
    assert deployment.heard[0].count(b"x" * 1_000) >= 900


def test_curl_is_told_to_continue_with_a_large_body(deployment: Deployment, before: Before) -> None:
    deployment.answers["/file"] = answer(b"", "204 No Content", "")
    proxy = before(deployment.url)
    command = ["curl", "-sS", "--expect100-timeout", "20", "-H", "Expect: 100-continue", "-T", "-", f"{proxy.url}/file"]
    subprocess.run(command, input=b"y" * 1_048_576, check=True, timeout=10)
    assert deployment.heard[0].count(b"y") >= 1_048_576


def test_the_first_piece_of_an_answer_does_not_wait_for_the_next(deployment: Deployment, before: Before) -> None:
    seen = Event()

    def slowly(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(CHUNKED + b"2\r\n[]\r\n")
        assert seen.wait(10)
        connection.sendall(b"1\r\n \r\n0\r\n\r\n")

    deployment.answers["/things"] = slowly
    proxy = before(deployment.url)
    with httpx2.Client(trust_env=False) as client, client.stream("GET", f"{proxy.url}/things") as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"[]"
        seen.set()
        assert next(pieces) == b" "


def test_a_client_that_leaves_is_missed_by_the_deployment(deployment: Deployment, before: Before) -> None:
    left = Semaphore(0)

    def open_end(connection: socket.socket, request: bytes) -> None:
        if b"/news" in request:
            connection.sendall(STREAM + b"b\r\ndata: [1]\n\n\r\n")
        while connection.recv(1):
            pass
        left.release()

    deployment.answers = {"/news": open_end, "/file": open_end}
    proxy = before(deployment.url)
    for path in deployment.answers:
        with connect(proxy) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.3)
            assert not left.acquire(blocking=False)
        assert left.acquire(timeout=5)
    assert "server.silent" not in proxy.stop().err


def test_a_client_that_leaves_within_its_request_is_missed_too(before: Before) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = before(f"http://127.0.0.1:{listener.getsockname()[1]}")
        listener.accept()[0].close()  # it looks whether the target is there
        with connect(proxy) as connection:
            connection.sendall(b"PUT /file HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nsome")
            taken, _ = listener.accept()
            time.sleep(0.2)
        with taken:
            taken.settimeout(5)
            assert b"".join(iter(lambda: taken.recv(65_536), b"")).endswith(b"\r\n\r\nsome")


def test_an_answer_that_ends_too_early_ends_too_early_for_the_client(deployment: Deployment, before: Before) -> None:
    deployment.answers["/things"] = answer(b"[" * 100).replace(b"Length: 100", b"Length: 200")
    deployment.answers["/file"] = CHUNKED + b"5\r\nhal"
    proxy = before(deployment.url)
    for path in ("/things", "/file"):
        with pytest.raises(httpx2.RemoteProtocolError):
            ask(proxy.url + path)
    ended = proxy.stop()
    assert ended.code == 1
    assert "failure server: listThings is answered with less than a whole answer [server.cut]" in ended.err
    assert "getFile is answered with less" in ended.err


def test_a_deployment_that_does_not_answer_is_a_502_and_told(deployment: Deployment, before: Before) -> None:
    proxy = before(deployment.url)
    for raw_answer in (b"", b"HTTP/1.1 abc\r\n\r\n", b"SSH-2.0-x\r\n"):
        deployment.answers["/things"] = raw_answer
        response = ask(f"{proxy.url}/things")
        assert (response.status_code, response.headers["content-type"]) == (502, "application/problem+json")
        assert response.json()["title"] == "no answer"
    ended = proxy.stop()
    assert ended.code == 1
    assert "failure server: listThings is not answered [server.silent]" in ended.err


def test_a_head_that_http_forbids_is_not_handed_back(deployment: Deployment, before: Before) -> None:
    deployment.answers["/things"] = answer(b"[]", "200 OK", "application/json", "X-Bell: \x07")
    response = ask(f"{before(deployment.url).url}/things")
    assert (response.status_code, response.json()["title"]) == (502, "unfit answer")


def test_a_proxy_may_start_before_its_target(before: Before) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
    proxy = before(f"http://127.0.0.1:{place[1]}")
    assert proxy.process.stderr is not None
    assert "cannot be reached yet: Connection refused" in proxy.process.stderr.readline()
    response = ask(f"{proxy.url}/things")
    assert (response.status_code, response.json()["title"]) == (502, "unreachable")
    with socket.create_server(place) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.recv(65_536)
            connection.sendall(answer(b"[]"))
            connection.close()

        Thread(target=serve, daemon=True).start()
        assert ask(f"{proxy.url}/things").json() == []
    ended = proxy.stop()
    assert ended.code == 0
    assert "unreached   1 request could not be passed on" in ended.out


def test_a_target_that_was_never_reached_is_exit_code_3(before: Before) -> None:
    proxy = before("http://127.0.0.1:9")
    ask(f"{proxy.url}/things")
    assert proxy.stop().code == 3


def test_a_target_that_hangs_holds_up_nobody_and_not_the_end(deployment: Deployment, before: Before) -> None:
    deployment.answers = {"/things": lambda _connection, _request: time.sleep(60), "/file": answer(b"x")}
    proxy = before(deployment.url)
    hanging = [connect(proxy) for _ in range(20)]
    for each in hanging:
        each.sendall(b"GET /things HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.2)
    began = time.monotonic()
    assert ask(f"{proxy.url}/file").content == b"x"
    assert time.monotonic() - began < 2
    ended = proxy.stop()
    assert time.monotonic() - began < 8
    assert b"503" in hanging[0].recv(100)
    assert "Traceback" not in ended.err
    assert ended.code == 1  # the file is declared as application/octet-stream
    for each in hanging:
        each.close()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_open_streams_and_sums_up(deployment: Deployment, before: Before, by: signal.Signals) -> None:
    def silent(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(STREAM)
        time.sleep(60)

    deployment.answers["/news"] = silent
    proxy = before(deployment.url)
    with connect(proxy) as connection:
        connection.sendall(b"GET /news HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"text/event-stream" in connection.recv(65_536)
        began = time.monotonic()
        ended = proxy.stop(by)
        assert time.monotonic() - began < 4
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    assert (ended.code, ended.err) == (0, "")
    assert "covered     1 of 6 operations" in ended.out


def test_a_client_that_does_not_read_makes_nobody_pile_up(deployment: Deployment, before: Before) -> None:
    sent = [0]

    def pour(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n")
        while True:
            sent[0] += connection.send(b"x" * 65_536)

    deployment.answers["/file"] = pour
    proxy = before(deployment.url)
    with connect(proxy) as connection:
        connection.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1.5)
        stuck = sent[0]
        time.sleep(0.5)
        assert sent[0] == stuck
        assert stuck < 30_000_000
        for _ in range(200):
            connection.recv(65_536)
        time.sleep(0.3)
        assert sent[0] > stuck


def test_what_is_not_passed_on_is_refused_in_words(deployment: Deployment, before: Before) -> None:
    deployment.answers["/things"] = answer(b"[]")
    proxy = before(deployment.url)

    def told(header: bytes) -> bytes:
        return raw(proxy, b"GET /things HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")

    assert told(b"Connection: close, Upgrade\r\nUpgrade: h2c").endswith(b"\r\n\r\n[]")
    assert b" 501 " in told(b"Connection: close, Upgrade\r\nUpgrade: websocket")
    assert b"trailer fields are not passed on" in told(b"Connection: close\r\nTrailer: X-Sum")


def test_an_http_1_0_client_gets_what_has_a_length(deployment: Deployment, before: Before) -> None:
    deployment.answers = {"/things": answer(b"[]"), "/news": STREAM}
    proxy = before(deployment.url)
    assert raw(proxy, b"GET /things HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\n[]")
    assert raw(proxy, b"GET /news HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 505 ")


def test_redirects_lead_through_the_proxy_by_the_name_the_client_used(deployment: Deployment, before: Before) -> None:
    deployment.answers["/things"] = answer(b"", "307 Temporary Redirect", "", f"Location: {deployment.url}/file?x=1")
    proxy = before(deployment.url)
    url = proxy.url.replace("127.0.0.1", "localhost")
    assert ask(f"{url}/things", follow_redirects=False).headers["location"] == f"{url}/file?x=1"


def test_a_base_url_with_a_path_goes_before_every_path(deployment: Deployment, before: Before) -> None:
    deployment.answers["/base/v1/things"] = answer(b"[]")
    proxy = before(f"{deployment.url}/base/v1/")
    assert ask(f"{proxy.url}/things").json() == []
    assert "covered     1 of 6 operations" in proxy.stop().out


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://x", "is no URL of a deployment"),
        ("http://me:secret@x", "credentials do not belong into the URL"),
        ("http://x/?a=1", "is no base URL"),
        ("x", "is no URL of a deployment"),
    ],
)
def test_a_wrong_url_is_wrong_usage(before: Before, url: str, why: str) -> None:
    proxy = before(url)
    _, err = proxy.process.communicate(timeout=10)
    assert proxy.process.returncode == 2
    assert why in err
    assert "secret" not in err
