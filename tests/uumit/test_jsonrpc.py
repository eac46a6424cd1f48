"""JSON-RPC 2.0 to the letter on ``POST /a2a``, over real HTTP.

Each row names the section of https://www.jsonrpc.org/specification that it holds the endpoint to, or the RFC. Requests
are bytes, because much of it is lost where a library writes them.
"""

import json
from collections.abc import Iterator
from itertools import count

import httpx2
import pytest
from tests.server.front import ADA, Reply, World, serving
from tests.uumit.calls import UNKNOWN, Data, seeded

from tasktwin.wire import Json

PARSE, REQUEST, METHOD, PARAMS, NOT_FOUND = -32700, -32600, -32601, -32602, -32001
MESSAGES = {
    PARSE: "Parse error",
    REQUEST: "Invalid Request",
    METHOD: "Method not found",
    PARAMS: "Invalid params",
    NOT_FOUND: "Task not found",
}

ORDER = seeded(4, 1)
GET = {"jsonrpc": '"2.0"', "id": "7", "method": '"tasks/get"', "params": f'{{"id": "{ORDER}"}}'}
SEND = {**GET, "method": '"tasks/send"', "params": '{"capability_id": "cap_ocr_invoice_v1"}'}
CANCEL = {**GET, "method": '"tasks/cancel"'}

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The base URL of a served market whose time stands still."""
    with serving("uumit", "--quiet", "--clock", "frozen", "--now", "2026-01-01T00:00:00Z") as (url, _process):
        yield url


@pytest.fixture
def world(origin: str) -> Iterator[World]:
    """A market that no other test has seen."""
    found = World(origin, f"rpc-{next(_NUMBERS)}")
    yield found
    found.close()


def written(base: dict[str, str] = GET, **members: str | None) -> bytes:
    """A request whose members are given as JSON text; ``None`` leaves one out."""
    texts = {**base, **members}
    return "{{{}}}".format(", ".join(f'"{name}": {text}' for name, text in texts.items() if text is not None)).encode()


def tell(world: World, raw: bytes, media: str = "application/json") -> Reply:
    return world.ask("POST", "/a2a", {"Content-Type": media, **ADA}, raw)


def said(reply: Reply) -> Data:
    """The response object, which has the three members of section 5 and no more."""
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    body: Data = json.loads(reply.body)
    assert set(body) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
    assert body["jsonrpc"] == "2.0"
    return body


def assert_fails(reply: Reply, code: int, key: Json) -> None:
    """An error object of section 5.1, under the id ``key``; the detail is the vendor's addition."""
    body = said(reply)
    assert (body["error"]["code"], body["error"]["message"], body["id"]) == (code, MESSAGES[code], key)
    assert set(body["error"]) == {"code", "message", "data"}
    assert body["error"]["data"]["detail"]


def orders(world: World) -> Json:
    return world.rows("transaction")


DEEP = 197
"""So many lists fit into the metadata of a request before all of it is nested deeper than 200."""


def nested(levels: int) -> bytes:
    return written(params=f'{{"id": "{ORDER}", "metadata": {{"deep": {"[" * levels}{"]" * levels}}}}}')


