"""What one request is answered, row by row: the case's id names the row of the facts."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tasktwin.exchange.twin import Answer, Twin
from tasktwin.wire import Json

TASKS = "/api/projects/@current/tasks/"
FORM = "{}-0000-4000-8000-{:012d}".format


def task(n: int) -> str:
    """The path of a task of the seeds."""
    return f"{FORM('10000000', n)}/"


def run(n: int, of: int) -> str:
    """The path of a run of the seeds."""
    return f"{task(of)}runs/{FORM('20000000', n)}/"


PHONE, BENS_PHONE, NOBODYS = FORM("30000000", 1), FORM("30000000", 3), FORM("f0000000", 9)
WRONG, NOT_FOUND = "validation_error", ("invalid_request", "not_found", "Not found.", None)
NO_TASK = ("invalid_request", "not_found", "Task not found", None)
NO_PROJECT = ("invalid_request", "not_found", "Project not found.", None)
NO_KEY = ("authentication_error", "not_authenticated", "Authentication credentials were not provided.", None)
JSON = {"content-type": "application/json"}


def denied(words: str) -> tuple[str, str, str, None]:
    """A permission that is lacking."""
    return ("authentication_error", "permission_denied", words, None)


def bad_key(place: str) -> tuple[str, str, str, None]:
    """A wrong key, and where it stood."""
    return ("authentication_error", "authentication_failed", f"Personal API key found in {place} is invalid.", None)


def field_fault(name: str | None, code: str, words: str) -> tuple[str, str, str, str | None]:
    """What a serializer says about a field."""
    return (WRONG, code, words, name)


@dataclass(frozen=True)
class Row:
    """One row: what is asked, and the status and body that come back. A tuple is an error of the usual shape."""

    method: str
    path: str
    status: int
    answer: Any = None
    body: Json = None
    as_: str = "ada"
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def answered(row: Row, twin: Twin) -> Answer:
    """The answer to a row's request."""
    path = row.path if row.path.startswith("/") else TASKS + row.path
    return twin.request(row.method, path, json=row.body, content=row.content, headers=row.headers, as_=row.as_)


def check(row: Row, twin: Twin) -> None:
    """Ask, and compare what the row tells."""
    answer = answered(row, twin)
    assert answer.status == row.status, answer.content
    if isinstance(row.answer, tuple):
        assert tuple(answer.json()[name] for name in ("type", "code", "detail", "attr")) == row.answer
    elif isinstance(row.answer, dict):
        shown = answer.json()
        assert {name: shown[name] for name in row.answer} == row.answer
    elif row.answer is not None:
        assert answer.json() == row.answer


def key(value: str) -> dict[str, str]:
    """A header with this key."""
    return {"authorization": f"Bearer {value}"}


LIMITED = denied("API key does not have access to the requested project: ID 1.")
WRITE, READ = (denied(f"API key missing required scope 'task:{word}'") for word in ("write", "read"))

