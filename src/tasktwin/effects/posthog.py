"""PostHog Tasks: what a task becomes when it is written, which tasks a list keeps, who watches them.

The runs and their files have modules of their own; all effects are offered from here.
"""

from tasktwin.behaviour.step import Step, effect, predicate
from tasktwin.effects.posthog_files import *  # noqa: F403 - all effects are offered from here
from tasktwin.effects.posthog_log import *  # noqa: F403 - likewise
from tasktwin.effects.posthog_runs import *  # noqa: F403 - likewise
from tasktwin.state import Query, Row
from tasktwin.wire import Json

PRESENT = 60
"""Seconds that a beacon of presence counts (MOD)."""

LONGEST_TITLE = 60
LONGEST_NUMBER = 18
CAPITALS = 3


@effect()
def fill_task(step: Step) -> None:
    """A new task gets its number, its slug, and a title if only a description was given."""
    body, row, project = step.body, step.row, step.needed("project")
    title, description = row["title"] or "", row["description"] or ""
    given = bool(title.strip())
    newest = Query("task", (("project_id", project["id"]),), "task_number", descending=True)
    number = next((each["task_number"] + 1 for each in step.world.store.find(newest, 0, 1) if each["slug"]), 0)
    lines = description.strip().splitlines()
    github = step.find("integration", project_id=project["id"], kind="github")
    step.set(
        task_number=number,
        slug=f"{_prefix(project['name'])}-{number}",
        title=title if given or not lines else lines[0][:LONGEST_TITLE],
        description=description,
        title_manually_set=body.get("title_manually_set", given),
        origin_product=row["origin_product"] or "user_created",
        internal=bool(row["internal"]),
        archived=bool(row["archived"]),
        archived_at=step.now if row["archived"] else None,
        github_integration=row["github_integration"] if "github_integration" in body or not github else github[0]["id"],
        updated_at=row["created_at"],
    )
    report = step.read("signal_report", str(row["signal_report"]))
    if report and row["origin_product"] == "signal_report":
        step.change("signal_report", report, task_id=row["id"])


@effect()
def change_task(step: Step) -> None:
    """Origin and report stay as they are; a title that is sent counts as set by hand; archiving is stamped (TEST)."""
    body, before = step.body, step.before or {}
    by_hand = body.get("title_manually_set", "title" in body or before["title_manually_set"])
    stamp = (before["archived_at"] or step.now) if step.row["archived"] else None
    kept = {name: before[name] for name in ("origin_product", "signal_report")}
    step.set(**kept, title_manually_set=by_hand, archived_at=stamp)


def _prefix(name: str) -> str:
    """The letters before a slug's number, made of the project's name (MOD)."""
    letters = "".join(each for each in name if each.isalnum())
    capitals = "".join(each for each in letters if each.isupper())
    return (capitals if len(capitals) >= CAPITALS else letters)[:CAPITALS].upper() or "TSK"


# ── the lists ────────────────────────────────────────────────────────────────────────────────────────────────────────


@predicate
def in_organization(_step: Step, row: Row, value: str) -> bool:
    """The first part of the repository, in any case."""
    return (row["repository"] or "").lower().startswith(f"{value.strip().lower()}/")


@predicate
def in_repository(_step: Step, row: Row, value: str) -> bool:
    """The whole repository if it is asked for with a slash, else its last part; in any case."""
    wanted, own = value.strip().lower(), (row["repository"] or "").lower()
    return own == wanted if "/" in wanted else own.endswith(f"/{wanted}")


@predicate
def is_found(_step: Step, row: Row, value: str) -> bool:
    """Part of the title or the description, or the number that the text ends in."""
    text = value.strip().lower()
    number = text.rpartition("-")[2]
    counted = number.isdecimal() and len(number) <= LONGEST_NUMBER and int(number) == row["task_number"]
    return counted or text in row["title"].lower() or text in row["description"].lower()


@predicate
def has_stage(step: Step, row: Row, value: str) -> bool:
    """Any run of the task has this stage."""
    return step.count("run", task=row["id"], stage=value) > 0


@predicate
def has_status(step: Step, row: Row, value: str) -> bool:
    """The latest run has this status; a task without runs has none."""
    latest = Query("run", (("task", row["id"]),), "created_at", descending=True)
    return any(run["status"] == value for run in step.world.store.find(latest, 0, 1))


@effect()
def repositories(step: Step) -> Json:
    """Each repository of a visible task once, sorted."""
    visible = step.world.rules.collections["task"].visible
    rows = step.find("task", project_id=step.needed("project")["id"], deleted=False, internal=False)
    return {
        "repositories": sorted(
            {row["repository"] for row in rows if row["repository"] and visible.holds(step.scope, row)}
        )
    }


# ── presence ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@effect()
def set_presence(step: Step) -> None:
    """The device counts as showing the task, for a minute more."""
    device, user, task = step.body["device_id"], step.principal["user_id"], step.row
    key = f"{task['id']}:{device}"
    owner = {"project_id": task["project_id"], "task_id": task["id"], "device_id": device, "user_id": user}
    step.put("presence", key, **owner, expires_at=step.later(PRESENT), last_seen_at=step.now)


@effect()
def clear_presence(step: Step) -> None:
    """The device does not count as showing the task; nobody else's does either way."""
    key = f"{step.row['id']}:{step.body['device_id']}"
    row = step.read("presence", key)
    if row and row["user_id"] == step.principal["user_id"]:
        step.world.store.delete("presence", key)
