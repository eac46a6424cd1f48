"""The runs of PostHog's tasks: how they begin, what a change does to them, what their worker is told.

Nobody works here: runs move by triggers, or on the clock. FIDELITY.md lists what the worker is assumed to do.
"""

import hashlib
from base64 import urlsafe_b64encode
from urllib.parse import urlsplit

import jsonschema_rs

from tasktwin.behaviour.step import Step, effect
from tasktwin.errors import Refusal
from tasktwin.state import Row, format_instant
from tasktwin.wire import Json, dumps

PROVIDERS = {"claude": "anthropic", "codex": "openai"}
MODES = {
    "claude": ("default", "acceptEdits", "plan", "bypassPermissions", "auto"),
    "codex": ("auto", "read-only", "full-access"),
}
USUAL = ("low", "medium", "high")
MORE = (*USUAL, "xhigh")
EFFORTS = {
    **dict.fromkeys(("claude-opus-4-5", "claude-sonnet-4-6", "claude-sonnet-5"), USUAL),
    **dict.fromkeys(("claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8", "claude-fable-5"), (*MORE, "max")),
}
"""What Claude's models know (UTIL). Models of Codex know ``USUAL``, gpt-5.5 ``MORE``."""

FINAL = ("completed", "failed", "cancelled")
SENT = (
    "mode", "pr_authorship_mode", "run_source", "signal_report_id", "runtime_adapter", "model", "reasoning_effort",
    "sandbox_environment_id", "initial_permission_mode", "resume_from_run_id",
)  # fmt: skip
INHERITED = (
    "runtime_adapter", "provider", "model", "reasoning_effort", "pr_authorship_mode", "run_source",
    "sandbox_environment_id", "pr_base_branch", "snapshot_external_id",
)  # fmt: skip
GUARDED = ("github_credential_source", "pr_authorship_mode", "sandbox_id")
DAY = 86_400


def invalid(detail: str, attr: str | None, code: str = "invalid_input") -> Refusal:
    """A refusal as a serializer words it."""
    return Refusal("invalid", detail, ({"code": code, "detail": detail, "attr": attr},))


def later(step: Step, seconds: int) -> str:
    """A time after now, as rows have it; such texts compare like the times that they name."""
    return format_instant(step.world.instant + seconds * 1_000_000, step.world.rules.precision)


@effect("invalid")
def check_runtime(step: Step) -> None:
    """The rules between a new run's fields, in the serializer's order."""
    body: Json = step.body
    names = ("runtime_adapter", "model", "reasoning_effort", "initial_permission_mode")
    adapter, model, effort, mode = [body.get(name) for name in names]
    if mode and not adapter:
        raise invalid("This field requires runtime_adapter to be set.", "initial_permission_mode")
    if mode and mode not in MODES[adapter]:
        known = ", ".join(f"'{each}'" for each in MODES[adapter])
        words = f"Invalid choice '{mode}' for runtime_adapter '{adapter}'. Supported values: {known}."
        raise invalid(words, "initial_permission_mode")
    for name in ("runtime_adapter", "model"):
        if (adapter or model or effort) and not body.get(name):
            raise invalid("This field is required when selecting a cloud runtime.", name)
    efforts = EFFORTS.get(model, ()) if adapter == "claude" else MORE if model == "gpt-5.5" else USUAL
    if effort and effort not in efforts:
        words = f"Reasoning effort '{effort}' is not supported for runtime_adapter '{adapter}' and model '{model}'."
        raise invalid(f"{words} Supported values: {', '.join(efforts) or 'none'}.", "reasoning_effort")


def _check_usage(step: Step) -> None:
    """A project that has used up what it may use starts no cloud run until its limit resets (GATE)."""
    limit = step.read("usage", str(step.needed("project")["id"]))
    if limit and (limit["reset_at"] is None or limit["reset_at"] > step.now):
        word = {"burst": "daily", "sustained": "monthly"}.get(limit["limit_type"], "current")
        more = {name: limit[name] for name in ("limit_type", "reset_at") if limit[name] is not None}
        told = {"type": "rate_limited", "code": "usage_limit_exceeded", "is_pro": bool(limit["is_pro"])}
        raise Refusal("usage_limited", data={**told, "error": f"You have reached your {word} usage limit.", **more})