KEYS = {
    "header": Row("GET", "", 200),
    "body key": Row("POST", "summaries/", 200, body={"ids": [NOBODYS], "personal_api_key": "phx_ada_all"}, as_=""),
    "query key": Row("GET", "?personal_api_key=phx_ada_all", 200, as_=""),
    "wrong in header, right in query": Row(
        "GET",
        "?personal_api_key=phx_ada_all",
        403,
        bad_key("request Authorization header"),
        as_="",
        headers=key("phx_x"),
    ),
    "wrong in body, right in query": Row(
        "POST",
        "?personal_api_key=phx_ada_all",
        403,
        bad_key("request body"),
        body={"personal_api_key": "phx_x"},
        as_="",
    ),
    "wrong in query": Row("GET", "?personal_api_key=phx_x", 403, bad_key("request query string"), as_=""),
    "right in body, wrong in query": Row(
        "POST", "?personal_api_key=phx_x", 201, body={"personal_api_key": "phx_ada_all"}, as_=""
    ),
    "no key": Row("GET", "", 403, NO_KEY, as_=""),
    "basic": Row("GET", "", 403, NO_KEY, as_="", headers={"authorization": "Basic abc"}),
    "empty bearer, key in query": Row("GET", "?personal_api_key=phx_ada_all", 200, as_="", headers=key("")),
    "legacy key": Row("GET", "", 200, as_="", headers=key("legacykey")),
    "no key, malformed JSON": Row("POST", "", 400, as_="", content=b"{", headers=JSON),
    "no key, text": Row("POST", "", 415, as_="", content=b"x", headers={"content-type": "text/plain"}),
    "wrong key, malformed JSON": Row("POST", "", 403, as_="", content=b"{", headers={**JSON, **key("phx_x")}),
    "read lists": Row("GET", "", 200, as_="ada_reader"),
    "write reads": Row("GET", "", 200, as_="ada_writer"),
    "read cannot write": Row("POST", "", 403, WRITE, body={}, as_="ada_reader"),
    "no task scope": Row("GET", "", 403, READ, as_="", headers=key("phx_ada_insights")),
    "summaries need read": Row("POST", "summaries/", 200, body={"ids": [NOBODYS]}, as_="ada_reader"),
    "presign needs read": Row(
        "POST", f"{run(4, 3)}artifacts/presign/", 404, body={"storage_path": "x"}, as_="ada_reader"
    ),
    "connection token needs write": Row("GET", f"{run(4, 3)}connection_token/", 403, WRITE, as_="ada_reader"),
    "key of another project": Row("GET", "/api/projects/1/tasks/", 403, LIMITED, as_="ada_beta"),
    "not a member": Row("GET", "/api/projects/3/tasks/", 403, denied("You don't have access to the project.")),
    "project by number": Row("GET", "/api/projects/2/tasks/", 200, {"count": 1}),
    "project is a word": Row("GET", "/api/projects/abc/tasks/", 404, NO_PROJECT),
    "unknown project": Row("GET", "/api/projects/99/tasks/", 404, NO_PROJECT),
    "task of another project": Row("GET", task(15), 404, NOT_FOUND),
    "no trailing slash": Row("GET", task(1).removesuffix("/"), 200),
    "unknown path": Row("GET", f"{task(1)}nothing/", 404, NOT_FOUND),
    "scope before body": Row("POST", "", 403, WRITE, body={"title": None}, as_="ada_reader"),
}

ERRORS = {
    "unknown task": Row("GET", f"{NOBODYS}/", 404, NOT_FOUND),
    "malformed task id": Row("GET", "x/", 404, NOT_FOUND),
    "team-mate's task": Row("GET", task(10), 404, NOT_FOUND),
    "unknown parent": Row("GET", f"{NOBODYS}/runs/", 404, NO_TASK),
    "unknown run": Row("GET", f"{task(1)}runs/{NOBODYS}/", 404, NOT_FOUND),
    "run of another task": Row("GET", run(4, 1), 404, NOT_FOUND),
    "malformed JSON": Row(
        "POST",
        "",
        400,
        ("invalid_request", "parse_error", "JSON parse error - Expecting value: line 1 column 10 (char 9)", None),
        content=b'{"title":}',
        headers=JSON,
    ),
    "list as a body": Row(
        "POST",
        "",
        400,
        field_fault(None, "invalid_input", "Invalid data. Expected a dictionary, but got list."),
        body=[],
    ),
    "no body": Row("POST", "", 201, {"title": "", "description": ""}),
    "media type": Row(
        "POST",
        "",
        415,
        ("invalid_request", "unsupported_media_type", 'Unsupported media type "text/plain" in request.', None),
        content=b"x",
        headers={"content-type": "text/plain"},
    ),
    "PUT on a run": Row(
        "PUT", run(4, 3), 405, ("invalid_request", "method_not_allowed", 'Method "PUT" not allowed.', None), body={}
    ),
    "DELETE on a run": Row("DELETE", run(4, 3), 405),
    "POST on a task": Row("POST", task(1), 405),
    "GET on presence": Row("GET", f"{task(1)}presence/", 405),
    "404 before 400 in PATCH": Row("PATCH", f"{NOBODYS}/", 404, NOT_FOUND, body={"title": None}),
    "404 before 400 in PUT": Row("PUT", f"{NOBODYS}/", 404, NOT_FOUND, body={"title": None}),
    "400 of a PATCH": Row(
        "PATCH", task(1), 400, field_fault("title", "null", "This field may not be null."), body={"title": None}
    ),
    "400 before 404 in presence": Row(
        "POST", f"{NOBODYS}/presence/", 400, field_fault("device_id", "required", "This field is required."), body={}
    ),
    "400 before 404 in run": Row("POST", f"{NOBODYS}/run/", 400, body={"mode": "x"}),
    "400 before 404 across fields": Row("POST", f"{NOBODYS}/run/", 400, body={"model": "m"}),
    "400 before 404 in staged": Row("POST", f"{NOBODYS}/staged_artifacts/prepare_upload/", 400, body={"artifacts": []}),
    "400 before 404 in a run's patch": Row("PATCH", f"{task(1)}runs/{NOBODYS}/", 400, body={"status": "x"}),
    "404 of run": Row("POST", f"{NOBODYS}/run/", 404, NOT_FOUND),
    "404 of createRun": Row("POST", f"{NOBODYS}/runs/", 404, NO_TASK),
}

