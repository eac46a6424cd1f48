"""traffic.har: what was sent, within bounds."""

from io import StringIO

import pytest
from tests.suite.report.small_run import JSON, MORNING, STORY, URL, small_run

from tasktwin.suite.report import har
from tasktwin.suite.traffic import Reply, Request, Sent
from tasktwin.wire import Json, loads


def traffic(*exchanges: tuple[Request, Reply]) -> list[Json]:
    run = small_run()
    run.target.traffic.clear()
    for number, (request, reply) in enumerate(exchanges, 1):
        run.target.traffic.append(Sent(number, "protocol", request, reply, MORNING))
    file = StringIO()
    har.write_har(run, URL, file)
    entries: list[Json] = loads(file.getvalue().encode())["log"]["entries"]
    return entries


def test_an_exchange_is_written_as_it_was() -> None:
    (entry,) = traffic((STORY[0].request, STORY[0].reply))
    assert entry["request"]["url"] == f"{URL}/api/v1/tasks/"
    assert loads(entry["request"]["postData"]["text"].encode()) == {"title": "Übersetzen"}
    assert (entry["response"]["status"], entry["response"]["statusText"]) == (200, "OK")
    assert (entry["startedDateTime"], entry["time"]) == ("2026-01-01T00:00:00.000Z", 12.0)
    assert entry["comment"] == "protocol: acceptApplication as human_bob"


def test_a_request_without_an_answer_says_so() -> None:
    (entry,) = traffic((STORY[0].request, Reply(0, problem="no answer: ReadTimeout", cut=True)))
    assert entry["response"]["status"] == 0
    assert entry["comment"].endswith("no answer: ReadTimeout")


def test_no_traffic_is_a_document_too() -> None:
    assert traffic() == []


def test_a_huge_body_is_cut_and_its_size_told() -> None:
    (entry,) = traffic((STORY[0].request, Reply(200, JSON, b"x" * 4_000_000)))
    content = entry["response"]["content"]
    assert content["size"] == 4_000_000
    assert content["text"].endswith("(4,000,000 bytes in all)")
    assert len(content["text"]) < 20_000


def test_bodies_that_would_make_the_file_too_large_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(har, "MOST", 20_000)
    entries = traffic(*[(STORY[0].request, Reply(200, JSON, b"x" * 10_000))] * 4)
    assert [bool(each["response"]["content"]["text"]) for each in entries] == [True, True, False, False]


def test_bytes_that_are_no_text_leave_the_document_readable() -> None:
    (entry,) = traffic((Request("GET", "/%00?a=1&b=%22"), Reply(299, {"x": "\x1b"}, b"\xff\x00\xfe")))
    assert entry["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": '"'}]
    assert entry["response"]["content"]["text"] == "\ufffd\x00\ufffd"
