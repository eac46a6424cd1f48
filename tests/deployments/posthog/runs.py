"""PostHog Tasks, broken in the life of a run: its end, its output, its state, its commands."""

import re

from tests.deployments.breaking import SEEN, TRIES, fronted, remembering
from tests.deployments.deployment import Asked, Caller, Data, Told, at_once, edited, twin
from tests.deployments.fault import Faults
from tests.deployments.posthog.project import ENDED, FAILED, FILE, RUN, SCHEMED, TASK, read, started, ways

from tasktwin import Provider
from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.world import World
from tasktwin.effects.posthog import fill_run, merge_patch, send_command
from tasktwin.effects.posthog_runs import FINAL
from tasktwin.server.asgi import App
from tasktwin.wire import Json

FAULTS = Faults("posthog")


def ended_run_is_started(caller: Caller) -> bool:
    """A completed run is started."""
    return caller.post(f"{ENDED}start/", "ada", json={}).status_code == 200


@FAULTS.of_rules(
    "ended-run-started", "lifecycle", "API: only queued or not_started cloud runs can be started", ended_run_is_started
)
def start_ended(data: Data) -> None:
    """A run that is over can be started."""
    data["operations"]["startRun"]["guards"].pop(1)


def resumed_run_has_ended(caller: Caller) -> bool:
    """A failed run is resumed, and is queued with the time of its end."""
    run = caller.post(f"{FAILED}resume_in_cloud/", "ada").json()
    return run["status"] == "queued" and run["completed_at"] is not None


@FAULTS.of_rules(
    "resumed-with-its-end", "lifecycle", "MOD: resuming clears completed_at and error_message", resumed_run_has_ended
)
def resume_with_its_end(data: Data) -> None:
    """A resumed run keeps the time and the error of its end."""
    for name in ("completed_at", "error_message"):
        del ways(data)["resume"]["set"][name]


def end_moves(caller: Caller) -> bool:
    """A completed run gets another stage."""
    run = started(caller)
    before = caller.patch(run, "ada", json={"status": "completed"}).json()["completed_at"]
    after = caller.patch(run, "ada", json={"stage": "review"}).json()["completed_at"]
    return bool(before != after)


@FAULTS.of_effect(
    "ends-again", "lifecycle", "API: completed_at is set once, on the first final status", end_moves, "merge_patch"
)
def end_again(step: Step) -> None:
    """Any change of an ended run moves the time of its end."""
    merge_patch(step)
    if step.row["status"] in FINAL:
        step.set(completed_at=step.now)


def output_is_lost(caller: Caller) -> bool:
    """Two parts of the output come one after the other."""
    run = started(caller)
    for part in ({"commit": "c0ffee"}, {"pr_url": "https://github.com/acme/app/pull/8"}):
        caller.patch(run, "ada", json={"output": part})
    return "commit" not in read(caller, run)["output"]


@FAULTS.of_effect(
    "output-replaced",
    "contract",
    "API: an output that is an object is merged into the present one",
    output_is_lost,
    "merge_patch",
)
def replace_output(step: Step) -> None:
    """A part of the output that is sent replaces all of it."""
    merge_patch(step)
    if "output" in step.body:
        step.set(output=step.body["output"])


def state_is_lost(caller: Caller) -> bool:
    """Two parts of the state come at the same moment, a few times, since moments differ."""
    run, names = started(caller), [(f"left{n}", f"right{n}") for n in range(TRIES)]
    for pair in names:
        at_once(*[lambda name=name: caller.patch(run, "ada", json={"state": {name: 1}}) for name in pair])
    return not {name for pair in names for name in pair} <= read(caller, run)["state"].keys()


@FAULTS.of_provider("state-race", "race", "API: the state is merged", state_is_lost)
def merge_late(provider: Provider) -> App:
    """Of two changes of a run's state at the same moment one is lost."""

    def look(world: World, found: re.Match[str]) -> Json:
        return (world.store.get("run", found[1]) or {}).get("state")

    @effect()
    def merge_what_was_seen(step: Step) -> None:
        seen = SEEN.get()
        if step.before and isinstance(seen, dict):
            step.before = {**step.before, "state": seen}
        merge_patch(step)

    app = twin(edited(provider, lambda _: None, merge_patch=merge_what_was_seen))
    return remembering(app, r"PATCH /api/projects/[^/]+/tasks/[^/]+/runs/([^/]+)/?", look)


def unfit_output_is_taken(caller: Caller) -> bool:
    """The output of a run does not fit its task's schema."""
    answer = caller.patch(f"{SCHEMED}runs/{RUN('09')}/set_output/", "ada", json={"output": {"called": "Nyhavn"}})
    return answer.status_code == 200


@FAULTS.of_rules(
    "any-output", "validation", "API: with json_schema the output is validated, else 400", unfit_output_is_taken
)
def take_any_output(data: Data) -> None:
    """An output that does not fit the task's schema is taken."""
    ways(data)["set_output"].pop("effects")


def file_is_taken_twice(caller: Caller) -> bool:
    """A file is uploaded, and two runs are to have it."""
    staged = f"{TASK('01')}staged_artifacts/"
    prepared = caller.post(f"{staged}prepare_upload/", "ada", json={"artifacts": [FILE]}).json()["artifacts"][0]
    form = prepared["presigned_post"]
    caller.http.post(form["url"], data=form["fields"], files={"file": b"hello"})
    named = {name: prepared[name] for name in ("id", "name", "type", "storage_path")}
    caller.post(f"{staged}finalize_upload/", "ada", json={"artifacts": [named]})
    wanted = {"pending_user_artifact_ids": [prepared["id"]]}
    return [caller.post(f"{TASK('01')}run/", "ada", json=wanted).status_code for _ in range(2)] == [200, 200]


@FAULTS.of_effect(
    "staged-twice",
    "idempotency",
    "API: the staged entries are used up by the run that takes them",
    file_is_taken_twice,
    "fill_run",
    "invalid",
    "artifacts_missing",
)
def leave_staged(step: Step) -> None:
    """A staged file can be taken by several runs."""
    keys = [f"{step.row['task']}:{key}" for key in step.body.get("pending_user_artifact_ids") or ()]
    rows = [row for key in keys if (row := step.read("staged", key))]
    fill_run(step)
    for row in rows:
        step.add("staged", **row)


def command_loses_its_id(caller: Caller) -> bool:
    """A message is sent to a run."""
    command = {"jsonrpc": "2.0", "method": "user_message", "params": {"content": "Add a changelog entry."}, "id": 7}
    return bool(caller.post(f"{started(caller)}command/", "ada", json=command).json()["id"] != 7)


@FAULTS.of_effect(
    "command-without-id",
    "rpc",
    "JSON-RPC 2.0, 5: id must be that of the request",
    command_loses_its_id,
    "send_command",
    "artifacts_unknown",
    "worker_gone",
)
def answer_without_id(step: Step) -> Json:
    """The answer to a command has no id, whatever was sent."""
    return {**send_command(step), "id": None}


def error_has_no_code(caller: Caller) -> bool:
    """A run is read that is not there."""
    return "code" not in read(caller, f"{TASK('01')}runs/{RUN('99')}/")


@FAULTS.of_provider("bare-errors", "error", "HOG: type, code, detail and attr", error_has_no_code)
def bare_errors(provider: Provider) -> App:
    """What is not found under a task has an error without type and code."""

    def alter(asked: Asked, answered: Told) -> None:
        if answered.status == 404 and "/runs/" in asked.path:
            answered.say({"detail": "Not found."})

    return fronted(twin(provider), alter)