REPORT, OTHER_REPORT = FORM("70000000", 1), FORM("70000000", 2)
OWN_GITHUB, SUES_GITHUB = FORM("60000000", 1), FORM("60000000", 2)
SHAPE = field_fault("repository", "invalid_input", "Repository must be in the format organization/repository")
RELATION = "signal_report_task_relationship"

CREATE = {
    "title": Row(
        "POST",
        "",
        201,
        {
            "title": "T",
            "title_manually_set": True,
            "task_number": 15,
            "slug": "ACM-15",
            "latest_run": None,
            "origin_product": "user_created",
        },
        {"title": "T"},
    ),
    "title, not by hand": Row(
        "POST", "", 201, {"title_manually_set": False}, {"title": "T", "title_manually_set": False}
    ),
    "description only": Row(
        "POST", "", 201, {"title": "Fix it", "title_manually_set": False}, {"description": "Fix it\nsoon"}
    ),
    "blank title": Row(
        "POST", "", 201, {"title": "Fix it", "title_manually_set": False}, {"title": "", "description": "Fix it"}
    ),
    "three capitals": Row("POST", "/api/projects/2/tasks/", 201, {"slug": "BET-1"}, {}),
    "lower case": Row("POST", "", 201, {"repository": "acme/app"}, {"repository": "Acme/App"}),
    "repository without a slash": Row("POST", "", 400, SHAPE, {"repository": "acme"}),
    "repository with two": Row("POST", "", 400, SHAPE, {"repository": "a/b/c"}),
    "repository null": Row("POST", "", 201, {"repository": None}, {"repository": None}),
    "title of 255": Row("POST", "", 201, None, {"title": "x" * 255}),
    "title of 256": Row(
        "POST",
        "",
        400,
        field_fault("title", "max_length", "Ensure this field has no more than 255 characters."),
        {"title": "x" * 256},
    ),
    "origin foo": Row(
        "POST",
        "",
        400,
        field_fault("origin_product", "invalid_choice", '"foo" is not a valid choice.'),
        {"origin_product": "foo"},
    ),
    "first integration": Row("POST", "", 201, {"github_integration": 31}, {}),
    "no integration": Row("POST", "/api/projects/2/tasks/", 201, {"github_integration": None}, {}),
    "integration of another team": Row(
        "POST",
        "",
        400,
        field_fault("github_integration", "invalid_input", "Integration must belong to the same team"),
        {"github_integration": 33},
    ),
    "integration of another kind": Row(
        "POST",
        "",
        400,
        field_fault("github_integration", "does_not_exist", 'Invalid pk "32" - object does not exist.'),
        {"github_integration": 32},
    ),
    "own user integration": Row(
        "POST", "", 201, {"github_user_integration": OWN_GITHUB}, {"github_user_integration": OWN_GITHUB}
    ),
    "another's user integration": Row(
        "POST",
        "",
        400,
        field_fault(
            "github_user_integration", "invalid_input", "User integration must belong to the authenticated user"
        ),
        {"github_user_integration": SUES_GITHUB},
    ),
    "report with user integration": Row(
        "POST",
        "",
        400,
        field_fault("github_user_integration", "invalid_input", "Signal report tasks use the team GitHub integration."),
        {"github_user_integration": OWN_GITHUB, "origin_product": "signal_report"},
    ),
    "report of another team": Row(
        "POST",
        "",
        400,
        field_fault("signal_report", "invalid_input", "Signal report must belong to the same team"),
        {"signal_report": OTHER_REPORT},
    ),
    "relationship without report": Row(
        "POST",
        "",
        400,
        field_fault(RELATION, "invalid_input", "Requires signal_report when set."),
        {RELATION: "implementation"},
    ),
    "relationship of another origin": Row(
        "POST",
        "",
        400,
        field_fault(RELATION, "invalid_input", "Requires origin_product signal_report when set."),
        {RELATION: "implementation", "signal_report": REPORT},
    ),
    "relationship": Row(
        "POST",
        "",
        201,
        {"signal_report": REPORT},
        {RELATION: "implementation", "signal_report": REPORT, "origin_product": "signal_report"},
    ),
    "read-only fields": Row("POST", "", 201, {"task_number": 15}, {"task_number": 99, "slug": "x", "latest_run": {}}),
}

