"""What breaks the contract is told, whoever breaks it; what does not is not."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.suite.proxy.front import Deployment, Ended, Proxy, answer, ask, deployed, folder, started

Before = Callable[..., Proxy]

GOOD = b'[{"id": "1", "size": 2}]'


def test_what_keeps_the_contract_is_told_nowhere(deployment: Deployment, before: Before) -> None:
    deployment.answers = {"/things": answer(GOOD), "/things/1": answer(b"", "204 No Content", "")}
    proxy = before(deployment.url)
    assert ask(f"{proxy.url}/things?limit=3").json() == json.loads(GOOD)
    assert ask(f"{proxy.url}/things/1", "DELETE").status_code == 204
    ended = proxy.stop()
    assert (ended.code, ended.err) == (0, "")
    assert "covered     2 of 6 operations, 2 of 7 declared answers" in ended.out
    assert "never seen  makeThing, getFile, putFile, readNews" in ended.out
    assert "\n0 failures, 0 notes (things at " in ended.out


ANSWERS = {
    "schema": (answer(b'[{"id": "1", "size": "big"}]'), 'at /*/size: "big" is not of type "integer"'),
    "status": (answer(b"[]", "418 I'm a teapot"), "the status 418 is not declared"),
    "media type": (answer(b"[]", media="text/html"), "text/html is not declared"),
    "broken JSON": (answer(b'[{"id": '), "the body is no JSON"),
    "compressed": (
        answer(gzip.compress(b"{}"), "200 OK", "application/json", "Content-Encoding: gzip"),
        '{} is not of type "array"',
    ),
    "a stream that is none": (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
        "200 is not declared as a stream of events",
    ),
}

REQUESTS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "schema": (
        "POST",
        "/things",
        {"json": {"size": "big"}},
        "failure client: makeThing is sent against the contract at body/size",
    ),
    "no JSON": (
        "POST",
        "/things",
        {"content": b"{", "headers": {"content-type": "application/json"}},
        "body: not JSON",
    ),
    "media type": (
        "POST",
        "/things",
        {"content": b"{}", "headers": {"content-type": "text/plain"}},
        "text/plain is not accepted",
    ),
    "an assumption": (
        "POST",
        "/things",
        {"json": {"size": 1, "colour": 7}},
        "note    client: makeThing is sent against the contract at body/colour",
    ),
    "query": ("GET", "/things?limit=all", {}, "failure client: listThings is sent against the contract at query/limit"),
    "path": ("GET", "/cars", {}, "note    client: the contract has no operation for GET /cars"),
    "method": ("PATCH", "/things", {}, "note    client: the contract has no operation for PATCH /things"),
}


@pytest.fixture(scope="module")
def wrong_answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    with deployed() as deployment, started(deployment.url, folder(tmp_path_factory.mktemp("a"))) as proxy:
        for raw, _ in ANSWERS.values():
            path = "/file" if b"event-stream" in raw else "/things"  # else it would be the same cause as text/html
            deployment.answers[path] = raw
            ask(proxy.url + path)
        yield proxy.stop()


@pytest.fixture(scope="module")
def wrong_requests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    with deployed() as deployment, started(deployment.url, folder(tmp_path_factory.mktemp("r"))) as proxy:
        for method, path, sent, _ in REQUESTS.values():
            made = answer(b'{"id": "1", "size": 2}', "201 Created") if method == "POST" else answer(GOOD)
            deployment.answers = {"/things": made, "/cars": answer(b"")}
            ask(proxy.url + path, method, **sent)
        assert len(deployment.heard) == len(REQUESTS)
        yield proxy.stop()


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_breaks_the_contract_is_told(wrong_answers: Ended, case: str) -> None:
    line = wrong_answers.err.splitlines()[list(ANSWERS).index(case)]
    assert line.startswith(("failure server: listThings answers ", "failure server: getFile answers "))
    assert ANSWERS[case][1] in line
    assert line.endswith(" [contract.response]")


def test_what_a_server_broke_fails_the_run(wrong_answers: Ended) -> None:
    assert wrong_answers.code == 1
    assert "6 failures (6 of the server, 0 of the client), 0 notes" in wrong_answers.out


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_that_breaks_the_contract_is_passed_on_and_told(wrong_requests: Ended, case: str) -> None:
    assert REQUESTS[case][3] in wrong_requests.err.splitlines()[list(REQUESTS).index(case)]


def test_what_a_client_broke_fails_the_run(wrong_requests: Ended) -> None:
    assert wrong_requests.code == 1
    assert "4 failures (0 of the server, 4 of the client), 3 notes" in wrong_requests.out


def test_notes_fail_nothing(deployment: Deployment, before: Before) -> None:
    deployment.answers["/cars"] = answer(b"")
    proxy = before(deployment.url)
    ask(f"{proxy.url}/cars")
    assert proxy.stop().code == 0


def test_a_wrong_event_is_told_while_the_stream_goes_on(deployment: Deployment, before: Before) -> None:
    def stream(connection: object, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")  # type: ignore[attr-defined]
        for data in ('{"id": "1", "size": 1}', '{"id": "2"}'):
            connection.sendall(f": beat\n\nevent: news\nid: 7\ndata: {data}\n\n".encode())  # type: ignore[attr-defined]
        time.sleep(30)

    deployment.answers["/news"] = stream
    proxy = before(deployment.url)
    with httpx2.Client(timeout=10, trust_env=False) as client, client.stream("GET", f"{proxy.url}/news") as response:
        for line in response.iter_lines():
            if line == 'data: {"id": "2"}':
                break
        assert proxy.process.stderr is not None
        told = proxy.process.stderr.readline()
    assert told.startswith(
        "failure server: readNews streams an event 'news' against the contract at /data/size: size is"
    )
    assert proxy.stop().code == 1


def test_the_same_again_is_one_finding_and_not_a_flood(deployment: Deployment, before: Before) -> None:
    deployment.answers["/things"] = answer(b"{}")
    proxy = before(deployment.url)
    for _ in range(20):
        ask(f"{proxy.url}/things")
    ended = proxy.stop()
    assert ended.err.count("failure server") <= 3
    assert "found        20 times" in ended.out


def test_a_head_of_an_answer_is_held_against_the_contract_without_its_body(
    deployment: Deployment, before: Before
) -> None:
    deployment.answers["/things"] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n"
    proxy = before(deployment.url)
    assert ask(f"{proxy.url}/things", "HEAD").headers["content-length"] == "24"
    assert proxy.stop().code == 0


def test_a_304_is_what_a_conditional_request_asked_for(deployment: Deployment, before: Before) -> None:
    deployment.answers["/things"] = (
        b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 24\r\nConnection: close\r\n\r\n"
    )
    proxy = before(deployment.url)
    assert ask(f"{proxy.url}/things", headers={"if-none-match": "x"}).status_code == 304
    ask(f"{proxy.url}/things")
    assert proxy.stop().err.count("the status 304 is not declared") == 1


def test_what_is_too_large_passes_unjudged_and_is_told_once(deployment: Deployment, before: Before) -> None:
    large = b"x" * 5_000_000
    deployment.answers["/file"] = answer(large, media="application/octet-stream")
    proxy = before(deployment.url)
    for _ in range(2):
        assert ask(f"{proxy.url}/file").content == large
    ended = proxy.stop()
    assert ended.code == 0
    assert ended.err.count("passed on, but not judged: larger than 4 MiB") == 1
    assert "not judged  2: larger than 4 MiB" in ended.out


def test_a_small_body_that_unpacks_to_a_large_one_is_not_judged(deployment: Deployment, before: Before) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    deployment.answers["/things"] = answer(bomb, "200 OK", "application/json", "Content-Encoding: gzip")
    proxy = before(deployment.url)
    with_raw = ask(f"{proxy.url}/things")
    assert len(with_raw.content) == 50_000_000
    assert "not judged: larger than 4 MiB" in proxy.stop().err


def test_json_is_a_line_for_each_finding_behind_the_base_url(deployment: Deployment, before: Before) -> None:
    deployment.answers["/things"] = answer(b'[{"id": 1}]')
    proxy = before(deployment.url, "--json", "--quiet")
    ask(f"{proxy.url}/things")
    ended = proxy.stop()
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [(each["rule"], each["severity"], each["operation"]) for each in found] == [
        ("contract.response", "failure", "listThings")
    ] * 2
    assert ended.err == ""


def test_reports_are_written_without_a_credential(deployment: Deployment, before: Before, tmp_path: Path) -> None:
    secrets = ["s3cr3t-key-value", "s3cr3t-query-value", "s3cr3t-cookie-value", "s3cr3t-bearer-value"]
    key, query, cookie, bearer = secrets
    issued = "Set-Cookie: session=s3cr3t-issued-value; Path=/things; SameSite=Strict"
    told = json.dumps([{"id": 1, "size": " ".join([*secrets, "s3cr3t-issued-value"])}]).encode()
    deployment.answers["/things"] = answer(told, "200 OK", "application/json", issued)
    proxy = before(deployment.url, "--report", str(tmp_path / "out"))
    ask(
        f"{proxy.url}/things?key={query}&limit={key}",
        headers={"X-Key": key, "Cookie": f"session={cookie}", "Authorization": f"Bearer {bearer}"},
    )
    ended = proxy.stop()
    files = sorted((tmp_path / "out").iterdir())
    assert [each.name for each in files] == ["junit.xml", "report.html", "report.json", "report.sarif", "traffic.har"]
    for text in (ended.out, ended.err, *(each.read_text() for each in files)):
        assert not [secret for secret in [*secrets, "s3cr3t-issued-value"] if secret in text]
    assert ended.code == 1
    assert """curl -sSi -g "$url"'/things?key=[redacted]&limit=[redacted]'""" in ended.out
    assert '-H "x-key: ${X_KEY}"' in ended.out


@pytest.mark.parametrize("name", ["api_key", "apikey", "api-key", "access_token"])
def test_a_parameter_that_sounds_like_a_credential_is_left_out_be_it_short(
    deployment: Deployment, before: Before, name: str
) -> None:
    proxy = before(deployment.url)
    ask(f"{proxy.url}/unknown?{name}=h5x&page=2")
    ended = proxy.stop()
    assert "h5x" not in ended.out + ended.err
    assert f"/unknown?{name}=[redacted]&page=2" in ended.out


def test_a_report_that_cannot_be_written_is_told_at_once(before: Before, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    proxy = before("http://127.0.0.1:9", "--report", str(tmp_path / "file"))
    proxy.process.wait(timeout=10)
    assert proxy.process.returncode == 2
