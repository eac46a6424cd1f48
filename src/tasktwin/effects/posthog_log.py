"""The logs of PostHog's runs: appended, read as lines along the chain of resumed runs, or read in parts."""

from tasktwin.behaviour.step import Step, effect
from tasktwin.effects.posthog_runs import write
from tasktwin.state import Row, parse_instant
from tasktwin.wire import Json, dumps

MOST_HOPS = 10
TIMING = "storage;dur=0"
MOST_ENTRIES = 1000


@effect()
def append_log(step: Step) -> None:
    """Each entry is kept, but for the chunks of an agent's message (MOD)."""
    for entry in step.body["entries"]:
        if _type(entry) != "agent_message_chunk":
            write(step, entry)
    step.answer_as("run", step.row)
    step.answer_with(Server_Timing=TIMING)


@effect()
def log_lines(step: Step) -> str:
    """The logs of the runs that this one resumes, the oldest first, and its own."""
    step.answer_with("application/jsonl", Cache_Control="no-cache", Server_Timing=TIMING)
    entries = [each for run in reversed(chain(step)) for each in step.find("log_entry", run_id=run["id"])]
    return "".join(f"{dumps(each['entry']).decode()}\n" for each in entries)


def chain(step: Step) -> list[Row]:
    """This run, then the one that it resumes, and so on: of the same task, each once, ten steps at most (API)."""
    runs = [step.row]
    while len(runs) <= MOST_HOPS:
        origin = step.read("run", str(runs[-1]["state"].get("resume_from_run_id")))
        if origin is None or origin["task"] != step.row["task"] or any(origin["id"] == run["id"] for run in runs):
            break
        runs.append(origin)
    return runs


@effect()
def log_entries(step: Step) -> Json:
    """A part of this run's log, with what is left told in headers."""
    query = step.scope["request.query"]
    entries = [each["entry"] for each in step.find("log_entry", run_id=step.row["id"])]
    fitting = [entry for entry in entries if _fits(entry, query)]
    start = query.get("offset") or 0
    part = fitting[start : start + (query.get("limit") or MOST_ENTRIES)]
    counts = {"X_Total_Count": len(entries), "X_Filtered_Count": len(fitting), "X_Matching_Count": len(fitting)}
    more = str(start + len(part) < len(fitting)).lower()
    told = {name: str(count) for name, count in counts.items()}
    step.answer_with(**told, X_Has_More=more, Cache_Control="no-cache", Server_Timing=TIMING)
    return part


def _fits(entry: Json, query: dict[str, Json]) -> bool:
    after, wanted, unwanted = (query.get(name) for name in ("after", "event_types", "exclude_types"))
    if after and not _is_after(entry.get("timestamp"), parse_instant(after)):
        return False
    if wanted and _type(entry) not in _listed(wanted):
        return False
    return not unwanted or _type(entry) not in _listed(unwanted)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _is_after(written: Json, instant: int) -> bool:
    try:
        return parse_instant(written) > instant
    except (TypeError, ValueError):
        return False


def _type(entry: Json) -> Json:
    """The method that an entry notifies of; of a session's update the kind of update."""
    notification = _part(entry, "notification")
    if notification.get("method") == "session/update":
        return _part(_part(notification, "params"), "update").get("sessionUpdate")
    return notification.get("method")


def _part(value: Json, name: str) -> dict[str, Json]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}