RUNS = f"{task(1)}runs/"
EFFORT = "Reasoning effort '{}' is not supported for runtime_adapter '{}' and model '{}'. Supported values: {}."
CLAUDE = {"runtime_adapter": "claude", "model": "claude-sonnet-4-6"}
CODEX = {"runtime_adapter": "codex", "model": "gpt-5"}
SELECTING = "This field is required when selecting a cloud runtime."


def command(method: str, **params: Json) -> Json:
    """The body of a command."""
    return {"jsonrpc": "2.0", "method": method, "params": params, "id": 7}


RUNNING = {
    "no fields": Row("POST", f"{task(2)}run/", 200, {"slug": "ACM-1"}),
    "resume another task's run": Row(
        "POST",
        f"{task(2)}run/",
        400,
        {"detail": "Invalid resume_from_run_id"},
        {"resume_from_run_id": FORM("20000000", 1)},
    ),
    "unknown sandbox": Row(
        "POST", f"{task(2)}run/", 400, {"detail": "Invalid sandbox_environment_id"}, {"sandbox_environment_id": NOBODYS}
    ),
    "unknown staged": Row(
        "POST",
        f"{task(2)}run/",
        400,
        {"detail": "Some pending_user_artifact_ids are invalid or expired", "missing_artifact_ids": ["a"]},
        {"pending_user_artifact_ids": ["a"]},
    ),
    "model without runtime": Row(
        "POST", RUNS, 400, field_fault("runtime_adapter", "invalid_input", SELECTING), {"model": "m"}
    ),
    "runtime without model": Row(
        "POST", RUNS, 400, field_fault("model", "invalid_input", SELECTING), {"runtime_adapter": "codex"}
    ),
    "effort alone": Row(
        "POST", RUNS, 400, field_fault("runtime_adapter", "invalid_input", SELECTING), {"reasoning_effort": "low"}
    ),
    "mode without runtime": Row(
        "POST",
        RUNS,
        400,
        field_fault("initial_permission_mode", "invalid_input", "This field requires runtime_adapter to be set."),
        {"initial_permission_mode": "plan"},
    ),
    "plan with codex": Row(
        "POST",
        RUNS,
        400,
        field_fault(
            "initial_permission_mode",
            "invalid_input",
            "Invalid choice 'plan' for runtime_adapter 'codex'. Supported values: 'auto', 'read-only', 'full-access'.",
        ),
        {**CODEX, "initial_permission_mode": "plan"},
    ),
    "effort too high": Row(
        "POST",
        RUNS,
        400,
        field_fault(
            "reasoning_effort",
            "invalid_input",
            EFFORT.format("max", "claude", "claude-sonnet-4-6", "low, medium, high"),
        ),
        {**CLAUDE, "reasoning_effort": "max"},
    ),
    "unknown model": Row(
        "POST",
        RUNS,
        400,
        field_fault("reasoning_effort", "invalid_input", EFFORT.format("low", "claude", "x", "none")),
        {**CLAUDE, "model": "x", "reasoning_effort": "low"},
    ),
    "codex xhigh": Row("POST", RUNS, 400, None, {**CODEX, "reasoning_effort": "xhigh"}),
    "gpt-5.5 xhigh": Row(
        "POST",
        RUNS,
        201,
        {"reasoning_effort": "xhigh", "provider": "openai", "environment": "local", "status": "queued"},
        {**CODEX, "model": "gpt-5.5", "reasoning_effort": "xhigh"},
    ),
    "cloud": Row(
        "POST", RUNS, 201, {"environment": "cloud", "state": {"mode": "background"}}, {"environment": "cloud"}
    ),
    "user of nobody's task falls back": Row(
        "POST",
        f"{task(14)}runs/",
        201,
        {
            "state": {
                "mode": "background",
                "pr_authorship_mode": "bot",
                "github_credential_source": "server_integration",
            }
        },
        {"pr_authorship_mode": "user"},
    ),
    "user with token": Row(
        "POST",
        RUNS,
        201,
        {"state": {"mode": "background", "pr_authorship_mode": "user", "github_credential_source": "caller_token"}},
        {"pr_authorship_mode": "user", "github_user_token": "ghu"},
    ),
    "report is a bot's": Row(
        "POST",
        RUNS,
        201,
        {"state": {"mode": "background", "pr_authorship_mode": "bot", "run_source": "signal_report"}},
        {"pr_authorship_mode": "user", "run_source": "signal_report"},
    ),
    "start a local run": Row(
        "POST", f"{run(7, 6)}start/", 400, {"error": "Only cloud runs can be started via this endpoint"}
    ),
    "start an ended run": Row(
        "POST",
        f"{run(4, 3)}start/",
        400,
        {"error": "Only queued or not_started cloud runs can be started (current status: completed)"},
    ),
    "start with unknown ids": Row(
        "POST",
        f"{run(3, 2)}start/",
        400,
        {"detail": "Some pending_user_artifact_ids are invalid for this run", "missing_artifact_ids": ["a"]},
        {"pending_user_artifact_ids": ["a"]},
    ),
    "start answers the task": Row("POST", f"{run(3, 2)}start/", 200, {"slug": "ACM-1"}),
    "resume an active run": Row(
        "POST", f"{run(2, 1)}resume_in_cloud/", 400, {"error": "Run is already active in cloud"}
    ),
    "resume an ended run": Row(
        "POST",
        f"{run(1, 1)}resume_in_cloud/",
        200,
        {
            "status": "queued",
            "environment": "cloud",
            "completed_at": None,
            "error_message": None,
            "state": {"mode": "interactive", "handoff_resumed": True},
        },
    ),
    "output": Row("PATCH", f"{run(4, 3)}set_output/", 200, {"output": {"x": 1}}, {"output": {"x": 1}}),
    "output that does not fit": Row(
        "PATCH",
        f"{run(9, 16)}set_output/",
        400,
        {"error": 'Output validation error: "name" is a required property'},
        {"output": {}},
    ),
    "output that fits": Row(
        "PATCH", f"{run(9, 16)}set_output/", 200, {"output": {"name": "Spring"}}, {"output": {"name": "Spring"}}
    ),
    "no output": Row(
        "PATCH", f"{run(4, 3)}set_output/", 400, field_fault("output", "required", "This field is required."), {}
    ),
    "no entries": Row(
        "POST",
        f"{run(4, 3)}append_log/",
        400,
        field_fault("entries", "invalid_input", "At least one log entry is required"),
        {"entries": []},
    ),
    "relay of an ended run": Row("POST", f"{run(4, 3)}relay_message/", 200, {"status": "skipped"}, {"text": "hi"}),
    "relay without a thread": Row("POST", f"{run(2, 1)}relay_message/", 200, {"status": "skipped"}, {"text": "hi"}),
    "relay of 10001": Row("POST", f"{run(2, 1)}relay_message/", 400, None, {"text": "x" * 10001}),
    "message": Row(
        "POST",
        f"{run(2, 1)}command/",
        200,
        {"jsonrpc": "2.0", "id": 7, "result": {"queued": True}},
        command("user_message", content="hi"),
    ),
    "blank message": Row(
        "POST",
        f"{run(2, 1)}command/",
        400,
        field_fault(
            "params", "invalid_input", "user_message requires a non-empty content string, artifact_ids, or both"
        ),
        command("user_message", content=" "),
    ),
    "message with unknown artifacts": Row(
        "POST",
        f"{run(2, 1)}command/",
        400,
        {"error": "Some artifact_ids are invalid for this run", "missing_artifact_ids": ["a"]},
        command("user_message", artifact_ids=["a"]),
    ),
    "message to an ended run": Row(
        "POST",
        f"{run(4, 3)}command/",
        502,
        {"error": "Failed to queue user message for task run"},
        command("user_message", content="hi"),
    ),
    "permission without option": Row(
        "POST",
        f"{run(2, 1)}command/",
        400,
        field_fault("params", "invalid_input", "optionId is required and must be a non-empty string"),
        command("permission_response", requestId="r"),
    ),
    "option without value": Row(
        "POST",
        f"{run(2, 1)}command/",
        400,
        field_fault("params", "invalid_input", "value is required and must be a non-empty string"),
        command("set_config_option", configId="c"),
    ),
    "no sandbox": Row(
        "POST", f"{run(2, 1)}command/", 400, {"error": "No active sandbox for this task run"}, command("cancel")
    ),
    "artifact of another run": Row(
        "POST",
        f"{run(4, 3)}artifacts/presign/",
        404,
        {"error": "Artifact not found on this run"},
        {"storage_path": "x"},
    ),
}

