"""Streams of a twin that lose, repeat, mix up and mislabel, and of one that does not."""

import asyncio
import re
from typing import Any

import pytest
from tests.suite.spoilt_stream import App, Wrap, looked_at, plainly, reheaded, rewritten, streamed

from tasktwin.suite.finding import Finding
from tasktwin.suite.protocol import stream

RUN, AGENT, DRAFT = ("posthog", "streamRun"), ("uumit", "sendAgentRequest"), ("uumit", "createTaskByDescription")


def slowly(app: App) -> App:
    """30 ms late, and in pieces of 7 bytes."""

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        async def piecemeal(message: Any) -> None:
            body = message.get("body", b"")
            if len(body) <= 7 or message["type"] != "http.response.body" or not message.get("more_body"):
                await send(message)
                return
            for start in range(0, len(body), 7):
                await send({"type": "http.response.body", "body": body[start : start + 7], "more_body": True})

        await asyncio.sleep(0.03)
        await app(scope, receive, piecemeal)

    return slow


def hangs(app: App) -> App:
    """A stream never ends."""

    async def hung(scope: Any, receive: Any, send: Any) -> None:
        async def hold(message: Any) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body") and opened:
                await send({**message, "more_body": True})
                await asyncio.wait_for(receive(), 30)
                return
            if message["type"] == "http.response.start":
                opened.extend(name for name, value in message["headers"] if value.startswith(b"text/event-stream"))
            await send(message)

        opened: list[bytes] = []
        await app(scope, receive, hold)

    return hung


def posing(headers: dict[bytes, bytes]) -> None:
    """Who has any key may listen as who has all."""
    if headers.get(b"authorization", b"").startswith(b"Bearer phx_"):
        headers[b"authorization"] = b"Bearer phx_ada_all"


def forgetful(headers: dict[bytes, bytes]) -> None:
    """Where a reader was cut is not looked at."""
    headers.pop(b"last-event-id", None)


def backwards() -> Wrap:
    """What was sent first of several things together is told last."""
    held: list[bytes] = []

    def change(part: bytes, _number: int, _back: bool) -> bytes | None:  # noqa: FBT001 - as it is called
        if b"(1)" in part:
            held.append(part)
            return None
        return part + held.pop() if b"(3)" in part and held else part

    return rewritten(change)


def found(deployment: tuple[str, str], wrap: Wrap, patience: float = 1.5) -> list[Finding]:
    provider, operation = deployment
    with streamed(provider, wrap) as url:
        return list(looked_at(stream, provider, url, (operation,), patience).findings)


@pytest.mark.parametrize("deployment", [RUN, AGENT, DRAFT], ids=["a run", "a transaction", "a draft"])
@pytest.mark.parametrize("wrap", [plainly, slowly], ids=["fast", "slow and in pieces"])
def test_a_correct_deployment_has_no_findings(deployment: tuple[str, str], wrap: Wrap) -> None:
    assert [each.title for each in found(deployment, wrap, 5.0)] == []


def test_a_correct_deployment_whose_clock_nobody_moves_has_no_findings() -> None:
    with streamed("uumit", control=False) as url:
        run = looked_at(stream, "uumit", url, ("createTaskByDescription", "sendAgentRequest"))
    assert [each.title for each in run.findings] == []


@pytest.mark.parametrize(
    ("wrap", "rule"),
    [
        (rewritten(lambda part, n, _: None if n == 2 else part), "stream.lost"),
        (rewritten(lambda part, n, _: part * 2 if n == 2 else part), "stream.repeated"),
        (rewritten(lambda part, n, back: None if back and n == 0 else part), "stream.gap"),
        (rewritten(lambda part, *_: part.replace(b'"status":"', b'"status":"un', 1)), "stream.data"),
        (rewritten(lambda part, *_: re.sub(b"data: .*", b"data: []", part)), "contract.event"),
        (rewritten(lambda part, *_: part.replace(b"id: 1", b"id: \0001", 1)), "stream.framing"),
        (rewritten(lambda part, *_: b"".join(line for line in part.splitlines(keepends=True) if line[:3] != b"id:")), "stream.id"),
        (rewritten(lambda part, *_: part.replace(b"data: ", b"", 1)), "stream.lost"),
        (reheaded(forgetful, "/stream"), "stream.repeat"),
        (reheaded(posing, "/stream"), "access.object"),
    ],
    ids=["loses one", "tells one twice", "loses one for who comes back", "other data", "not the contract's", "NUL", "no ids", "no data", "forgets where", "anybody listens"],
)  # fmt: skip
def test_a_stream_of_runs_that_is_wrong_is_a_failure(wrap: Wrap, rule: str) -> None:
    told = found(RUN, wrap)
    assert rule in {each.rule for each in told if each.severity == "failure"}


def test_what_was_sent_together_is_told_in_the_order_in_which_it_was_sent() -> None:
    told = found(RUN, backwards())
    assert "stream.order" in {each.rule for each in told if each.severity == "failure"}


def test_a_stream_that_does_not_end_is_a_failure() -> None:
    assert {each.rule for each in found(AGENT, hangs)} == {"stream.end"}


def test_what_is_lost_of_a_draft_is_a_note_since_nobody_states_what_it_tells() -> None:
    told = found(DRAFT, rewritten(lambda part, n, _: None if n == 1 else part))
    assert {each.severity for each in told if each.rule == "stream.lost"} == {"note"}


def test_a_script_leaves_the_stream_open_while_the_story_goes_on() -> None:
    told = found(RUN, reheaded(forgetful, "/stream"))
    script = next(each.script for each in told if each.rule == "stream.repeat")
    assert script.count("curl -sSN ") >= 2
    assert "Last-Event-ID: " in script
    assert "sed -n 's/^id: *//p'" in script


def test_a_stream_is_not_opened_where_another_operation_was_asked_for() -> None:
    with streamed("uumit") as url:
        run = looked_at(stream, "uumit", url, ("createTask",))
    assert run.units == []