@effect("usage_limited", "refused_detail", "invalid", "artifacts_missing")
def fill_run(step: Step) -> None:
    """A new run takes over what it resumes, keeps what was sent, and uses up the staged artifacts."""
    body, row = step.body, step.row
    environment = row["environment"] or "local"
    if environment == "cloud":
        _check_usage(step)
    origin = _resumed(step)
    state = {name: origin["state"][name] for name in INHERITED if origin and origin["state"].get(name) is not None}
    _drop_sandbox(step, state)
    state |= {name: body[name] for name in SENT if body.get(name) is not None}
    _authorize(step, state)
    _keep_message(state, body)
    artifacts = _take_staged(step, body.get("pending_user_artifact_ids") or [])
    if artifacts:
        state["pending_user_artifact_ids"] = [each["id"] for each in artifacts]
    if state.get("runtime_adapter"):
        state["provider"] = PROVIDERS[state["runtime_adapter"]]
    branch = body.get("branch") or (origin or {}).get("branch")
    step.set(environment=environment, branch=branch, state=state, artifacts=artifacts, **_facets(state))


def _facets(state: dict[str, Json]) -> dict[str, Json]:
    """The fields of a run that only repeat its state."""
    known = {"runtime_adapter": [*MODES], "provider": [*PROVIDERS.values()], "reasoning_effort": [*MORE, "max"]}
    facets = {name: state.get(name) if state.get(name) in choices else None for name, choices in known.items()}
    return {**facets, "model": state["model"] if isinstance(state.get("model"), str) else None}


def _resumed(step: Step) -> Row:
    """The run of the same task that the new one resumes; empty if it resumes none."""
    wanted = step.body.get("resume_from_run_id")
    origin = step.read("run", str(wanted))
    if wanted and (origin is None or origin["task"] != step.row["task"]):
        step.refuse("refused_detail", "Invalid resume_from_run_id")
    return origin or {}


def _drop_sandbox(step: Step, state: dict[str, Json]) -> None:
    """A sandbox environment that is sent must exist; an inherited one that does not is dropped."""
    project = step.needed("project")["id"]

    def exists(key: Json) -> bool:
        row = step.read("sandbox_environment", str(key))
        return row is not None and row["project_id"] == project

    if step.body.get("sandbox_environment_id") and not exists(step.body["sandbox_environment_id"]):
        step.refuse("refused_detail", "Invalid sandbox_environment_id")
    if not exists(state.get("sandbox_environment_id")):
        state.pop("sandbox_environment_id", None)


def _authorize(step: Step, state: dict[str, Json]) -> None:
    """Who the pull request will be by: the user with a token or a link, else the team's integration (API)."""
    if state.get("run_source") == "signal_report":
        state["pr_authorship_mode"] = "bot"
    if state.get("pr_authorship_mode") != "user":
        return
    user, project, task = step.principal["user_id"], step.needed("project")["id"], step.needed("task")
    if step.body.get("github_user_token"):
        state["github_credential_source"] = "caller_token"
    elif not (task["creator_id"] == user and step.count("integration", kind="github_user", user_id=user)):
        if not step.count("integration", kind="github", project_id=project):
            words = "No GitHub account is linked."
            raise invalid(words, "pr_authorship_mode", "github_authorization_required")
        state |= {"pr_authorship_mode": "bot", "github_credential_source": "server_integration"}


def _keep_message(state: dict[str, Json], body: dict[str, Json]) -> None:
    message = (body.get("pending_user_message") or "").strip()
    if message:
        state["pending_user_message"] = message


def _take_staged(step: Step, wanted: list[str]) -> list[Json]:
    """The staged artifacts of these ids, which nobody can take again."""
    keys = {key: f"{step.row['task']}:{key}" for key in wanted}
    found = {key: step.read("staged", place) for key, place in keys.items()}
    kept = {key: row["artifact"] for key, row in found.items() if row and row["expires_at"] > step.now}
    missing = [key for key in keys if key not in kept]
    if missing:
        words = "Some pending_user_artifact_ids are invalid or expired"
        raise Refusal("artifacts_missing", words, data=missing)
    for place in keys.values():
        step.world.store.delete("staged", place)
    return [*kept.values()]


@effect()
def answer_task(step: Step) -> None:
    """The answer is the task, whose latest run may be this one."""
    step.answer_as("task", step.needed("task"))


