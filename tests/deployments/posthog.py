"""PostHog Tasks, broken in the ways in which agents' tasks, runs, logs and streams break."""

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2
from starlette.middleware.gzip import GZipMiddleware
from tests.deployments.aitasker import SEEN, TRIES, Faults, fronted, rebound, remembering, turned, wait
from tests.deployments.deployment import (
    Asked,
    Caller,
    Data,
    Event,
    Told,
    at_once,
    edited,
    preceded,
    retold,
    twin,
)

from tasktwin import Provider
from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.world import World
from tasktwin.effects.posthog import (
    change_task,
    fill_run,
    fill_task,
    log_entries,
    merge_patch,
    send_command,
)
from tasktwin.effects.posthog_log import MOST_ENTRIES
from tasktwin.effects.posthog_runs import FINAL
from tasktwin.server.asgi import App
from tasktwin.state import Query, Row
from tasktwin.wire import Json

TASKS = "/api/projects/1/tasks/"
TASK = f"{TASKS}10000000-0000-4000-8000-0000000000{{}}/".format
RUN = "20000000-0000-4000-8000-0000000000{}".format
BENS, SCHEMED = TASK("10"), TASK("16")
"""A task that only Ben sees, and one whose runs' output must fit a schema."""

FAILED, ENDED = f"{TASK('01')}runs/{RUN('01')}/", f"{TASK('03')}runs/{RUN('04')}/"
FILE: Data = {"name": "notes.txt", "type": "context", "size": 5, "content_type": "text/plain"}
BOUNDED = {"Prefer": "stream=bounded"}
LONGEST_TITLE = 255
CHUNK = "agent_message_chunk"
"""What is neither kept nor told."""

BEATING = 21
"""Seconds after which a stream that has nothing to tell has said so."""

PATIENCE = 4
"""Real seconds in which something that is due has surely come."""

FAULTS = Faults("posthog")


def ways(data: Data) -> Data:
    """The transitions of a run."""
    found: Data = data["lifecycles"]["run"]["transitions"]
    return found


def made(caller: Caller, **more: Json) -> Data:
    """A new task of Ada's."""
    found: Data = caller.post(TASKS, "ada", json={"title": "Dark mode", **more}).json()
    return found


def started(caller: Caller) -> str:
    """The path of a new run of a new task."""
    runs = f"{TASKS}{made(caller)['id']}/runs/"
    return f"{runs}{caller.post(runs, 'ada', json={}).json()['id']}/"


def read(caller: Caller, path: str) -> Data:
    """What Ada reads."""
    found: Data = caller.get(path, "ada").json()
    return found


def told(caller: Caller, run: str, **headers: str) -> list[Event]:
    """What the stream of a run has told by now."""
    return [*caller.events("GET", f"{run}stream/", "ada", headers={**BOUNDED, **headers})]


def note(number: int) -> Data:
    """An entry of a log."""
    said = {"jsonrpc": "2.0", "method": "_posthog/console", "params": {"n": number}}
    return {"type": "notification", "timestamp": "2026-05-12T09:30:00Z", "notification": said}


def noted(caller: Caller, count: int) -> str:
    """The path of a new run with so many entries in its log."""
    run = started(caller)
    for number in range(count):
        caller.post(f"{run}append_log/", "ada", json={"entries": [note(number)]})
    return run


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def mates_task_is_read(caller: Caller) -> bool:
    """Ada reads what Ben keeps for himself."""
    return caller.get(BENS, "ada").status_code == 200


@FAULTS.of_rules(
    "mates-task", "isolation", "VIS: a task is visible to who created it; TESTP: else 404", mates_task_is_read
)
def all_by_id(data: Data) -> None:
    """A team-mate's task, which no list shows, can be read, changed and run by its id."""
    anybody = {"project_id": "$project#/id", "$request.path.task_id": {"set": True}}
    data["collections"]["task"]["visible"].append(anybody)


def mates_run_is_read(caller: Caller) -> bool:
    """Ada reads the run of a task that she does not see, under a task of her own."""
    return caller.get(f"{TASK('01')}runs/{RUN('10')}/", "ada").status_code == 200


@FAULTS.of_rules("run-of-any-task", "isolation", "API: a run belongs to the task in its path", mates_run_is_read)
def run_of_any_task(data: Data) -> None:
    """A run is found under any task, so that runs of invisible tasks can be read."""
    del data["operations"]["retrieveRun"]["where"]


def another_tasks_run_is_resumed(caller: Caller) -> bool:
    """A run of one task goes on with what a run of another did."""
    answer = caller.post(f"{TASK('02')}run/", "ada", json={"resume_from_run_id": RUN("02")})
    return answer.status_code == 200


