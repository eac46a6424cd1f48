"""PostHog Tasks, broken in the life of a task."""

import re

from tests.deployments.breaking import SEEN, TRIES, remembering
from tests.deployments.deployment import Caller, Data, at_once, edited, twin
from tests.deployments.fault import Faults
from tests.deployments.posthog.project import LONGEST_TITLE, TASKS, made

from tasktwin import Provider
from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.world import World
from tasktwin.effects.posthog import change_task, fill_task
from tasktwin.server.asgi import App
from tasktwin.state import Query, Row
from tasktwin.wire import Json

FAULTS = Faults("posthog")


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