OTHERS = {
    "repositories": Row(
        "GET",
        "repositories/",
        200,
        {"repositories": ["acme/api", "acme/app", "acme/onboarding", "acme/webhooks", "other/api"]},
    ),
    "no ids": Row("POST", "summaries/", 400, field_fault("ids", "required", "This field is required."), {}),
    "empty ids": Row(
        "POST", "summaries/", 400, field_fault("ids", "empty", "This list may not be empty."), {"ids": []}
    ),
    "wrong id": Row(
        "POST",
        "summaries/",
        400,
        field_fault("ids__1", "invalid_input", "Must be a valid UUID."),
        {"ids": [NOBODYS, "x"]},
    ),
    "unknown ids": Row("POST", "summaries/", 200, {"count": 0, "results": []}, {"ids": [NOBODYS]}),
    "readiness": Row(
        "GET",
        "repository_readiness/?repository=Acme/App",
        200,
        {"repository": "Acme/App", "windowDays": 7, "cacheAgeSeconds": 0},
    ),
    "readiness of 31 days": Row(
        "GET",
        "repository_readiness/?repository=a/b&window_days=31",
        400,
        field_fault("window_days", "max_value", "Ensure this value is less than or equal to 30."),
    ),
    "readiness of nothing": Row(
        "GET", "repository_readiness/", 400, field_fault("repository", "required", "This field is required.")
    ),
    "presence of an own device": Row("POST", f"{task(1)}presence/", 204, None, {"device_id": PHONE}),
    "presence of another's device": Row(
        "POST",
        f"{task(1)}presence/",
        404,
        ("invalid_request", "not_found", "device_id does not match a push token registered by the caller", None),
        {"device_id": BENS_PHONE},
    ),
    "presence on an invisible task": Row("POST", f"{task(10)}presence/", 404, NOT_FOUND, {"device_id": PHONE}),
    "clear an unknown device": Row("DELETE", f"{task(1)}presence/", 204, None, {"device_id": NOBODYS}),
    "clear without a body": Row(
        "DELETE", f"{task(1)}presence/", 400, field_fault("device_id", "required", "This field is required.")
    ),
    "clear on an unknown task": Row("DELETE", f"{NOBODYS}/presence/", 404, NOT_FOUND, {"device_id": PHONE}),
    "log lines after x": Row("GET", f"{run(4, 3)}session_logs/?after=x", 400),
    "log limit 5001": Row(
        "GET",
        f"{run(4, 3)}session_logs/?limit=5001",
        400,
        field_fault("limit", "max_value", "Ensure this value is less than or equal to 5000."),
    ),
    "PDF too large": Row(
        "POST",
        f"{task(1)}staged_artifacts/prepare_upload/",
        400,
        field_fault(
            "artifacts",
            "{'size': ['invalid']}",
            "{'size': [ErrorDetail(string='a.pdf exceeds the 10MB attachment limit for PDFs in cloud runs', code='invalid')]}",
        ),
        {"artifacts": [{"name": "a.pdf", "type": "user_attachment", "size": 10485761}]},
    ),
    "plan as large": Row(
        "POST",
        f"{task(1)}staged_artifacts/prepare_upload/",
        200,
        None,
        {"artifacts": [{"name": "a.pdf", "type": "plan", "size": 10485761}]},
    ),
    "size 0": Row(
        "POST",
        f"{task(1)}staged_artifacts/prepare_upload/",
        400,
        None,
        {"artifacts": [{"name": "a", "type": "plan", "size": 0}]},
    ),
    "no artifacts": Row(
        "POST",
        f"{task(1)}staged_artifacts/finalize_upload/",
        400,
        field_fault("artifacts", "invalid_input", "At least one artifact is required"),
        {"artifacts": []},
    ),
    "bad base64": Row(
        "POST",
        f"{run(4, 3)}artifacts/",
        400,
        field_fault(
            "artifacts",
            "{'content': ['invalid']}",
            "{'content': [ErrorDetail(string='Invalid base64 content', code='invalid')]}",
        ),
        {"artifacts": [{"name": "a", "type": "plan", "content": "?", "content_encoding": "base64"}]},
    ),
}