@FAULTS.of_rules(
    "resumes-any-run",
    "isolation",
    "API: resume_from_run_id is a run of the same task, else 400",
    another_tasks_run_is_resumed,
)
def resume_any_run(data: Data) -> None:
    """A run can resume one of another task, and takes over what that was given."""
    for name in ("runTask", "createRun"):
        for need in data["operations"][name]["needs"]:
            if need["as"] == "origin":
                del need["where"]


def limited_key_goes_elsewhere(caller: Caller) -> bool:
    """A key for the other project reads this one."""
    return caller.get(TASKS, "ada_beta").status_code == 200


@FAULTS.of_rules(
    "key-for-all-projects",
    "isolation",
    "PERM: API key does not have access to the requested project",
    limited_key_goes_elsewhere,
)
def key_for_all_projects(data: Data) -> None:
    """A key that is limited to one project is good for all of its owner's."""
    data["admission"].pop()


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def deleted_is_read(caller: Caller) -> bool:
    """A task is deleted, and read."""
    task = f"{TASKS}{made(caller)['id']}/"
    return caller.delete(task, "ada").status_code == 204 and caller.get(task, "ada").status_code == 200


@FAULTS.of_rules("deleted-served", "lifecycle", "TEST: 404 after a task was deleted", deleted_is_read)
def serve_deleted(data: Data) -> None:
    """A deleted task can still be read."""
    del data["operations"]["retrieveTask"]["where"]


def archived_again(caller: Caller) -> bool:
    """An archived task is archived."""
    task = f"{TASKS}{made(caller)['id']}/"
    stamps = [caller.patch(task, "ada", json={"archived": True}).json()["archived_at"] for _ in range(2)]
    return bool(stamps[0] != stamps[1])


@FAULTS.of_effect(
    "archived-again",
    "lifecycle",
    "TEST: archived_at is kept when archived was true already",
    archived_again,
    "change_task",
)
def stamp_again(step: Step) -> None:
    """Archiving an archived task stamps it anew."""
    change_task(step)
    if step.body.get("archived"):
        step.set(archived_at=step.now)


def number_comes_back(caller: Caller) -> bool:
    """A task is deleted, and the next one has its number."""
    first = made(caller)
    caller.delete(f"{TASKS}{first['id']}/", "ada")
    return bool(made(caller)["task_number"] == first["task_number"])


@FAULTS.of_effect(
    "number-reused",
    "lifecycle",
    "MOD: task_number is one more than the highest, deleted ones included",
    number_comes_back,
    "fill_task",
)
def number_by_count(step: Step) -> None:
    """The number of a deleted task is given to the next one."""
    fill_task(step)
    number = step.count("task", project_id=step.row["project_id"], deleted=False) - 1
    step.set(task_number=number, slug=renumbered(step.row, number), updated_at=step.row["updated_at"])


def renumbered(row: Row, number: int) -> str:
    """The slug of a task with another number."""
    return f"{row['slug'].partition('-')[0]}-{number}"


def two_have_one_number(caller: Caller) -> bool:
    """Two tasks are made at the same moment, a few times, since moments differ."""
    pairs = (at_once(*[lambda: caller.post(TASKS, "ada", json={"title": "Dark mode"})] * 2) for _ in range(TRIES))
    return any(first.json()["slug"] == second.json()["slug"] for first, second in pairs)


@FAULTS.of_provider(
    "number-race", "race", "MOD: task_number is one more than the highest of the team", two_have_one_number
)
def number_late(provider: Provider) -> App:
    """Two tasks that are made at the same moment have one number and one slug."""

    def look(world: World, _found: re.Match[str]) -> Json:
        newest = world.store.first(Query("task", (("project_id", 1),), "task_number", descending=True))
        return newest["task_number"] + 1 if newest else 0

    @effect()
    def fill_and_number(step: Step) -> None:
        fill_task(step)
        number = SEEN.get()
        if isinstance(number, int):
            step.set(task_number=number, slug=renumbered(step.row, number), updated_at=step.row["updated_at"])

    return remembering(twin(edited(provider, lambda _: None, fill_task=fill_and_number)), f"POST {TASKS}?", look)


def longest_title_breaks(caller: Caller) -> bool:
    """A task has the longest title that is allowed."""
    return caller.post(TASKS, "ada", json={"title": "x" * LONGEST_TITLE}).status_code == 500