UNREADABLE = {
    "5.1 nothing": b"",
    "5.1 white space": b" \r\n\t",
    "5.1 words": b"tasks/get",
    "5.1 half an object": written()[:-1],
    "5.1 half a batch": b"[" + written() + b', {"jsonrpc"',
    "5.1 two requests": written() + b"\n" + written(),
    "5.1 something behind": written() + b"x",
    "5.1 NUL behind": written() + b"\0",
    "RFC 8259 3 True": written(id="True"),
    "RFC 8259 3 undefined": written(params="undefined"),
    "RFC 8259 4 a trailing comma": written()[:-1] + b",}",
    "RFC 8259 4 a name without quotes": b"{jsonrpc: 2}",
    "RFC 8259 7 single quotes": written().replace(b'"', b"'"),
    "RFC 8259 7 a bare line feed in a text": written(id='"\n"'),
    "RFC 8259 7 an unknown escape": written(id=r'"\x41"'),
    "RFC 8259 2 a comment": b"/* */" + written(),
    "RFC 8259 6 NaN": written(id="NaN"),
    "RFC 8259 6 Infinity": written(id="-Infinity"),
    "RFC 8259 6 a leading zero": written(id="01"),
    "RFC 8259 6 a plus": written(id="+1"),
    "RFC 8259 6 no digit before the point": written(id=".5"),
    "RFC 8259 6 no digit behind the point": written(id="1."),
    "RFC 8259 6 a hexadecimal number": written(id="0x1"),
    "RFC 8259 6 beyond a double": written(id="1e400"),
    "RFC 8259 8.1 a byte order mark": b"\xef\xbb\xbf" + written(),
    "RFC 8259 8.1 UTF-16": written().decode().encode("utf-16"),
    "RFC 8259 8.1 UTF-16 without a mark": written().decode().encode("utf-16-le"),
    "RFC 8259 8.1 UTF-32": written().decode().encode("utf-32"),
    "RFC 8259 8.1 Latin-1": written(id='"é"').decode().encode("latin-1"),
    "RFC 8259 8.1 an overlong form": b'{"jsonrpc": "2.0", "id": "\xc0\x80"}',
    "RFC 8259 8.2 a lone surrogate": written(id=r'"\ud800"'),
    "RFC 8259 9 nested too deep by one": nested(DEEP + 1),
    "RFC 8259 9 nested far too deep": nested(100_000),
    "RFC 8259 9 a batch nested too deep": b"[" * 5_000 + b"]" * 5_000,
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_not_json_is_a_parse_error_without_an_id(world: World, raw: bytes) -> None:
    assert_fails(tell(world, raw), PARSE, None)


NO_REQUEST = {
    "2 another case": b'{"JSONRPC": "2.0", "Id": 7, "Method": "tasks/send"}',
    "4 null": b"null",
    "4 true": b"true",
    "4 a number": b"1",
    "4 a text": b'"tasks/send"',
    "4 an empty object": b"{}",
    "4 a response": b'{"jsonrpc": "2.0", "id": 7, "result": 19}',
    "4 jsonrpc: missing, as in version 1": written(SEND, jsonrpc=None),
    "4 jsonrpc: 1.0": written(SEND, jsonrpc='"1.0"'),
    "4 jsonrpc: 2": written(SEND, jsonrpc='"2"'),
    "4 jsonrpc: a number": written(SEND, jsonrpc="2.0"),
    "4 jsonrpc: null": written(SEND, jsonrpc="null"),
    "4 method: missing": written(SEND, method=None),
    "4 method: null": written(SEND, method="null"),
    "4 method: a number": written(SEND, method="1"),
    "4 method: a list": written(SEND, method='["tasks/send"]'),
    "4 id: true": written(SEND, id="true"),
    "4 id: false": written(SEND, id="false"),
    "4 id: a list": written(SEND, id="[7]"),
    "4 id: an object": written(SEND, id="{}"),
    "4.2 params: null": written(SEND, params="null"),
    "4.2 params: a text": written(SEND, params='"bar"'),
    "4.2 params: a number": written(SEND, params="1"),
    "4.2 params: false": written(SEND, params="false"),
    "5 id: too large to come back as it was sent": written(SEND, id="18446744073709551616"),
    "5 id: too small to come back as it was sent": written(SEND, id="-9223372036854775809"),
    "5 id: more digits than come back": written(SEND, id="9007199254740993.0"),
    "4.1 a notification of another version": written(SEND, id=None, jsonrpc='"1.0"'),
    "4.1 a notification without a method": written(SEND, id=None, method=None),
    "4.1 a notification with bad params": written(SEND, id=None, params="1"),
    "6 an empty batch": b"[]",
    "6 a batch of one": b"[" + written(SEND) + b"]",
    "6 a batch of two": b"[" + written(SEND) + b"," + written(id="8") + b"]",
    "6 a batch of notifications": b"[" + written(SEND, id=None) + b"," + written(SEND, id=None) + b"]",
    "6 a batch of numbers": b"[1, 2, 3]",
    "6 a batch with one bad request": b"[" + written(SEND) + b', {"foo": "boo"}]',
    "6 a batch in a batch": b"[[" + written(SEND) + b"]]",
}


@pytest.mark.parametrize("raw", NO_REQUEST.values(), ids=NO_REQUEST)
def test_what_is_no_request_is_refused_without_an_id_and_without_effect(world: World, raw: bytes) -> None:
    before = orders(world)
    assert_fails(tell(world, raw), REQUEST, None)
    assert orders(world) == before


def test_7_a_refused_batch_is_answered_with_one_object(world: World) -> None:
    assert said(tell(world, b"[1, 2, 3]"))["error"]["data"] == {
        "detail": "batches are not supported: send one request object"
    }


FAILING = {
    "4 an unknown method": (METHOD, written(method='"foobar"')),
    "4 an empty method": (METHOD, written(method='""')),
    "4 a method of a later A2A": (METHOD, written(method='"message/send"')),
    "2 a method in another case": (METHOD, written(method='"Tasks/get"')),
    "4 a method with a space": (METHOD, written(method='"tasks/get "')),
    "4 a method with a NUL": (METHOD, written(method=r'"tasks/get\u0000"')),
    "4 a method that is no name of ours": (METHOD, written(method='"__class__"')),
    "8 a method of the system": (METHOD, written(method='"rpc.discover"')),
    "8 rpc. alone": (METHOD, written(method='"rpc."')),
    "8 one of ours behind rpc.": (METHOD, written(method='"rpc.tasks/get"')),
    "5.1 an unknown method before its params": (METHOD, written(method='"foobar"', params="[]")),
    "4.2 params left out": (PARAMS, written(params=None)),
    "4.2 by name: none": (PARAMS, written(params="{}")),
    "4.2 by name: in another case": (PARAMS, written(params=f'{{"ID": "{ORDER}"}}')),
    "4.2 by name: a wrong type": (PARAMS, written(params='{"id": 1}')),
    "4.2 by position: none": (PARAMS, written(params="[]")),
    "4.2 by position: the right one": (PARAMS, written(params=f'["{ORDER}"]')),
    "4.2 by position: the right names": (PARAMS, written(params=f'[{{"id": "{ORDER}"}}]')),
    "4.2 by position: to send": (PARAMS, written(SEND, params='["cap_ocr_invoice_v1"]')),
    "5.1 an error of the application": (NOT_FOUND, written(params=f'{{"id": "{UNKNOWN}"}}')),
}


@pytest.mark.parametrize(("code", "raw"), FAILING.values(), ids=FAILING)
def test_a_request_that_fails_is_told_why_under_its_id(world: World, code: int, raw: bytes) -> None:
    assert_fails(tell(world, raw), code, 7)


IDS = {
    "4 a text": '"req-001"',
    "4 an empty text": '""',
    "4 a text of digits": '"7"',
    "4 a text that says null": '"null"',
    "4 a text in many scripts": '"é ✓ 任务 😀"',
    "4 a text of escapes": r'"\u4efb\ud83d\ude00\"\\\/\b\n\u0000"',
    "4 a long text": f'"{"x" * 100_000}"',
    "4 zero": "0",
    "4 a number": "1",
    "4 a negative number": "-1",
    "4 as large as a double is exact": "9007199254740992",
    "4 larger than a double is exact": "9007199254740993",
    "4 the largest": "18446744073709551615",
    "4 the smallest": "-9223372036854775808",
    "4 a fraction": "1.5",
    "4 a negative fraction": "-0.25",
    "4 as precise as a double": "0.30000000000000004",
    "4 a whole number with a point": "1.0",
    "4 an exponent": "1e2",
    "4 null": "null",
}


@pytest.mark.parametrize("text", IDS.values(), ids=IDS)
@pytest.mark.parametrize(("method", "member"), [("tasks/get", "result"), ("foobar", "error")])
def test_5_the_id_comes_back_as_it_was_sent(world: World, text: str, method: str, member: str) -> None:
    body = said(tell(world, written(id=text, method=f'"{method}"')))
    assert (body["id"], type(body["id"])) == (key := json.loads(text), type(key))
    assert member in body


READ_ALL_THE_SAME = {
    "4 members in another order": written(dict(reversed(GET.items()))),
    "4 further members": written(trace='"x"', result="19", error='{"code": 1}'),
    "4 of two ids the last": written().replace(b"{", b'{"id": 6, ', 1),
    "4 of two methods the last": written().replace(b"{", b'{"method": "tasks/cancel", ', 1),
    "4.2 of two params the last": written().replace(b"{", b'{"params": [], ', 1),
    "4.2 further params": written(params=f'{{"id": "{ORDER}", "trace": "x"}}'),
    "RFC 8259 2 white space": b"\r\n\t " + written().replace(b" ", b"\n\t  ") + b"\n ",
    "RFC 8259 7 an escaped method": written(method=r'"tasks\/\u0067et"'),
    "RFC 8259 9 nested as deep as can be": nested(DEEP),
}


@pytest.mark.parametrize("raw", READ_ALL_THE_SAME.values(), ids=READ_ALL_THE_SAME)
def test_a_request_is_read_as_it_is_meant(world: World, raw: bytes) -> None:
    body = said(tell(world, raw))
    assert (body["id"], body["result"]["id"], body["result"]["status"]["state"]) == (7, ORDER, "submitted")


def assert_silent(reply: Reply) -> None:
    """What a notification gets: nothing, which HTTP says with 204."""
    assert (reply.status, reply.body) == (204, b"")
    assert "content-type" not in reply.headers


@pytest.mark.parametrize("more", [{}, {"trace": "1"}, {"Id": "7"}], ids=["4.1 plain", "4.1 more", "2 Id is no id"])
def test_4_1_a_notification_is_obeyed_and_not_answered(world: World, more: dict[str, str]) -> None:
    before = len(orders(world))
    assert_silent(tell(world, written(SEND, id=None, **more)))
    assert len(orders(world)) == before + 1


FAILING_QUIETLY = {
    "an unknown method": written(id=None, method='"foobar"'),
    "a method of the system": written(id=None, method='"rpc.discover"'),
    "no params": written(id=None, params=None),
    "params by position": written(id=None, params=f'["{ORDER}"]'),
    "an unknown task": written(CANCEL, id=None, params=f'{{"id": "{UNKNOWN}"}}'),
    "a task that is over": written(CANCEL, id=None, params=f'{{"id": "{seeded(4, 5)}"}}'),
    "nothing but reading": written(id=None),
}


@pytest.mark.parametrize("raw", FAILING_QUIETLY.values(), ids=FAILING_QUIETLY)
def test_4_1_a_notification_that_fails_is_not_answered_either(world: World, raw: bytes) -> None:
    before = orders(world)
    assert_silent(tell(world, raw))
    assert orders(world) == before


def test_4_1_a_notification_cancels(world: World) -> None:
    assert_silent(tell(world, written(CANCEL, id=None)))
    assert said(tell(world, written()))["result"]["status"]["state"] == "canceled"


def test_4_1_an_id_of_null_makes_no_notification(world: World) -> None:
    body = said(tell(world, written(SEND, id="null")))
    assert body["id"] is None
    assert body["result"]["id"] in {row["id"] for row in orders(world)}


@pytest.mark.parametrize("path", ["/a2a", "/a2a/", "/a2a?method=tasks/cancel&id=9"])
def test_4_only_the_body_says_what_is_asked(world: World, path: str) -> None:
    body = said(world.ask("POST", path, {"Content-Type": "application/json", **ADA}, written()))
    assert (body["id"], body["result"]["status"]["state"]) == (7, "submitted")


# tasks/sendSubscribe: a stream of responses (A2A 0.1.0), each of which is held to section 5; more in test_subscribe.py

SUBSCRIBE = {**GET, "method": '"tasks/sendSubscribe"'}


def subscribe(world: World, raw: bytes, **headers: str) -> httpx2.Response:
    """All of a subscription that ends by itself; one that stays open is a timeout."""
    sent = {"Content-Type": "application/json", "Accept": "text/event-stream", **ADA, **headers}
    return world.api.post("/a2a", content=raw, headers=sent)


def responses(text: str) -> list[Data]:
    """The response objects of the task events in a stream."""
    found = []
    for block in text.split("\n\n")[:-1]:
        event, *_, data = block.split("\n")
        assert (event, data[:6]) == ("event: task", "data: ")
        found.append(json.loads(data[6:]))
    return found


@pytest.mark.parametrize("text", IDS.values(), ids=IDS)
def test_5_each_event_of_a_subscription_is_a_response_under_the_requests_id(world: World, text: str) -> None:
    reply = subscribe(world, written(SUBSCRIBE, id=text, params=f'{{"id": "{seeded(4, 5)}"}}'))
    (body,) = responses(reply.text)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert set(body) == {"jsonrpc", "id", "result"}
    assert (body["jsonrpc"], body["id"], type(body["id"])) == ("2.0", key := json.loads(text), type(key))


NOT_SUBSCRIBED = {
    "4.2 no params": (PARAMS, 7, written(SUBSCRIBE, params=None)),
    "4.2 params as A2A sends a task": (PARAMS, 7, written(SUBSCRIBE, params='{"message": {}}')),
    "4 another case": (METHOD, 7, written(method='"tasks/sendsubscribe"')),
    "A2A a method that the vendor has not": (METHOD, 7, written(method='"tasks/resubscribe"')),
    "4 a bad id": (REQUEST, None, written(SUBSCRIBE, id="[]")),
    "4 another version": (REQUEST, None, written(SUBSCRIBE, jsonrpc='"1.0"')),
    "6 a batch": (REQUEST, None, b"[" + written(SUBSCRIBE) + b"]"),
    "5.1 half of it": (PARSE, None, written(SUBSCRIBE)[:-1]),
}


@pytest.mark.parametrize(("code", "key", "raw"), NOT_SUBSCRIBED.values(), ids=NOT_SUBSCRIBED)
def test_5_1_an_error_before_a_subscription_is_json(world: World, code: int, key: Json, raw: bytes) -> None:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **ADA}
    assert_fails(world.ask("POST", "/a2a", headers, raw), code, key)


