"""The runs of PostHog's tasks: how they begin, what a change does to them, what their worker is told.

Nobody works here: runs move by triggers, or on the clock. FIDELITY.md lists what the worker is assumed to do.
"""

import hashlib
from base64 import urlsafe_b64encode

import jsonschema_rs

from tasktwin.behaviour.step import Step, effect
from tasktwin.errors import Refusal
from tasktwin.state import Row
from tasktwin.wire import Json, dumps

PROVIDERS = {"claude": "anthropic", "codex": "openai"}
EFFORTS = ("low", "medium", "high", "xhigh", "max")
FINAL = ("completed", "failed", "cancelled")
GUARDED = ("github_credential_source", "pr_authorship_mode", "sandbox_id")
DAY = 86_400


def invalid(detail: str, attr: str | None, code: str = "invalid_input") -> Refusal:
    """A refusal as a serializer words it."""
    return Refusal("invalid", detail, ({"code": code, "detail": detail, "attr": attr},))


@effect("invalid", "artifacts_missing")
def fill_run(step: Step) -> None:
    """A new run takes over what it resumes, keeps what was sent, and uses up the staged artifacts."""
    body, state = step.body, dict(step.row["state"])
    _authorize(step, state)
    _keep_message(state, body)
    artifacts = _take_staged(step, body.get("pending_user_artifact_ids") or [])
    if artifacts:
        state["pending_user_artifact_ids"] = [each["id"] for each in artifacts]
    step.set(state=state, artifacts=artifacts, **_facets(state))


def _facets(state: dict[str, Json]) -> dict[str, Json]:
    """The fields of a run that only repeat its state."""
    known = {"runtime_adapter": [*PROVIDERS], "provider": [*PROVIDERS.values()], "reasoning_effort": EFFORTS}
    facets = {name: state.get(name) if state.get(name) in choices else None for name, choices in known.items()}
    return {**facets, "model": state["model"] if isinstance(state.get("model"), str) else None}


def _authorize(step: Step, state: dict[str, Json]) -> None:
    """Who the pull request will be by: the user with a token or a link, else the team's integration (API)."""
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


@effect("artifacts_missing")
def start_run(step: Step) -> None:
    """The worker is asked to begin; the status stays until it does."""
    body, row = step.body, step.row
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


@effect()
def resume_run(step: Step) -> None:
    """A run goes on in the cloud, interactively and without its old message."""
    kept = {name: value for name, value in step.row["state"].items() if name != "pending_user_message"}
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
    step.tell("log", entry)


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


@effect("artifacts_unknown", "worker_gone")
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
