"""What stories of AITasker begin with: where things are, and what a caller does with tasks."""

from tests.deployments.deployment import Caller, Data

from tasktwin.wire import Json

TASKS = "/api/v1/tasks"
TASK: Data = {
    "category": "data",
    "task_type": "spreadsheet",
    "budget_usd": 12,
    "description": "Merge two CSV files of orders by their order number.",
}
REVIEWED = f"{TASKS}/10000000-0000-4000-8000-000000000005"
OTHERS = f"{TASKS}/10000000-0000-4000-8000-00000000000a"
BEST, SECOND, ELSEWHERE = (f"30000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
"""The bids presented for the reviewed task, and one for another task of the same person."""

BRAND_KIT = "7c1e4f0a-52b3-4d8e-9a61-0f2b8c3d4e5f"
LONGEST_TITLE = 200
A_LONG_TIME = "100000h"
UNTIL_REVIEW = 500
"""Seconds after which the agents have answered."""


def ways(data: Data) -> Data:
    """The transitions of a task."""
    found: Data = data["lifecycles"]["task"]["transitions"]
    return found


def made(caller: Caller, **more: Json) -> str:
    """The path of a new task."""
    answer = caller.post(TASKS, "poster", json={**TASK, **more})
    return f"{TASKS}/{answer.json()['id']}"


def drafted(caller: Caller, **more: Json) -> str:
    """The path of a new draft."""
    answer = caller.post(f"{TASKS}/draft", "poster", json={**TASK, **more})
    return f"{TASKS}/{answer.json()['id']}"


def read(caller: Caller, path: str) -> Data:
    """A task as its owner reads it."""
    found: Data = caller.get(path, "poster").json()
    return found


def is_done(caller: Caller, path: str, as_: str = "poster") -> bool:
    """Whether something is done when it is asked for."""
    return caller.post(path, as_).status_code == 200