@effect("refused", "usage_limited", "artifacts_missing")
def start_run(step: Step) -> None:
    """The worker is asked to begin; the status stays until it does."""
    body, row = step.body, step.row
    if row["environment"] != "cloud":
        step.refuse("refused", "Only cloud runs can be started via this endpoint")
    if row["status"] not in ("queued", "not_started"):
        words = f"Only queued or not_started cloud runs can be started (current status: {row['status']})"
        step.refuse("refused", words)
    _check_usage(step)
    wanted, state = body.get("pending_user_artifact_ids") or [], dict(row["state"])
    missing = _unknown(row, wanted)
    if missing:
        words = "Some pending_user_artifact_ids are invalid for this run"
        raise Refusal("artifacts_missing", words, data=missing)
    if wanted:
        state["pending_user_artifact_ids"] = wanted
    _keep_message(state, body)
    step.set(state=state, started=True)
    _await_worker(step)


@effect("refused", "usage_limited")
def resume_run(step: Step) -> None:
    """A run goes on in the cloud, interactively and without its old message."""
    before = step.before or {}
    if before["environment"] == "cloud" and before["status"] in ("queued", "in_progress"):
        step.refuse("refused", "Run is already active in cloud")
    _check_usage(step)
    kept = {name: value for name, value in before["state"].items() if name != "pending_user_message"}
    step.set(state={**kept, "handoff_resumed": True, "mode": "interactive"})
    _await_worker(step)


def _await_worker(step: Step) -> None:
    """A run that was queued before is on the clock only from now on."""
    step.world.arm(step.world.rules.collections["run"], step.row, step.world.instant)


def _unknown(run: Row, wanted: list[str]) -> list[str]:
    known = {each.get("id") for each in run["artifacts"]}
    return [key for key in wanted if key not in known]


@effect()
def merge_patch(step: Step) -> None:
    """Objects are merged into what is there, guarded keys stay, the first end is stamped for good (API)."""
    body, before = step.body, step.before or {}
    state = dict(before["state"])
    for name in body.get("state_remove_keys") or ():
        if name not in GUARDED:
            state.pop(name, None)
    state |= {name: value for name, value in (body.get("state") or {}).items() if name not in GUARDED}
    output = step.row["output"]
    if isinstance(output, dict) and isinstance(before["output"], dict):
        output = {**before["output"], **output}
    ended = step.now if step.row["status"] in FINAL else None
    step.set(output=output, state=state, completed_at=before["completed_at"] or ended, **_facets(state))


@effect("refused")
def check_output(step: Step) -> None:
    """The output must satisfy the task's schema, if it has one. References to elsewhere are not followed."""
    schema = step.needed("task")["json_schema"]
    if schema is None:
        return
    try:
        jsonschema_rs.validator_for(schema, retriever=_refuse_reference).validate(step.row["output"])
    except jsonschema_rs.ValidationError as error:
        step.refuse("refused", f"Output validation error: {error.message}")
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        step.refuse("refused", f"Output validation error: the schema cannot be used: {error}")


def _refuse_reference(address: str) -> Json:
    raise ValueError(f"{address} is elsewhere")


# ── what the worker does, and is told ────────────────────────────────────────────────────────────────────────────────


@effect()
def open_sandbox(step: Step) -> None:
    """The worker has a sandbox, and says so in the log."""
    if step.row["environment"] == "cloud":
        name = f"sandbox-{step.row['id'][:8]}"
        step.set(state={**step.row["state"], "sandbox_id": name, "sandbox_url": f"https://{name}.sandbox.example"})
    note(step, "_posthog/run_started")


@effect()
def close_sandbox(step: Step) -> None:
    """The worker's sandbox is gone."""
    step.set(state={name: value for name, value in step.row["state"].items() if name != "sandbox_url"})
    note(step, "_posthog/task_complete")


def note(step: Step, method: str) -> None:
    """A line of the worker's own in the run's log."""
    told = {"runId": step.row["id"], "status": step.row["status"]}
    notification = {"jsonrpc": "2.0", "method": method, "params": told}
    write(step, {"type": "notification", "timestamp": step.now, "notification": notification})