@FAULTS.of_provider("longest-title", "error", "SER-OLD: title has at most 255 characters", longest_title_breaks)
def break_on_longest_title(provider: Provider) -> App:
    """The longest title that is allowed is answered with 500."""

    @effect("broken")
    def fill(step: Step) -> None:
        if len(step.row["title"] or "") == LONGEST_TITLE:
            step.refuse("broken")
        fill_task(step)

    def change(data: Data) -> None:
        unforeseen = {"status": 500, "type": "server_error", "code": "error", "message": "A server error occurred."}
        data["errors"]["kinds"]["broken"] = {**unforeseen, "provenance": "observed HOG"}

    return twin(edited(provider, change, fill_task=fill))


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def count_is_of_the_page(caller: Caller) -> bool:
    """There is a next page, and yet no more than this one holds."""
    page = read(caller, f"{TASKS}?limit=2")
    return page["next"] is not None and page["count"] == 2


@FAULTS.of_provider("counts-the-page", "paging", "API: count is how many there are after filters", count_is_of_the_page)
def count_the_page(provider: Provider) -> App:
    """The count of a list is that of the page."""
    paging = provider.rules.bindings["listTasks"].paging
    assert paging is not None
    tell = paging.answer

    def count(scope: Scope) -> Json:
        page = tell(scope)
        return {**page, "count": len(page["results"])}

    return twin(rebound(provider, "listTasks", paging=replace(paging, answer=count)))


def next_page_is_of_all(caller: Caller) -> bool:
    """The next page of a filtered list is followed."""
    page = read(caller, f"{TASKS}?repository=acme/app&limit=1")
    return any(task["repository"] != "acme/app" for task in read(caller, page["next"])["results"])


@FAULTS.of_provider(
    "next-forgets-filters", "paging", "PROBE: links keep the other query parameters", next_page_is_of_all
)
def link_without_filters(provider: Provider) -> App:
    """The link to the next page leaves out the filters."""
    paging = provider.rules.bindings["listTasks"].paging
    assert paging is not None
    tell = paging.answer

    def bare(link: str | None) -> str | None:
        if link is None:
            return None
        parts = urlsplit(link)
        kept = [pair for pair in parse_qsl(parts.query) if pair[0] in ("limit", "offset")]
        return urlunsplit(parts._replace(query=urlencode(kept)))

    def forget(scope: Scope) -> Json:
        page = tell(scope)
        return {**page, "next": bare(page["next"]), "previous": bare(page["previous"])}

    return twin(rebound(provider, "listTasks", paging=replace(paging, answer=forget)))


def old_status_is_found(caller: Caller) -> bool:
    """A task is listed as failed whose latest run is in progress."""
    found = read(caller, f"{TASKS}?status=failed")["results"]
    return any(task["latest_run"]["status"] != "failed" for task in found)


@FAULTS.of_provider("status-of-any-run", "filter", "API: status is that of the latest run", old_status_is_found)
def any_run_counts(provider: Provider) -> App:
    """A list filtered by status has tasks of which an earlier run had it."""

    def has_had_status(step: Step, row: Row, value: str) -> bool:
        return step.count("run", task=row["id"], status=value) > 0

    filters = provider.rules.bindings["listTasks"].filters
    joined = tuple(replace(each, test=has_had_status) if each.field == "status" else each for each in filters)
    return twin(rebound(provider, "listTasks", filters=joined))


def more_is_promised(caller: Caller) -> bool:
    """A log is read in as many entries as it has."""
    run = noted(caller, 2)
    first, second = (caller.get(f"{run}session_logs/?limit=2&offset={offset}", "ada") for offset in (0, 2))
    return first.headers["x-has-more"] == "true" and second.json() == []


@FAULTS.of_effect("more-after-the-last", "paging", "API: X-Has-More", more_is_promised, "log_entries")
def more_after_the_last(step: Step) -> Json:
    """The last part of a log says that there is more when it is full."""
    part = log_entries(step)
    more = str(len(part) == (step.scope["request.query"].get("limit") or MOST_ENTRIES)).lower()
    said = step.scope["told"]
    said["headers"] = tuple((name, more if name == "X-Has-More" else value) for name, value in said["headers"])
    return part


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def resumed_stream_has_a_gap(caller: Caller) -> bool:
    """A reader comes back after its second event."""
    run = noted(caller, 4)
    ids = [event.id for event in told(caller, run)]
    resumed = [event.id for event in told(caller, run, **{"Last-Event-ID": ids[1]})]
    return resumed == ids[3:]


@FAULTS.of_provider("resume-skips", "stream", "STREAM: all entries after Last-Event-ID", resumed_stream_has_a_gap)
def skip_on_resume(provider: Provider) -> App:
    """A stream that is resumed leaves out the first event behind Last-Event-ID."""

    def begin(asked: Asked) -> Callable[[bytes], list[bytes]]:
        skipped = not asked.headers.get("last-event-id")

        def turn(block: bytes) -> list[bytes]:
            nonlocal skipped
            if skipped or not block.startswith(b"id:"):
                return [block]
            skipped = True
            return []

        return turn

    return retold(twin(provider), begin)