@pytest.mark.parametrize("row", KEYS.values(), ids=KEYS)
def test_keys_and_projects(row: Row, twin: Twin) -> None:
    check(row, twin)


@pytest.mark.parametrize("row", ERRORS.values(), ids=ERRORS)
def test_errors(row: Row, twin: Twin) -> None:
    check(row, twin)


@pytest.mark.parametrize("row", CREATE.values(), ids=CREATE)
def test_creating_a_task(row: Row, twin: Twin) -> None:
    check(row, twin)


@pytest.mark.parametrize("row", RUNNING.values(), ids=RUNNING)
def test_runs(row: Row, twin: Twin) -> None:
    check(row, twin)


@pytest.mark.parametrize("row", OTHERS.values(), ids=OTHERS)
def test_other_routes(row: Row, twin: Twin) -> None:
    check(row, twin)


LISTED = {
    "all": ("", "16 14 13 12 11 6 5 4 3 2 1"),
    "archived=true": ("archived=true", "7"),
    "archived=all": ("archived=all", "16 14 13 12 11 7 6 5 4 3 2 1"),
    "created_by": ("created_by=2", "13 12 11"),
    "internal for others": ("internal=true", "16 14 13 12 11 6 5 4 3 2 1"),
    "organization": ("organization=%20OTHER%20", "12"),
    "origin_product": ("origin_product=signals_scout", "12"),
    "unknown origin": ("origin_product=nonsense", ""),
    "whole repository": ("repository=Acme/Webhooks", "1"),
    "last part of the repository": ("repository=API", "12 11"),
    "search in any case": ("search=WEB", "4 1"),
    "search by number": ("search=6&archived=all", "7"),
    "search by slug": ("search=POS-3", "4"),
    "search by no number": ("search=POS-3a", ""),
    "blank search": ("search=%20", "16 14 13 12 11 6 5 4 3 2 1"),
    "stage of an older run": ("stage=plan", "1"),
    "status of the latest run": ("status=failed", "4"),
    "status without runs": ("status=not_started", "6"),
    "two filters": ("search=chart&status=cancelled", "5"),
    "the last of two": ("status=failed&status=queued", "2"),
    "blank filters": ("stage=&status=&archived=&created_by=", "16 14 13 12 11 6 5 4 3 2 1"),
}