def write(step: Step, entry: Json) -> None:
    """Append an entry to the run's log, and to what its stream tells."""
    step.add("log_entry", run_id=step.row["id"], entry=entry)
    step.world.store.append(f"run:{step.row['id']}", step.world.instant, "log", entry)


@effect()
def notify(step: Step) -> None:
    """The creator's devices hear that a run ended, unless one of them shows the task right now (TESTP)."""
    row, before = step.row, step.before or {}
    if row["status"] not in FINAL or row["status"] == before.get("status"):
        return
    task = step.read("task", row["task"]) or {}
    user = task.get("creator_id")
    present = step.find("presence", task_id=row["task"], user_id=user)
    watched = any(each["expires_at"] > step.now and step.read("push_token", each["device_id"]) for each in present)
    for device in step.find("push_token", user_id=user) if user is not None else ():
        told = {"user_id": user, "device_id": device["id"], "task_id": row["task"], "run_id": row["id"]}
        step.add("push", **told, reason=row["status"], suppressed=watched)


@effect()
def relay_message(step: Step) -> Json:
    """To the run's Slack thread, if it has one and has not ended."""
    row = step.row
    if row["status"] in FINAL or not row["state"].get("slack_thread_url"):
        return {"status": "skipped"}
    return {"status": "accepted", "relay_id": f"relay-{step.new_id()}"}


@effect("invalid")
def check_command(step: Step) -> None:
    """What each method needs in its params."""
    method, params, key = step.body["method"], step.body.get("params") or {}, step.body.get("id")
    if not isinstance(key, (str, int, float, type(None))):
        raise invalid("id must be a string or number", "id")
    if method == "user_message":
        _check_message(params)
    wanted = {"permission_response": ("requestId", "optionId"), "set_config_option": ("configId", "value")}
    for name in wanted.get(method, ()):
        value = params.get(name)
        if not isinstance(value, str) or not value.strip():
            raise invalid(f"{name} is required and must be a non-empty string", "params")


def _check_message(params: dict[str, Json]) -> None:
    content, ids = params.get("content"), params.get("artifact_ids")
    if content is not None and not isinstance(content, str):
        raise invalid("content must be a string when provided", "params")
    if ids is not None and not (isinstance(ids, list) and all(isinstance(each, str) and each.strip() for each in ids)):
        raise invalid("artifact_ids must be a list of non-empty strings", "params")
    if not (content or "").strip() and not ids:
        raise invalid("user_message requires a non-empty content string, artifact_ids, or both", "params")


@effect("artifacts_unknown", "worker_gone", "refused")
def send_command(step: Step) -> Json:
    """A message is queued for the worker, anything else is handed to the sandbox, which acknowledges it."""
    body, row = step.body, step.row
    answer = {"jsonrpc": "2.0", "id": body.get("id")}
    if body["method"] == "user_message":
        missing = _unknown(row, (body.get("params") or {}).get("artifact_ids") or [])
        if missing:
            raise Refusal("artifacts_unknown", "Some artifact_ids are invalid for this run", data=missing)
        if row["status"] in FINAL:
            step.refuse("worker_gone")
        return {**answer, "result": {"queued": True}}
    address = row["state"].get("sandbox_url")
    if not address:
        step.refuse("refused", "No active sandbox for this task run")
    if not isinstance(address, str) or not address.startswith("https://") or not urlsplit(address).hostname:
        step.refuse("refused", "Invalid sandbox URL")
    return {**answer, "result": {"acknowledged": True}}


@effect()
def connection_token(step: Step) -> Json:
    """A token of the real one's shape (TOK), whose signature is drawn from the world's seed."""
    row, principal = step.row, step.principal
    claims = {
        "run_id": row["id"],
        "task_id": row["task"],
        "team_id": step.needed("project")["id"],
        "user_id": principal["user_id"],
        "distinct_id": principal["distinct_id"],
        "mode": row["state"].get("mode", "background"),
        "exp": step.world.instant // 1_000_000 + DAY,
        "aud": "posthog:sandbox_connection",
    }
    signed = ".".join(_encoded(dumps(part)) for part in ({"alg": "RS256", "kid": "twin", "typ": "JWT"}, claims))
    signature = hashlib.shake_256(f"{step.world.beginning.seed}:{signed}".encode()).digest(256)
    return {"token": f"{signed}.{_encoded(signature)}"}


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