def resumed_stream_repeats(caller: Caller) -> bool:
    """A reader comes back after its second event."""
    run = noted(caller, 4)
    ids = [event.id for event in told(caller, run)]
    return ids[1] in [event.id for event in told(caller, run, **{"Last-Event-ID": ids[1]})]


@FAULTS.of_provider(
    "resume-repeats", "stream", "STREAM: only entries strictly after Last-Event-ID", resumed_stream_repeats
)
def repeat_on_resume(provider: Provider) -> App:
    """A stream that is resumed begins with the event that was received already."""
    stream = provider.rules.bindings["streamRun"].stream
    assert stream is not None
    resume = stream.resume

    def earlier(scope: Scope) -> Json:
        last = resume(scope)
        found = re.fullmatch(r"(\d+)-(\d+)", last) if isinstance(last, str) else None
        if not found:
            return last
        moment, serial = int(found[1]), int(found[2])
        return f"{moment}-{serial - 1}" if serial else f"{moment - 1}-999999"

    return twin(rebound(provider, "streamRun", stream=replace(stream, resume=earlier)))


def stream_and_log_differ(caller: Caller) -> bool:
    """Three entries come together, and are read from the log and from the stream."""
    run = started(caller)
    caller.post(f"{run}append_log/", "ada", json={"entries": [note(number) for number in range(3)]})
    streamed = [event.json() for event in told(caller, run)]
    logged = caller.get(f"{run}session_logs/", "ada").json()
    return bool([each for each in streamed if each["type"] == "notification"] != logged)


@FAULTS.of_effect(
    "told-backwards",
    "stream",
    "itself: the log has them in the order in which they came",
    stream_and_log_differ,
    "append_log",
)
def tell_backwards(step: Step) -> None:
    """Log entries that were appended together are streamed in reverse."""
    entries = [each for each in step.body["entries"] if CHUNK not in str(each)]
    for entry in entries:
        step.add("log_entry", run_id=step.row["id"], entry=entry)
    for entry in reversed(entries):
        step.tell("log", entry)
    step.answer_as("run", step.row)
    step.answer_with(Server_Timing="storage;dur=0")


def end_is_not_told(caller: Caller) -> bool:
    """A run is completed by its agent."""
    run = started(caller)
    caller.patch(run, "ada", json={"status": "completed"})
    return "completed" not in [event.json().get("status") for event in told(caller, run)]


@FAULTS.of_rules("end-untold", "stream", "API: a task_run_state is published at each PATCH", end_is_not_told)
def end_without_a_word(data: Data) -> None:
    """The stream of a run ends without its final state."""
    events = data["operations"]["streamRun"]["stream"]["events"]
    ends = [f"patch_to_{status}" for status in FINAL]
    for line in events:
        line["kinds"] = [kind for kind in line["kinds"] if kind not in ends]
    events.append({"kinds": ends, "ends": True})


def quiet_stream_is_silent(caller: Caller) -> bool:
    """A run has nothing to tell for a while."""
    path, headers = f"{started(caller)}stream/?start=latest", caller.headers("ada")
    with caller.http.stream("GET", path, headers=headers, timeout=PATIENCE) as answer:
        caller.advance(BEATING)
        try:
            return next(answer.iter_lines()) != "event: keepalive"
        except httpx2.ReadTimeout:
            return True


@FAULTS.of_rules("no-keepalive", "timer", "STREAM: a keepalive after 20 s without an event", quiet_stream_is_silent)
def never_beat(data: Data) -> None:
    """A stream without events stays silent."""
    del data["operations"]["streamRun"]["stream"]["heartbeat"]


# ── correct all the same ─────────────────────────────────────────────────────────────────────────────────────────────


def differ_in_nothing_that_matters(provider: Provider) -> App:
    """Other words, other identifiers, further members and headers, in another order, compressed, and slower."""

    def alter(_asked: Asked, answered: Told) -> None:
        answered.headers |= {"x-request-id": "req-1", "vary": "Cookie"}
        value = answered.json()
        if answered.headers.get("content-type") != "application/json":
            return
        if isinstance(value, dict):
            for each in value.get("results", [value]):
                each.update({"team": 1} if "created_at" in each else {})
            for name in {"detail", "error"} & value.keys() if answered.status >= 400 else ():
                value[name] = f"Sorry: {value[name]}"
        answered.say(turned(value))

    return GZipMiddleware(preceded(fronted(twin(provider, seed=7), alter), wait), minimum_size=200)


DEPLOYMENTS = FAULTS.and_correct(differ_in_nothing_that_matters)
