"""UUMit's stories: what a client does, and whether it meets the bug."""

from contextlib import closing
from typing import Any

import httpx2
from tests.deployments.deployment import Caller, Data, at_once

TASKS, SKILLS, TRANSACTIONS, WALLET, A2A = (
    "/api/v1/tasks",
    "/api/v1/skills",
    "/api/v1/transactions",
    "/api/v1/wallet",
    "/a2a",
)
ALICE, BOB, ADA, OTTO = "human_alice", "human_bob", "agent_ada", "agent_otto"
TASK = {"title": "Read 40 invoices", "description": "Into one file.", "bounty_amount": "100.00", "delivery_hours": 24}
SKILL = {
    "name": "Proof-reading",
    "description": "Letters.",
    "category": "writing",
    "pricing": {"model": "fixed", "amount": "30.00"},
    "mode": "online",
}
OCR = "cap_ocr_invoice_v1"


def data(reply: httpx2.Response) -> Any:
    """What a successful answer holds."""
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


def done(reply: httpx2.Response) -> bool:
    """Whether the call succeeded, by the status and by the code."""
    return reply.status_code == 200 and reply.json().get("code") == 0


def make_task(caller: Caller, who: str, **more: object) -> str:
    key: str = data(caller.post(f"{TASKS}/", who, json={**TASK, **more}))["id"]
    return key


def buy(caller: Caller, *moves: str) -> str:
    """Ada buys of Otto, and the transaction goes as far as the moves say."""
    key: str = data(caller.post(TRANSACTIONS, ADA, json={"capability_id": OCR}))["id"]
    for move in moves:
        data(step(caller, key, move))
    return key


def step(caller: Caller, key: str, move: str, who: str = "") -> httpx2.Response:
    """One move of a transaction, by whose it is."""
    seller = move in ("accept", "deliver", "reject")
    body = {"json": {"result_payload": {"pages": 1}}} if move == "deliver" else {}
    return caller.post(f"{TRANSACTIONS}/{key}/{move}", who or (OTTO if seller else ADA), **body)


def status_of(caller: Caller, key: str) -> str:
    status: str = data(caller.get(f"{TRANSACTIONS}/{key}", ADA))["status"]
    return status


def funds(caller: Caller, who: str, bucket: str = "ut") -> tuple[float, float]:
    """Available and frozen."""
    found = data(caller.get(f"{WALLET}/", who))[bucket]
    return float(found["available"]), float(found["frozen"])


def listed(caller: Caller, who: str, path: str, **query: object) -> Data:
    """The first page of a hundred."""
    page: Data = data(caller.get(path, who, params={"page_size": 100, **query}))
    return page


# ── lifecycles ───────────────────────────────────────────────────────────────────────────────────────────────────────


def stranger_closes(caller: Caller) -> bool:
    return done(caller.post(f"{TASKS}/{make_task(caller, ALICE)}/close", BOB))


def unpaid_is_accepted(caller: Caller) -> bool:
    return done(step(caller, buy(caller), "accept"))


def seller_confirms(caller: Caller) -> bool:
    return done(step(caller, buy(caller, "freeze", "accept", "deliver"), "confirm", OTTO))


def closed_is_reopened(caller: Caller) -> bool:
    task = make_task(caller, ALICE)
    data(caller.post(f"{TASKS}/{task}/close", ALICE))
    caller.request("PUT", f"{TASKS}/{task}", ALICE, json={"title": "Read 50 invoices"})
    return bool(data(caller.get(f"{TASKS}/{task}", ALICE))["status"] == "open")


def poor_gets_no_draft(caller: Caller) -> bool:
    before = listed(caller, BOB, f"{TASKS}/", status="draft")["total"]
    caller.post(f"{TASKS}/", BOB, json=TASK)
    return bool(listed(caller, BOB, f"{TASKS}/", status="draft")["total"] == before)


# ── isolation ────────────────────────────────────────────────────────────────────────────────────────────────────────


def hall_shows_drafts(caller: Caller) -> bool:
    caller.post(f"{TASKS}/", BOB, json=TASK)
    return any(each["status"] == "draft" for each in listed(caller, ALICE, f"{TASKS}/hall")["items"])