@pytest.mark.parametrize("order", [seeded(4, 5), UNKNOWN], ids=["over", "unknown"])
def test_4_1_a_subscription_without_an_id_is_not_answered(world: World, order: str) -> None:
    assert_silent(tell(world, written(SUBSCRIBE, id=None, params=f'{{"id": "{order}"}}')))


def test_a_subscription_is_never_answered_from_memory(world: World) -> None:
    raw = written(SUBSCRIBE, params=f'{{"id": "{seeded(4, 5)}"}}')
    first, again = (subscribe(world, raw, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert responses(first.text) == responses(again.text) != []


# HTTP around it: what stops there is told in the envelope (assumed)


@pytest.mark.parametrize(
    "media",
    ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/json;", ""],
)
def test_json_is_taken_under_its_content_type_and_without_any(world: World, media: str) -> None:
    headers = {"Content-Type": media} if media else {}
    assert said(world.ask("POST", "/a2a", {**headers, **ADA}, written()))["id"] == 7


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/json-rpc", "application/jsonrequest", "application/x-www-form-urlencoded"],
)
def test_another_content_type_is_refused_before_json_rpc_and_without_effect(world: World, media: str) -> None:
    before = orders(world)
    reply = tell(world, written(SEND), media)
    assert (reply.status, reply.json()["code"]) == (415, 1001)
    assert orders(world) == before


@pytest.mark.parametrize("raw", [written(SEND), written(SEND, id=None), b"{"], ids=["request", "notification", "not"])
def test_who_is_not_signed_in_learns_nothing_in_json_rpc(world: World, raw: bytes) -> None:
    before = orders(world)
    reply = world.ask("POST", "/a2a", {"Content-Type": "application/json"}, raw)
    assert (reply.status, reply.json()["code"]) == (401, 1002)
    assert orders(world) == before


def test_a_body_that_is_too_large_is_refused_before_json_rpc(world: World) -> None:
    reply = tell(world, written(id=f'"{"x" * 1_100_000}"'))
    assert (reply.status, reply.json()["code"]) == (413, 1001)
