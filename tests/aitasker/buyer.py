"""A buyer's calls, and what the seeds hold for them."""

from collections.abc import Iterable
from typing import TypeAlias

import pytest

from tasktwin.exchange.twin import Answer, Twin
from tasktwin.wire import Json

TASKS, DRAFTS = "/api/v1/tasks", "/api/v1/tasks/draft"
STATES = ("draft", "open", "matching", "prototyping", "review", "delivering", "completed", "expired", "cancelled")
SEEDED = {state: f"10000000-0000-4000-8000-00000000000{n}" for n, state in enumerate(STATES, start=1)}
SEEDED["another's"] = "10000000-0000-4000-8000-00000000000a"
UNKNOWN = "ffffffff-ffff-4fff-8fff-ffffffffffff"
BID, LOSER, HIDDEN_BID, OTHER_BID = (f"30000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 5, 3))
CALLS = [
    ("GET", ""), ("PATCH", ""), ("POST", "/publish"), ("POST", "/cancel"), ("POST", "/approve"), ("GET", "/bids"),
    ("POST", f"/bids/{BID}/select"),
]  # fmt: skip
KEYS = [
    "id", "user_id", "title", "description", "category", "task_type", "requirements", "budget_usd", "compute_budget",
    "status", "experimentation", "created_at", "expires_at", "attachments", "brand_kit_id", "prototype_tier",
]  # fmt: skip
MIN: dict[str, Json] = {"category": "data", "task_type": "spreadsheet", "budget_usd": 12, "description": "d" * 20}
UUID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

Row: TypeAlias = tuple[str, Json, Json]


def rows(found: Iterable[Row]) -> pytest.MarkDecorator:
    """Parameters ``sent`` and ``expected``, the id first."""
    return pytest.mark.parametrize(("sent", "expected"), [pytest.param(a, b, id=name) for name, a, b in found])


def task(twin: Twin, key: str, as_: str = "poster") -> Json:
    """The task as this caller reads it."""
    return twin.request("GET", f"{TASKS}/{key}", as_=as_).json()


def create(twin: Twin, **fields: Json) -> Answer:
    return twin.request("POST", TASKS, json={**MIN, **fields}, as_="poster")


def patch(twin: Twin, body: Json, key: str = SEEDED["draft"], as_: str = "poster") -> Answer:
    return twin.request("PATCH", f"{TASKS}/{key}", json=body, as_=as_)


def post(twin: Twin, key: str, action: str, as_: str = "poster") -> Answer:
    return twin.request("POST", f"{TASKS}/{key}/{action}", as_=as_)


def fault(answer: Answer) -> Json:
    """Type and context of the only fault of a 422."""
    assert answer.status == 422, answer.content
    (one,) = answer.json()["detail"]
    return one["type"], one.get("ctx")


def gallery(twin: Twin, key: str) -> Json:
    return twin.request("GET", f"{TASKS}/{key}/bids", as_="poster").json()
