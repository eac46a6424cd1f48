"""What stories of PostHog Tasks begin with: where things are, and what a caller does with tasks and runs."""

from tests.deployments.deployment import Caller, Data, Event

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
