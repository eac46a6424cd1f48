"""PostHog Tasks, broken in its streams."""

import re
from collections.abc import Callable
from dataclasses import replace

import httpx2
from tests.deployments.breaking import rebound
from tests.deployments.deployment import Asked, Caller, Data, retold, twin
from tests.deployments.fault import Faults
from tests.deployments.posthog.project import BEATING, CHUNK, PATIENCE, note, noted, started, told

from tasktwin import Provider
from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.step import Step
from tasktwin.effects.posthog_runs import FINAL
from tasktwin.server.asgi import App
from tasktwin.wire import Json

FAULTS = Faults("posthog")


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