@pytest.mark.parametrize(("query", "found"), LISTED.values(), ids=LISTED)
def test_a_list_keeps(query: str, found: str, twin: Twin) -> None:
    answer = twin.request("GET", f"{TASKS}?{query}", as_="ada").json()
    shown = [str(int(each["id"][-12:])) for each in answer["results"]]
    assert (shown, answer["count"]) == (found.split(), len(shown))


def test_a_run_by_the_user_needs_somebody_to_authorize_it(twin: Twin) -> None:
    twin.world.store.delete("integration", "31")
    answer = twin.request("POST", f"{TASKS}{task(14)}run/", as_="ada", json={"pr_authorship_mode": "user"})
    assert (answer.status, answer.json()["code"], answer.json()["attr"]) == (
        400,
        "github_authorization_required",
        "pr_authorship_mode",
    )


REFUSED = {
    "archived": ("archived=x", field_fault("archived", "invalid_choice", '"x" is not a valid choice.')),
    "created_by": ("created_by=x", field_fault("created_by", "invalid_input", "A valid integer is required.")),
    "internal": ("internal=x", field_fault("internal", "invalid_input", "Must be a valid boolean.")),
    "status": ("status=x", field_fault("status", "invalid_choice", '"x" is not a valid choice.')),
    "stage": ("stage=%20", field_fault("stage", "blank", "This field may not be blank.")),
}


