"""JSON-RPC of a twin that breaks the specification, or is laxer than the operations that the methods stand for."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, deployed, plainly, rules
from tests.suite.spoilt_stream import looked_at

from tasktwin.suite.protocol import rpc

JSON = [(b"content-type", b"application/json")]


def changed(change: Callable[[Any, Any], Any]) -> Fault:
    """The response is another, by the request and by what it was."""

    async def fault(asked: Asked, twin: Twin) -> Answer:
        status, body, headers = await twin(asked)
        if asked.path != "/a2a" or not body.startswith(b'{"jsonrpc"'):
            return status, body, headers
        try:
            sent = json.loads(asked.body)
        except ValueError:
            sent = None
        return status, json.dumps(change(sent, json.loads(body))).encode(), JSON

    return fault


async def answers_notifications(asked: Asked, twin: Twin) -> Answer:
    if asked.path == "/a2a" and asked.body.startswith(b"{") and b'"id"' not in asked.body and b'"method"' in asked.body:
        return 200, b'{"jsonrpc":"2.0","id":null,"result":{}}', JSON
    return await twin(asked)


async def lax(asked: Asked, twin: Twin) -> Answer:
    """Whatever is cancelled is said to be."""
    status, body, headers = await twin(asked)
    if b'"tasks/cancel"' not in asked.body or b"-32002" not in body:
        return status, body, headers
    sent = json.loads(asked.body)
    look = json.dumps({**sent, "method": "tasks/get"}).encode()
    return await twin(replace(asked, body=look))


async def strict(asked: Asked, twin: Twin) -> Answer:
    """Nothing can be cancelled."""
    if b'"tasks/cancel"' in asked.body:
        key = json.loads(asked.body)["id"]
        error = {"code": -32002, "message": "Task cannot be canceled"}
        return 200, json.dumps({"jsonrpc": "2.0", "id": key, "error": error}).encode(), JSON
    return await twin(asked)


def as_text(_: Any, body: Any) -> Any:
    return {**body, "id": str(body["id"]) if body["id"] is not None else None}


def with_code(code: int, other: int) -> Callable[[Any, Any], Any]:
    def change(_: Any, body: Any) -> Any:
        error = body.get("error")
        return {**body, "error": {**error, "code": other}} if error and error["code"] == code else body

    return change


def worded_otherwise(_: Any, body: Any) -> Any:
    """Members in another order, and messages of one's own."""
    body = dict(reversed(body.items()))
    return {**body, "error": {**body["error"], "message": "No.", "data": "why"}} if "error" in body else body


@pytest.mark.parametrize("fault", [plainly, changed(worded_otherwise)], ids=["the twin", "in other words"])
def test_a_correct_deployment_has_no_failures(fault: Fault) -> None:
    with deployed("uumit", fault) as url:
        run = looked_at(rpc, "uumit", url)
    assert rules(run) == set()
    assert len(run.units) > 10


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (changed(as_text), "rpc.id"),
        (changed(lambda _, body: {**body, "id": 1}), "rpc.id"),
        (changed(lambda _, body: {k: v for k, v in body.items() if k != "jsonrpc"}), "rpc.version"),
        (changed(lambda _, body: {"result": None, **body}), "rpc.response"),
        (changed(with_code(-32700, -32603)), "rpc.code"),
        (changed(with_code(-32600, -32603)), "rpc.code"),
        (changed(with_code(-32601, -32000)), "rpc.code"),
        (changed(with_code(-32602, -32000)), "rpc.code"),
        (changed(lambda _, body: {**body, "error": "no"} if "error" in body else body), "rpc.error"),
        (answers_notifications, "rpc.notification"),
        (lax, "lifecycle.accepted"),
        (strict, "lifecycle.refused"),
    ],
    ids=["id as text", "another id", "no version", "result and error", "parse error", "invalid request", "unknown method", "invalid params", "an error that is none", "notification", "too lax", "too strict"],
)  # fmt: skip
def test_what_breaks_the_specification_or_the_operation_is_a_failure(fault: Fault, rule: str) -> None:
    with deployed("uumit", fault) as url:
        run = looked_at(rpc, "uumit", url)
    assert rule in rules(run)


def test_a_method_that_moves_nothing_contradicts_what_rest_then_shows() -> None:
    async def pretends(asked: Asked, twin: Twin) -> Answer:
        if b'"tasks/cancel"' not in asked.body:
            return await twin(asked)
        look = json.dumps({**json.loads(asked.body), "method": "tasks/get"}).encode()
        status, body, _ = await twin(replace(asked, body=look))
        said = body.replace(b'"submitted"', b'"canceled"').replace(b'"frozen"', b'"cancelled_by_buyer"')
        return status, said, JSON

    with deployed("uumit", pretends) as url:
        run = looked_at(rpc, "uumit", url)
    found = {each.operation: each.script for each in run.findings if each.severity == "failure"}
    assert "getTransaction" in found
    assert "tasks/cancel" in found["getTransaction"]


def test_a_script_shows_only_the_request_that_is_answered_wrongly() -> None:
    with deployed("uumit", changed(as_text)) as url:
        found = next(each for each in looked_at(rpc, "uumit", url).findings if each.rule == "rpc.id")
    assert found.script.count("curl ") == 1
    assert '"id":7' in found.script