def stranger_reads_transaction(caller: Caller) -> bool:
    return done(caller.get(f"{TRANSACTIONS}/{buy(caller)}", BOB))


def agent_reads_human_task(caller: Caller) -> bool:
    return done(caller.get(f"{TASKS}/{make_task(caller, ALICE)}", ADA))


def half_a_key_is_enough(caller: Caller) -> bool:
    key = caller.headers(ADA)["X-Api-Key"]
    return done(caller.get(f"{WALLET}/", headers={"X-Api-Key": key}))


def book_of_others(caller: Caller) -> bool:
    theirs = {each["id"] for each in listed(caller, OTTO, f"{WALLET}/transactions")["items"]}
    return any(each["id"] in theirs for each in listed(caller, ADA, f"{WALLET}/transactions")["items"])


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def cancelled_stays_frozen(caller: Caller) -> bool:
    before = funds(caller, ADA)
    data(step(caller, buy(caller, "freeze"), "cancel"))
    return funds(caller, ADA) != before


def accepted_twice_is_paid_twice(caller: Caller) -> bool:
    task, skill = make_task(caller, ALICE), listed(caller, BOB, f"{SKILLS}/")["items"][0]["id"]
    applied = data(caller.post(f"{TASKS}/{task}/applications", BOB, json={"skill_id": skill}))["id"]
    data(caller.post(f"{TASKS}/{task}/applications/{applied}/accept", ALICE))
    before = funds(caller, BOB, "cash")
    again = caller.post(f"{TASKS}/{task}/applications/{applied}/accept", ALICE)
    return done(again) and funds(caller, BOB, "cash") != before


def total_leaves_out_frozen(caller: Caller) -> bool:
    buy(caller, "freeze")
    ut = data(caller.get(f"{WALLET}/", ADA))["ut"]
    return float(ut["total"]) != float(ut["available"]) + float(ut["frozen"])


def two_freezes_cost_one(caller: Caller) -> bool:
    (before, _), keys = funds(caller, ADA), [buy(caller) for _ in range(4)]
    price = float(data(caller.get(f"{TRANSACTIONS}/{keys[0]}", ADA))["price_ut"])
    replies = at_once(*(lambda key=key: step(caller, key, "freeze") for key in keys))
    paid = before - funds(caller, ADA)[0]
    return paid != price * len([each for each in replies if done(each)])


# ── idempotency ──────────────────────────────────────────────────────────────────────────────────────────────────────


def other_payload_is_replayed(caller: Caller) -> bool:
    key = {"Idempotency-Key": "invoices"}
    data(caller.post(f"{TASKS}/", ALICE, json=TASK, headers=key))
    return done(caller.post(f"{TASKS}/", ALICE, json={**TASK, "title": "Read 80 invoices"}, headers=key))


def key_is_ignored(caller: Caller) -> bool:
    key = {"Idempotency-Key": "one-purchase"}
    made = [caller.post(TRANSACTIONS, ADA, json={"capability_id": OCR}, headers=key) for _ in range(2)]
    return len({data(each)["id"] for each in made}) == 2


def key_is_shared(caller: Caller) -> bool:
    key = {"Idempotency-Key": "1"}
    made = [data(caller.post(f"{SKILLS}/", who, json=SKILL, headers=key))["user_id"] for who in (ALICE, BOB)]
    return bool(made[0] == made[1])


def duplicates_both_act(caller: Caller) -> bool:
    def post() -> httpx2.Response:
        return caller.post(f"{TASKS}/", ALICE, json=TASK, headers={"Idempotency-Key": "double-click"})

    return len({data(each)["id"] for each in at_once(post, post, post) if done(each)}) > 1


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def second_page_repeats(caller: Caller) -> bool:
    first, second = (
        data(caller.get(f"{TASKS}/", ALICE, params={"page": page, "page_size": 3}))["items"] for page in (1, 2)
    )
    return bool(first[-1]["id"] == second[0]["id"])


def total_counts_others(caller: Caller) -> bool:
    page = listed(caller, OTTO, TRANSACTIONS, role="buyer")
    return bool(page["total"] != len(page["items"]))


