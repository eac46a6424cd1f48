"""The dialect ``drf`` against what Django REST framework 3.15 with drf-exceptions-hog 0.4 really answered.

``drf_pairs.json`` holds requests and answers captured from a small project with the serializers that ``BODIES`` and
``QUERIES`` describe; ``validated`` in an answer is what the serializer made of the request.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.contract.documents import operation

from tasktwin.behaviour.asked import Asked, Finding
from tasktwin.contract import Operation
from tasktwin.dialect.drf import read

PAIRS = json.loads(Path(__file__).with_name("drf_pairs.json").read_text())
TYPES = {
    "invalid": "validation_error",
    "malformed": "invalid_request",
    "unsupported_media_type": "invalid_request",
}

ORIGINS = [
    "error_tracking",
    "eval_clusters",
    "user_created",
    "automation",
    "slack",
    "support_queue",
    "session_summaries",
    "signal_report",
    "onboarding",
    "posthog_ai",
    "experiments",
    "signals_scout",
    "support_reply",
    "hogdesk",
    "review_hog",
    "image_builder",
    "loop",
    "mcp_analytics",
]
STATUSES = ["not_started", "queued", "in_progress", "completed", "failed", "cancelled"]
KINDS = ["plan", "context", "reference", "output", "artifact", "tree_snapshot", "user_attachment"]
MODES = ["default", "acceptEdits", "plan", "bypassPermissions", "auto", "read-only", "full-access"]

Node = dict[str, Any]
ANY: Node = {}
SOME: Node = {"type": ["object", "array", "string", "number", "boolean"]}
FLAG: Node = {"type": "boolean"}
UUID: Node = {"type": "string", "format": "uuid"}


def text(longest: int | None = None, *, blank: bool = False, null: bool = False, **more: Any) -> Node:
    """A ``CharField``."""
    limits = {"maxLength": longest} if longest else {}
    return {"type": ["string", "null"] if null else "string", **({} if blank else {"minLength": 1}), **limits, **more}


def choice(*values: str, **more: Any) -> Node:
    return {"type": "string", "enum": list(values), **more}


def number(low: int | None = None, high: int | None = None, **more: Any) -> Node:
    limits = {"minimum": low, "maximum": high}
    return {"type": "integer", **{key: each for key, each in limits.items() if each is not None}, **more}


def several(items: Node, **more: Any) -> Node:
    return {"type": "array", "items": items, **more}


def whole(*required: str, **properties: Node) -> Node:
    return {"type": "object", "required": list(required), "properties": properties}


def optional(node: Node) -> Node:
    return {**node, "default": None}


def either(node: Node) -> Node:
    return {"anyOf": [node, {"type": "null"}]}


REPOSITORY: Node = {
    "pattern": "^[^/]+/[^/]+$",
    "x-case": "lower",
    "x-messages": {"pattern": "Repository must be in the format organization/repository"},
}
NOT_EMPTY: Node = {"minItems": 1, "x-messages": {"minItems": "At least one artifact is required"}}
FILE = {"name": text(255), "type": choice(*KINDS), "source": text(64, blank=True, default="")}
RUNTIME = {
    "sandbox_environment_id": optional(UUID),
    "pr_authorship_mode": choice("user", "bot", default=None),
    "run_source": choice("manual", "signal_report", default=None),
    "signal_report_id": text(default=None),
    "runtime_adapter": choice("claude", "codex", default=None),
    "model": text(default=None),
    "reasoning_effort": choice("low", "medium", "high", "xhigh", "max", default=None),
    "github_user_token": text(default=None),
    "initial_permission_mode": choice(*MODES, default=None),
}
MODE = choice("interactive", "background", default="background")
MESSAGE = {
    "pending_user_message": text(blank=True, default=None),
    "pending_user_artifact_ids": several(text(128), default=[]),
}

BODIES: dict[str, Node] = {
    "task": whole(
        id={"type": "string", "readOnly": True},
        title=text(255, blank=True),
        title_manually_set=FLAG,
        description=text(blank=True),
        origin_product={"$ref": "#/components/schemas/Origin"},
        repository=text(255, blank=True, null=True, **REPOSITORY),
        github_integration={"type": ["integer", "null"], "x-related": True},
        github_user_integration=either({**UUID, "x-related": True}),
        signal_report={**UUID, "type": ["string", "null"], "x-related": True},
        signal_report_task_relationship=choice("implementation"),
        json_schema=ANY,
        internal=FLAG,
        archived={"allOf": [FLAG]},
        ci_prompt=text(blank=True, null=True),
    ),
    "run": whole(
        mode=MODE,
        branch=text(255, null=True, default=None),
        resume_from_run_id=optional(UUID),
        **MESSAGE,
        **RUNTIME,
    ),
    "run_create": whole(
        environment=choice("local", "cloud", default="local"),
        mode=MODE,
        branch=text(255, null=True, default=None),
        **RUNTIME,
    ),
    "run_patch": whole(
        status=choice(*STATUSES),
        branch=text(null=True),
        stage=text(null=True),
        output=ANY,
        state=SOME,
        state_remove_keys=several(text(), minItems=1),
        error_message=text(null=True, blank=True),
        environment={"const": "local"},
    ),
    "start": whole(**MESSAGE),
    "presence": whole("device_id", device_id=UUID),
    "staged_prepare": whole(
        "artifacts",
        artifacts=several(
            whole("name", "type", "size", **FILE, size=number(1, 31457280), content_type=text(255, blank=True)), **NOT_EMPTY
        ),
    ),
    "staged_finalize": whole(
        "artifacts",
        artifacts=several(
            whole(
                "id", "name", "type", "storage_path",
                id=text(), **FILE, storage_path=text(500), content_type=text(255, blank=True),
            ),
            **NOT_EMPTY,
        ),
    ),
    "artifacts_inline": whole(
        "artifacts",
        artifacts=several(
            whole(
                "name", "type", "content",
                **FILE,
                content=text(),
                content_encoding=choice("utf-8", "base64", default="utf-8"),
                content_type=text(255, blank=True),
            ),
            **NOT_EMPTY,
        ),
    ),
    "presign": whole("storage_path", storage_path=text(500)),
    "append_log": whole(
        "entries",
        entries=several(
            {"type": "object"}, minItems=1, **{"x-messages": {"minItems": "At least one log entry is required"}}
        ),
    ),
    "relay": whole("text", text=text(10000)),
    "set_output": whole("output", output=SOME),
    "summaries": whole("ids", ids=several(UUID, minItems=1, maxItems=5000)),
    "command": whole(
        "jsonrpc", "method",
        jsonrpc=choice("2.0"),
        method=choice("user_message", "cancel", "close", "permission_response", "set_config_option"),
        params={"type": "object", "default": {}},
        id={
            "type": ["string", "number", "boolean"],
            "default": None,
            "x-messages": {"type": "id must be a string or number"},
        },
    ),
}  # fmt: skip
QUERIES: dict[str, dict[str, Node]] = {
    "list_query": {
        "origin_product": text(),
        "stage": text(),
        "organization": text(),
        "repository": text(),
        "created_by": number(),
        "internal": FLAG,
        "search": text(blank=True),
        "status": choice(*STATUSES),
        "archived": choice("true", "false", "all"),
    },
    "readiness_query": {
        "repository": text(**REPOSITORY),
        "window_days": number(1, 30, default=7),
        "refresh": {**FLAG, "default": False},
    },
    "session_logs_query": {
        "after": {"type": "string", "format": "date-time"},
        "event_types": text(),
        "exclude_types": text(),
        "limit": number(1, 5000, default=1000),
        "offset": number(0, default=0),
    },
    "page": {
        "limit": number(1, 100, default=50, **{"x-lenient": True}),
        "offset": number(0, default=0, **{"x-lenient": True}),
    },
}

WORLD = "needs the rows of the world"
FIELDS = "is a rule between fields, which an effect has to keep"
BEYOND: dict[str, str] = {
    "object does not exist.": WORLD,
    "must belong to the same team": WORLD,
    "must belong to the authenticated user": WORLD,
    "when set.": FIELDS,
    "Signal report tasks use the team GitHub integration.": FIELDS,
    "This field is required when selecting a cloud runtime.": FIELDS,
    "This field requires runtime_adapter to be set.": FIELDS,
    "is not supported for runtime_adapter": FIELDS,
    "for runtime_adapter": FIELDS,
    "exceeds the 10MB attachment limit": FIELDS,
    "content must be a string when provided": FIELDS,
    "artifact_ids must be a list of non-empty strings": FIELDS,
    "user_message requires a non-empty content string, artifact_ids, or both": FIELDS,
    "is required and must be a non-empty string": FIELDS,
}
"""Refusals that no schema can say, by a part of their words, and why: the dialect lets these requests pass."""

TRIMMED = "the serializer's own code turns a blank message into none"
OTHERWISE: dict[tuple[str, str, str], str] = {
    ("run", '{"pending_user_message": "   "}', "application/json"): TRIMMED,
    ("run", '{"pending_user_message": ""}', "application/json"): TRIMMED,
    ("start", '{"pending_user_message": ""}', "application/json"): TRIMMED,
    (
        "task",
        "",
        "application/x-www-form-urlencoded",
    ): "the client that captured it drops the Content-Type of an empty body",
}
"""Requests that both accept, with other values: serializer, body, Content-Type, and why."""


@cache
def compiled(name: str, method: str) -> Operation:
    """The operation of a serializer."""
    if name in QUERIES:
        required = {"repository"} if name == "readiness_query" else set()
        parameters = [
            {"name": each, "in": "query", "required": each in required, "schema": schema}
            for each, schema in QUERIES[name].items()
        ]
        return operation(parameters=parameters)
    partial: dict[str, Any] = {"x-partial": True} if (name, method) == ("task", "PATCH") else {}
    content = {"application/json": {"schema": BODIES[name]}}
    return operation(requestBody={"content": content}, schemas={"Origin": choice(*ORIGINS)}, **partial)


def ask(pair: dict[str, Any]) -> Finding:
    body = pair.get("body_text", "").encode("utf-8", "surrogateescape")
    made = compiled(pair["serializer"], pair["method"])
    return read(Asked(made, {}, pair.get("query", "").encode(), pair.get("content_type", ""), body))


def known(pair: dict[str, Any]) -> str:
    """Why a pair cannot agree, ``""`` if it has to."""
    if pair["status"] == 200:
        return OTHERWISE.get((pair["serializer"], pair.get("body_text", ""), pair.get("content_type", "")), "")
    detail = pair["response_json"]["detail"]
    return next((why for words, why in BEYOND.items() if words in detail), "")


def plain(value: Any) -> Any:
    """Python writes moments otherwise than JSON does."""
    if isinstance(value, dict) and "after" in value:
        return {**value, "after": value["after"].replace(" ", "T").replace("+00:00", "Z")}
    return value


def labelled(pairs: list[dict[str, Any]]) -> list[Any]:
    sent = [ascii(pair.get("query") or pair.get("body_text", ""))[:40] for pair in pairs]
    return [pytest.param(pair, id=f"{index}-{pair['serializer']}-{sent[index]}") for index, pair in enumerate(pairs)]


@pytest.mark.parametrize("pair", labelled([each for each in PAIRS if each["status"] != 200 and not known(each)]))
def test_what_the_framework_refuses_is_refused_in_its_words(pair: dict[str, Any]) -> None:
    found = ask(pair)
    assert [{"type": TYPES[found.kind], **each} for each in found.faults] == [pair["response_json"]]
    assert (found.kind == "unsupported_media_type") == (pair["status"] == 415)


@pytest.mark.parametrize("pair", labelled([each for each in PAIRS if each["status"] == 200 and not known(each)]))
def test_what_the_framework_accepts_is_read_to_the_same_values(pair: dict[str, Any]) -> None:
    found = ask(pair)
    assert found.faults == ()
    if pair["serializer"] == "page":
        first = found.query["offset"]
        assert list(range(120))[first : first + found.query["limit"]] == pair["response_json"]["results"]
        return
    validated = found.query if pair["serializer"] in QUERIES else found.body
    assert list(validated.items()) == list(plain(pair["response_json"]["validated"]).items())


@pytest.mark.parametrize("pair", labelled([each for each in PAIRS if known(each)]))
def test_what_no_schema_can_say_is_let_pass(pair: dict[str, Any]) -> None:
    found = ask(pair)
    assert found.faults == ()
    if pair["status"] == 200:
        assert found.body != pair["response_json"]["validated"]


def test_every_reason_for_a_difference_is_needed() -> None:
    details = [each["response_json"].get("detail", "") for each in PAIRS]
    assert [words for words in BEYOND if not any(words in each for each in details)] == []
    sent = {(each["serializer"], each.get("body_text", ""), each.get("content_type", "")) for each in PAIRS}
    assert set(OTHERWISE) <= sent


def sent(
    schema: Node, body: str | bytes, media: str = "application/json", declared: str = "application/json"
) -> Finding:
    """A body for an operation of its own."""
    made = operation(requestBody={"content": {declared: {"schema": schema}}}, schemas={"Node": TREE})
    return read(Asked(made, {"id": "7"}, b"", media, body.encode() if isinstance(body, str) else body))


def part(name: str, content: str, more: str = "") -> bytes:
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{content}\r\n--B--\r\n'.encode()


TREE = whole("name", name=text(), children=several({"$ref": "#/components/schemas/Node"}))
UPLOAD = whole("file", file={"type": "string", "contentMediaType": "image/png"})
UNION: Node = {
    "oneOf": [
        whole("kind", kind=choice("a"), size=number()),
        whole("kind", kind=choice("a"), colour={"oneOf": [choice("red"), {"enum": [""]}, {"enum": [None]}]}),
    ]
}
MULTIPART = "multipart/form-data; boundary=B"


@pytest.mark.parametrize(
    ("schema", "body", "code", "attr"),
    [
        (TREE, '{"name": "a", "children": [{"name": "b", "children": [{}]}]}', "{'children': [{'name': ['required']}]}", "children"),
        (UNION, "{}", "required", "kind"),
        (UNION, '{"kind": "a", "size": "x", "colour": "blue"}', "invalid_input", "size"),
        (UNION, '{"kind": "a", "colour": "\\ud800"}', "invalid_choice", "colour"),
        (whole(a={"type": "object", "additionalProperties": number()}), '{"a": {"b": "x"}}', "invalid_input", "a__b"),
        (whole(a=whole("b", b=FLAG)), '{"a": {}}', "required", "a__b"),
        (whole(a=whole("b", b=FLAG)), '{"a": 5}', "invalid_input", "a__non_field_errors"),
        (whole(a=text(minLength=3)), '{"a": "ab"}', "min_length", "a"),
        (whole(a=several(FLAG, minItems=2)), '{"a": [1]}', "min_length", "a"),
        (whole(a=several(whole(b=FLAG), maxItems=1)), '{"a": [{}, {}]}', "max_length", "a__non_field_errors"),
        (whole(a=text(pattern="^x$")), '{"a": "y"}', "invalid_input", "a"),
        (whole(a={"type": "number", "maximum": 1}), '{"a": "1.5"}', "max_value", "a"),
        (whole(a={"type": "string", "format": "date"}), '{"a": "2026-13-01"}', "invalid_input", "a"),
        (whole(a=ANY), '{"a": "\\ud800"}', "invalid_input", "a"),
        (UPLOAD, '{"file": "x"}', "invalid_input", "file"),
        (several(FLAG), '["x"]', "invalid_input", "0"),
    ],
)  # fmt: skip
def test_a_wrong_body_has_a_fault_that_can_be_sent(schema: Node, body: str, code: str, attr: str) -> None:
    (fault,) = sent(schema, body).faults
    assert (fault["code"], fault["attr"]) == (code, attr)
    assert fault["detail"].encode()


@pytest.mark.parametrize(
    ("schema", "body", "value"),
    [
        (TREE, '{"name": "a", "children": [{"name": "b"}]}', {"name": "a", "children": [{"name": "b"}]}),
        (UNION, '{"kind": "a", "size": "7", "colour": null}', {"kind": "a", "size": 7, "colour": None}),
        (UNION, '{"kind": "a", "colour": ""}', {"kind": "a", "colour": ""}),
        (whole(a=text(**{"x-trim": False})), '{"a": " b "}', {"a": " b "}),
        (whole(a={"type": "string", "format": "date"}), '{"a": "2026-1-2"}', {"a": "2026-01-02"}),
        (whole(a=ANY), '{"a": 100000000000000000000}', {"a": 1e20}),
        (whole(a={**FLAG, "type": ["boolean", "null"]}), '{"a": "null"}', {"a": None}),
        (whole(a={"type": "string", "default": "b", "readOnly": True}), '{"a": "c"}', {}),
    ],
)
def test_a_right_body_is_read_as_its_schema_says(schema: Node, body: str, value: Any) -> None:
    assert sent(schema, body) == Finding({"id": "7"}, {}, value)


def test_a_file_is_read_from_the_form_that_is_declared() -> None:
    body = part("file", "png", '; filename="a.png"')
    assert sent(UPLOAD, body, MULTIPART, "multipart/form-data").body == {"file": b"png"}


def test_what_is_not_declared_beside_a_form_is_an_unsupported_media_type() -> None:
    found = sent(UPLOAD, "{}", "application/json", "multipart/form-data")
    assert (found.kind, found.faults[0]["detail"]) == (
        "unsupported_media_type",
        'Unsupported media type "application/json" in request.',
    )


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ("[" * 100_000, "application/json"),
        ('{"a":' * 201 + "1" + "}" * 201, "application/json"),
        ("&".join(["a=1"] * 1001), "application/x-www-form-urlencoded"),
        ("--B\r\n", MULTIPART),
    ],
    ids=["endless", "deep", "many fields", "broken form"],
)
def test_a_body_beyond_all_measure_is_malformed(body: str, media: str) -> None:
    found = sent(whole(a=ANY), body, media)
    assert (found.kind, found.faults[0]["code"], found.body) == ("malformed", "parse_error", None)


def test_the_query_is_told_before_the_body() -> None:
    parameters = [{"name": "n", "in": "query", "schema": number()}]
    made = operation(parameters=parameters, requestBody={"content": {"application/json": {"schema": whole(a=FLAG)}}})
    found = read(Asked(made, {}, b"n=x", "application/json", b"{"))
    assert (found.kind, [each["attr"] for each in found.faults]) == ("invalid", ["n"])
