"""The bash of a story: what arrives is what was sent."""

import re
import subprocess

import pytest
from tests.suite.schema.notes import Notes, served

from tasktwin.suite.budget import Budget
from tasktwin.suite.finding import Line
from tasktwin.suite.schema.script import script
from tasktwin.suite.target import Callers, Target
from tasktwin.suite.traffic import Reply, Request


class Echo(Notes):
    """Remembers what it got, and answers with an identifier of its own."""

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN201
        """Any request is fine."""
        self.got = (method, path, query, headers, body)
        return 200, {"id": f"fresh-{len(self.calls)}"}


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/notes?a=%20b&c=%5Bd%5D"),
        Request("GET", "/notes", headers={"content-type": "application/json"}, body=b"{}"),
        Request(
            "POST",
            "/n'otes",
            headers={"content-type": "application/json"},
            body=b"""{"a": "it's \\u0000 $HOME `ls`"}""",
        ),
        Request("POST", "/notes", body=b"\x00\xff\r\n"),
        Request("POST", "/notes", body=b"@/etc/passwd"),
        Request("DELETE", "/notes/..%2F", headers={"x-empty": "", "x-a": "a b"}),
        Request("TRACE", "/notes"),
    ],
    ids=["query", "get-with-body", "quotes", "bytes", "at-sign", "headers", "trace"],
)
def test_a_request_arrives_as_it_was_sent(request_: Request) -> None:
    app = Echo()
    with served(app) as url:
        target = Target(url, Callers({}), Budget())
        sent = target.send(request_)
        first = app.got
        text = script(target, [Line(request_, sent)], "")
        played = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
        target.close()
    assert played.stdout.endswith("HTTP 200\n")
    assert app.got[:3] == first[:3]
    assert app.got[4] == first[4]
    assert {name: app.got[3].get(name) for name in request_.headers} == dict(request_.headers)
    assert ("content-type" in app.got[3]) == ("content-type" in first[3])


def test_an_identifier_of_an_earlier_answer_is_taken_from_the_new_one() -> None:
    app = Echo()
    with served(app) as url:
        target = Target(url, Callers({}), Budget())
        story = [
            Line(Request("POST", "/notes"), Reply(200, {"content-type": "application/json"}, b'{"id": "fresh-99"}')),
            Line(Request("GET", "/notes/fresh-99"), Reply(404)),
        ]
        subprocess.run(["bash", "-c", script(target, story, "gone")], capture_output=True, check=True)
        target.close()
    assert app.got[1] == "/notes/fresh-1"


def test_each_request_goes_to_one_world_that_nobody_knows_yet() -> None:
    app = Echo()
    with served(app) as url:
        target = Target(url, Callers({}), Budget())
        target.world = "the-run-s-own"
        story = [Line(Request("POST", "/notes"), Reply(200)), Line(Request("GET", "/notes"), Reply(404))]
        subprocess.run(["bash", "-c", script(target, story, "gone")], capture_output=True, check=True)
        target.close()
    worlds = [headers["tasktwin-world"] for _, _, headers in app.calls]
    assert len(worlds) == 2
    assert worlds[0] == worlds[1]
    assert re.fullmatch(r"again-\d+-\d+", worlds[0])


def test_secrets_stand_as_variables() -> None:
    callers = Callers(
        {"me": {"Authorization": "Bearer s3cr3t-key"}}, secret=True, written={"me": {"Authorization": "${ME}"}}
    )
    target = Target("http://127.0.0.1:9", callers, Budget())
    text = script(target, [Line(Request("GET", "/a", "me"), Reply(200))], "")
    target.close()
    assert "s3cr3t" not in text
    assert '-H "Authorization: ${ME}"' in text