def role_is_ignored(caller: Caller) -> bool:
    items = listed(caller, OTTO, TRANSACTIONS, role="buyer")["items"]
    return len({each["buyer_user_id"] for each in items}) > 1


def made_but_not_listed(caller: Caller) -> bool:
    task = make_task(caller, ALICE)
    return task not in {each["id"] for each in listed(caller, ALICE, f"{TASKS}/")["items"]}


# ── requests and answers ─────────────────────────────────────────────────────────────────────────────────────────────


def emoji_is_a_defect(caller: Caller) -> bool:
    return caller.post(f"{TASKS}/", ALICE, json={**TASK, "title": "Draw a 🍵"}).status_code == 500


def refusal_without_code(caller: Caller) -> bool:
    reply = caller.post(f"{TASKS}/{make_task(caller, ALICE)}/close", BOB)
    return reply.status_code == 200 and "code" not in reply.json()


def change_is_not_kept(caller: Caller) -> bool:
    task = make_task(caller, ALICE, category="finance")
    said = data(caller.request("PUT", f"{TASKS}/{task}", ALICE, json={"category": "writing"}))
    kept = data(caller.get(f"{TASKS}/{task}", ALICE))
    return bool(said["category"] != kept["category"])


def wait_is_too_short(caller: Caller) -> bool:
    caller.control("PUT", "/limits", json={"mode": "on"})
    for _ in range(12):
        reply = caller.post(f"{SKILLS}/", ALICE, json=SKILL)
        if reply.status_code == 429:
            caller.advance(int(reply.headers["Retry-After"]))
            return caller.post(f"{SKILLS}/", ALICE, json=SKILL).status_code == 429
    return True


# ── streams and JSON-RPC ─────────────────────────────────────────────────────────────────────────────────────────────


def rpc(method: str, *, key: object = 1, **params: object) -> Data:
    return {"json": {"jsonrpc": "2.0", "id": key, "method": method, "params": params}}


def end_is_not_told(caller: Caller) -> bool:
    """A subscriber watches while the buyer confirms."""
    key = buy(caller, "freeze", "accept", "deliver")
    states: list[str] = []
    with closing(caller.events("POST", A2A, ADA, **rpc("tasks/sendSubscribe", id=key))) as events:
        for event in events:
            if not states:
                data(step(caller, key, "confirm"))
            if event.name == "task":
                states.append(event.json()["result"]["status"]["state"])
    return "completed" not in states


def window_ends_in_silence(caller: Caller) -> bool:
    names: list[str] = []
    with closing(caller.events("POST", A2A, ADA, **rpc("tasks/sendSubscribe", id=buy(caller)))) as events:
        for event in events:
            if not names:
                caller.advance(31)
            names.append(event.name)
    return "heartbeat" not in names


def event_lost_on_reconnect(caller: Caller) -> bool:
    """A draft is read whole, and once more from its second event on."""
    path, body = f"{TASKS}/ai-create", {"description": "Translate a menu of forty dishes, 120 CNY"}
    with closing(caller.events("POST", path, ALICE, json=body)) as events:
        next(events)
        caller.advance(10)
        told = [event.id for event in events]
    with closing(caller.events("POST", path, ALICE, json=body, headers={"Last-Event-ID": told[0]})) as events:
        return [event.id for event in events] != told[1:]


def id_nought_is_lost(caller: Caller) -> bool:
    reply = caller.post(A2A, ADA, **rpc("tasks/get", key=0, id=buy(caller))).json()
    return reply["id"] is None


def unknown_method_is_a_defect(caller: Caller) -> bool:
    reply = caller.post(A2A, ADA, **rpc("tasks/buy", id="x")).json()
    return bool(reply["error"]["code"] != -32601)


# ── nothing is wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


def something_is_wrong(caller: Caller) -> bool:
    """A purchase from beginning to end, and a repeated creation."""
    before, key = funds(caller, ADA), buy(caller, "freeze", "accept", "deliver", "confirm")
    paid = before[0] - funds(caller, ADA)[0]
    return status_of(caller, key) != "settled" or paid != 120 or key_is_ignored(caller)
