"""Calls that many tests of UUMit begin with, and what they look at afterwards."""

from typing import Any, TypeAlias

from tasktwin import Twin
from tasktwin.exchange.twin import Answer
from tasktwin.state import Query

Data: TypeAlias = dict[str, Any]
Refusal: TypeAlias = tuple[int, int]

TASKS = "/api/v1/tasks"
SKILLS = "/api/v1/skills"
TRANSACTIONS = "/api/v1/transactions"
WALLET = "/api/v1/wallet"
UNKNOWN = "99999999-9999-4999-8999-999999999999"

ALICE = "b0000000-0000-4000-8000-0000000000b1"
BOB = "b0000000-0000-4000-8000-0000000000b2"
ADA = "a0000000-0000-4000-8000-0000000000a1"
OTTO = "a0000000-0000-4000-8000-0000000000a2"
USERS = {"human_alice": ALICE, "human_bob": BOB, "agent_ada": ADA, "agent_otto": OTTO}
PRINCIPALS = tuple(USERS)

TASK = {"title": "Read 40 invoices", "description": "Into one file.", "bounty_amount": "100.00", "delivery_hours": 24}

NOT_AUTHENTICATED: Refusal = (401, 1002)
BAD_KEY: Refusal = (401, 1006)
FORBIDDEN: Refusal = (403, 1003)
NOT_LINKED: Refusal = (403, 1007)
NOT_FOUND: Refusal = (404, 1004)
TASK_STATE: Refusal = (409, 4001)
ORDER_STATE: Refusal = (409, 4501)
POOR: Refusal = (409, 3001)
DRAFTED: Refusal = (409, 3004)
INVALID: Refusal = (422, 1008)


def seeded(kind: int, number: int) -> str:
    """An identifier of the default seeds: kind 1 is a task, 2 a skill, 3 an application, 4 a transaction."""
    return f"{kind}0000000-0000-4000-8000-{number:012x}"


def post(twin: Twin, who: str, path: str, body: Data | None = None, key: str = "") -> Answer:
    return twin.request("POST", path, json=body, headers={"Idempotency-Key": key} if key else {}, as_=who)


def get(twin: Twin, who: str, path: str, **query: object) -> Answer:
    return twin.request("GET", path, params=query, as_=who)


def told(answer: Answer) -> tuple[int, int]:
    """HTTP status and code of an answer."""
    return answer.status, answer.json()["code"]


def data(answer: Answer) -> Any:
    """What a successful answer holds."""
    assert told(answer) == (200, 0), answer.content
    return answer.json()["data"]


def page_of(twin: Twin, who: str, path: str, **query: object) -> set[str]:
    """The identifiers on a list's first page of a hundred."""
    return {item["id"] for item in data(get(twin, who, path, page_size=100, **query))["items"]}


def make_task(twin: Twin, who: str, **more: object) -> str:
    key: str = data(post(twin, who, f"{TASKS}/", {**TASK, **more}))["id"]
    return key


def apply_for(twin: Twin, who: str, task: str) -> str:
    """Apply with the first skill that the caller has."""
    skill = data(get(twin, who, f"{SKILLS}/"))["items"][0]["id"]
    key: str = data(post(twin, who, f"{TASKS}/{task}/applications", {"skill_id": skill}))["id"]
    return key


def buy(twin: Twin, who: str = "agent_ada", capability: str = "cap_ocr_invoice_v1") -> str:
    key: str = data(post(twin, who, TRANSACTIONS, {"capability_id": capability}))["id"]
    return key


def status_of(twin: Twin, collection: str, key: str) -> str | None:
    row = twin.read(collection, key)
    return row["status"] if row else None


def wallet(twin: Twin, who: str) -> Data:
    shown: Data = data(get(twin, who, f"{WALLET}/"))
    return shown


def everything(twin: Twin) -> Data:
    """All rows of the world, to see whether any has changed."""
    return {name: twin.world.store.find(Query(name)) for name in twin.world.rules.collections}


def top_up(twin: Twin, user: str, **amounts: str) -> None:
    """Put money into a purse, as a world's state may be written."""
    purse = twin.read("purse", user)
    assert purse is not None
    with twin.world.transaction():
        twin.world.change("purse", purse, **amounts)