@pytest.mark.parametrize(("query", "fault"), REFUSED.values(), ids=REFUSED)
def test_a_list_refuses(query: str, fault: Any, twin: Twin) -> None:
    check(Row("GET", f"?{query}", 400, fault), twin)


def test_staff_see_internal_tasks_when_they_ask_for_them(twin: Twin) -> None:
    twin.request("POST", TASKS, as_="sue", json={"internal": True, "title": "secret"})
    titles = [each["title"] for each in twin.request("GET", f"{TASKS}?internal=true", as_="sue").json()["results"]]
    assert titles == ["secret"]


PAGES = {
    "first": ("limit=4", 4, "limit=4&offset=4", None),
    "middle": ("offset=4&limit=4", 4, "limit=4&offset=8", "limit=4"),
    "clamped": ("limit=500", 11, None, None),
    "zero": ("limit=0", 11, None, None),
    "beyond": ("offset=100&limit=4", 0, None, "limit=4&offset=96"),
    "bad offset": ("offset=x&limit=10", 10, "limit=10&offset=10", None),
    "kept and sorted": ("search=a+b&limit=1&archived=all", 0, None, None),
    "kept": ("search=the&limit=1&archived=all", 1, "archived=all&limit=1&offset=1&search=the", None),
}


@pytest.mark.parametrize(("query", "size", "following", "previous"), PAGES.values(), ids=PAGES)
def test_a_page(query: str, size: int, following: str | None, previous: str | None, twin: Twin) -> None:
    page = twin.request("GET", f"{TASKS}?{query}", as_="ada").json()
    base = f"http://localhost{TASKS}?"
    links = tuple(link and base + link for link in (following, previous))
    assert (len(page["results"]), page["next"], page["previous"]) == (size, *links)
