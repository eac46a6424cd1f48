"""Any sequence of legal and illegal moves on UUMit's market, against the independent model in ``market``."""
# ruff: noqa: D102 - a rule is described by its name, as a test is

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.uumit.market import (
    DRAFTED,
    FORBIDDEN,
    INVALID,
    MISSING,
    OK,
    ORDER_STATE,
    PEERS,
    STEPS,
    USERS,
    Market,
    Refused,
    Thing,
    space,
)

from tasktwin import Provider, Twin, load
from tasktwin.errors import Refusal
from tasktwin.exchange.twin import Answer

TASKS = "/api/v1/tasks"
TRANSACTIONS = "/api/v1/transactions"
NOWHERE = 15
UNKNOWN = "99999999-9999-4999-8999-999999999999"

RIGHT = st.sampled_from([True, True, True, False])
"""Whether a call is made by whom, and on what, it should be; else by and on anything."""

WHO = st.sampled_from([*["owner"] * 7, "peer", *USERS])
CALLERS = st.sampled_from([*USERS])
PLACES = st.integers(0, 15)
TASK_STATES = st.sampled_from(["", "open", "open", "open", "draft", "matched"])
ORDER_STATES = st.sampled_from(["", "pending_freeze", "frozen", "accepted", "delivered"])
HOURS = st.sampled_from([1, 1, 5, 23, 24, 30, 71, 72])
AMOUNTS = st.sampled_from(["0.01", "12.50", "100", "400.00", "999999.99", 3, 7.25])
STARTS = st.sampled_from(["2026-01-03T00:00:00Z", "2027-05-01T09:00:00+08:00", "2025-12-31T23:59:59Z"])

FIXED = st.fixed_dictionaries(
    {"bounty_amount": AMOUNTS, "delivery_hours": st.integers(1, 72)},
    optional={"mode": st.just("offline"), "owner_type": st.just("human"), "status": st.just("matched")},
)
HOURLY = st.fixed_dictionaries(
    {
        "billing_model": st.just("schedule_hourly"),
        "unit_price": AMOUNTS,
        "total_quantity": st.integers(1, 5),
        "scheduled_start_at": STARTS,
    }
)
UPDATES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.just("Another title"),
        "bounty_amount": AMOUNTS,
        "billing_model": st.sampled_from(["fixed_deadline", "fixed_no_deadline", "schedule_hourly"]),
        "unit_price": AMOUNTS,
        "total_quantity": st.integers(1, 5),
        "scheduled_start_at": STARTS,
        "mode": st.sampled_from(["online", "offline"]),
        "city": st.just("Hangzhou"),
        "owner_type": st.sampled_from(["human", "agent"]),
    },
)
DELIVERY = st.sampled_from([{"delivery_hours": 24}] * 5 + [{}])
SETTINGS = settings(derandomize=True, deadline=None, database=None, max_examples=120, stateful_step_count=30)
MONEY = {"ut": Decimal(3650), "cash": Decimal(6220)}
"""What the seeds put into all purses together. No call of the API makes or destroys money."""

IGNORED = ("owner_type", "status")
A2A_STATES = {
    "pending_freeze": "submitted",
    "frozen": "submitted",
    "accepted": "working",
    "delivered": "working",
    "settled": "completed",
    "rejected_by_seller": "failed",
    "cancelled_by_buyer": "canceled",
}
A2A_CODES = {MISSING: -32001, FORBIDDEN: -32001, INVALID: -32602, ORDER_STATE: -32002}


@dataclass
class Sent:
    """A write that was sent: what the model makes of it, given the new identifier, and what came back."""

    who: str
    method: str
    path: str
    body: Thing | None
    key: str
    predict: Callable[[str], object]
    answer: Answer
    at: datetime


@cache
def uumit() -> Provider:
    return load("uumit")


def statuses(rows: dict[str, Thing], value: str, *fields: str) -> dict[str, str]:
    """Identifier to status of the rows that have this value in one of the fields."""
    return {key: row["status"] for key, row in rows.items() if value in [row[field] for field in fields]}


def pick(rows: dict[str, Thing], state: str, place: int) -> str:
    keys = [key for key, row in rows.items() if state in ("", row["status"])] or [*rows]
    return UNKNOWN if place == NOWHERE else keys[-1 - place % len(keys)]


class MarketMachine(RuleBasedStateMachine):
    """Each rule makes one call, on the twin and on the model, and compares status and code."""

    steps: ClassVar[int] = 0
    taken: ClassVar[set[tuple[str, str]]] = set()

    def __init__(self) -> None:
        super().__init__()
        type(self).steps -= 1  # the first look is no step
        self.twin = Twin(uumit(), clock="frozen", now="2026-01-01T00:00:00Z")
        self.market = Market()
        self.changed = True
        self.sent: Sent | None = None
        self.calls = 0

    # How a call is made and judged

    def write(self, who: str, method: str, path: str, body: Thing | None, predict: Callable[[str], object]) -> None:
        self.calls += 1
        self.changed = True
        key = f"key-{self.calls}"
        answer = self.send(who, method, path, body, key)
        self.judge(answer, predict)
        self.sent = Sent(who, method, path, body, key, predict, answer, self.market.now)

    def send(self, who: str, method: str, path: str, body: Thing | None, key: str) -> Answer:
        return self.twin.request(method, path, json=body, headers={"Idempotency-Key": key}, as_=who)

    def judge(self, answer: Answer, predict: Callable[[str], object]) -> None:
        said = answer.json()
        made = (said["data"] or {}).get("id", "")
        try:
            predict(made)
            expected = OK
        except Refused as refused:
            expected = refused.answer
        assert (answer.status, said["code"]) == expected
        assert (said["data"] is None) == (expected not in (OK, DRAFTED))
        assert said["timestamp"] == int(self.market.now.timestamp())

    def task(self, state: str, place: int) -> str:
        """A task in this state if there is one: the later ones first, and now and then one that does not exist."""
        return pick(self.market.tasks, state, place)

    def caller(self, who: str, owner: str | None) -> str:
        if who in USERS:
            return who
        owner = owner or "human_alice"
        return owner if who == "owner" else PEERS[owner]

    def poster(self, who: str, key: str) -> str:
        return self.caller(who, self.market.tasks[key]["who"] if key in self.market.tasks else None)

    # Tasks

    @rule(who=CALLERS, body=FIXED | HOURLY)
    def create_task(self, who: str, body: Thing) -> None:
        sent = {"title": "A task", "description": "To be done.", **body}
        kept = {name: value for name, value in sent.items() if name not in IGNORED}

        def predict(made: str) -> None:
            if body.get("mode") == "offline":
                raise Refused(INVALID)
            self.market.offer(who, kept, made)

        self.write(who, "POST", f"{TASKS}/", sent, predict)

    @rule(who=WHO, state=TASK_STATES, place=PLACES, body=UPDATES)
    def update_task(self, who: str, state: str, place: int, body: Thing) -> None:
        key = self.task(state, place)
        who = self.poster(who, key)
        kept = {name: value for name, value in body.items() if name not in IGNORED}
        self.write(who, "PUT", f"{TASKS}/{key}", body, lambda _: self.market.update(who, key, kept))

    @rule(who=WHO, state=TASK_STATES, place=PLACES)
    def close_task(self, who: str, state: str, place: int) -> None:
        key = self.task(state, place)
        who = self.poster(who, key)
        self.write(who, "POST", f"{TASKS}/{key}/close", None, lambda _: self.market.close(who, key))

    @rule(who=WHO, state=st.sampled_from(["draft", "draft", "draft", "open", ""]), place=PLACES, body=DELIVERY)
    def publish_draft(self, who: str, state: str, place: int, body: Thing) -> None:
        key = self.task(state, place)
        who = self.poster(who, key)
        self.write(who, "POST", f"{TASKS}/{key}/publish-draft", body, lambda _: self.market.publish(who, key, body))

    @rule(who=WHO, state=TASK_STATES, place=PLACES, body=DELIVERY, more=UPDATES)
    def reuse_task(self, who: str, state: str, place: int, body: Thing, more: Thing) -> None:
        key = self.task(state, place)
        who = self.poster(who, key)
        body = {**more, **body}
        kept = {name: value for name, value in body.items() if name not in IGNORED}
        self.write(who, "POST", f"{TASKS}/{key}/reuse", body, lambda made: self.market.reuse(who, key, kept, made))

    @rule(right=RIGHT, who=CALLERS, verb=st.sampled_from(["push", "select"]), state=TASK_STATES, place=PLACES)
    def choose_skill(self, right: bool, who: str, verb: str, state: str, place: int) -> None:  # noqa: FBT001
        key = self.task("open" if right else state, place)
        who = self.poster("owner", key) if right else who
        chosen = self.skill_of(PEERS[who]) if right else self.skill(place)
        act = self.market.push_skill if verb == "push" else self.market.select_skill
        self.write(who, "POST", f"{TASKS}/{key}/{verb}-skill", {"skill_id": chosen}, lambda _: act(who, key, chosen))

    def skill_of(self, owner: str) -> str:
        mine: list[str] = [each for each, who in self.market.skills.items() if who == owner]
        return mine[0]

    def skill(self, place: int) -> str:
        return UNKNOWN if place == NOWHERE else [*self.market.skills][place % len(self.market.skills)]

    @rule(trigger=st.sampled_from(["cancel", "cancel_order", "cancel_order"]), state=TASK_STATES, place=PLACES)
    def platform_acts(self, trigger: str, state: str, place: int) -> None:
        self.changed = True
        key = self.task("matched" if trigger == "cancel_order" else state, place)
        if key == UNKNOWN:
            return
        try:
            self.twin.trigger(trigger, key, "task")
            refused = False
        except Refusal:
            refused = True
        try:
            self.market.cancel_order(key) if trigger == "cancel_order" else self.market.end(key, "cancelled")
            expected = False
        except Refused:
            expected = True
        assert refused == expected

    @rule(hours=HOURS)
    def time_passes(self, hours: int) -> None:
        self.changed = True
        self.market.advance(hours)
        self.twin.advance(hours=hours)

    # Applications

    @rule(right=RIGHT, who=CALLERS, state=TASK_STATES, place=PLACES, skill=PLACES)
    def apply(self, right: bool, who: str, state: str, place: int, skill: int) -> None:  # noqa: FBT001
        key = self.task("open" if right else state, place)
        who = self.poster("peer", key) if right else who
        chosen = self.skill_of(who) if right else self.skill(skill)
        body = {"skill_id": chosen, "message": "I can do it."}
        self.write(
            who, "POST", f"{TASKS}/{key}/applications", body, lambda made: self.market.apply(who, key, chosen, made)
        )

    @rule(right=RIGHT, who=CALLERS, verb=st.sampled_from(["accept", "accept", "reject", "withdraw"]), place=PLACES)
    def decide(self, right: bool, who: str, verb: str, place: int) -> None:  # noqa: FBT001
        application = pick(self.market.applications, "pending" if right else "", place)
        known = self.market.applications.get(application)
        key = known["task"] if known and place != 1 else self.task("open", place)
        if right and known:
            who = known["who"] if verb == "withdraw" else self.market.tasks[known["task"]]["who"]
        method = "DELETE" if verb == "withdraw" else "POST"
        path = f"{TASKS}/{key}/applications/{application}" + ("" if verb == "withdraw" else f"/{verb}")
        self.write(who, method, path, None, lambda _: self.market.decide(who, key, application, verb))

    # Transactions

    def capability(self, place: int) -> str:
        known = [*self.market.capabilities]
        return known[place] if place < len(known) else "cap_nobody_sells"

    @rule(who=CALLERS, place=st.integers(0, 4), hours=st.sampled_from([None, 1, 3]))
    def buy(self, who: str, place: int, hours: int | None) -> None:
        name = self.capability(place)
        body = {"capability_id": name, "booked_hours": hours}
        self.write(who, "POST", TRANSACTIONS, body, lambda made: self.market.buy(who, name, hours, made))

    @rule(right=RIGHT, who=CALLERS, verb=st.sampled_from([*STEPS]), state=ORDER_STATES, place=PLACES)
    def act_on_a_transaction(self, right: bool, who: str, verb: str, state: str, place: int) -> None:  # noqa: FBT001
        key = pick(self.market.transactions, state, place)
        found = self.market.transactions.get(key)
        if found and right:
            fitting = [each for each, (_, sources, _) in STEPS.items() if found["status"] in sources.split()] or [verb]
            verb = fitting[[*STEPS].index(verb) % len(fitting)]
            who = found[STEPS[verb][0]]
        body = {"result_payload": {"done": True}} if verb == "deliver" else None
        self.write(who, "POST", f"{TRANSACTIONS}/{key}/{verb}", body, lambda _: self.market.step(who, key, verb))

    # The agent endpoint: the same transactions

    def call(self, who: str, method: str, params: Thing, predict: Callable[[str], object]) -> None:
        self.calls += 1
        self.changed = True
        request = {"jsonrpc": "2.0", "id": self.calls, "method": method, "params": params}
        answer = self.twin.request("POST", "/a2a", json=request, as_=who)
        said = answer.json()
        assert (answer.status, said["jsonrpc"], said["id"]) == (200, "2.0", self.calls)
        made = said.get("result", {}).get("id", "")
        try:
            predict(made)
            expected: object = A2A_STATES[self.market.transactions[made]["status"]]
        except Refused as refused:
            expected = A2A_CODES[refused.answer]
            if method == "tasks/send" and expected == A2A_CODES[MISSING]:
                expected = A2A_CODES[INVALID]  # the capability is a parameter, not a task
        assert (said["result"]["status"]["state"] if made else said["error"]["code"]) == expected

    @rule(who=CALLERS, place=st.integers(0, 4), hours=st.sampled_from([None, 2]))
    def agent_sends(self, who: str, place: int, hours: int | None) -> None:
        name = self.capability(place)
        params = {"capability_id": name, "booked_hours": hours}
        self.call(who, "tasks/send", params, lambda made: self.market.buy(who, name, hours, made))

    @rule(right=RIGHT, who=CALLERS, verb=st.sampled_from(["get", "cancel"]), state=ORDER_STATES, place=PLACES)
    def agent_gets_or_cancels(self, right: bool, who: str, verb: str, state: str, place: int) -> None:  # noqa: FBT001
        key = pick(self.market.transactions, state, place)
        found = self.market.transactions.get(key)
        who = found["buyer"] if found and right else who

        def predict(_: str) -> None:
            if verb == "get":
                self.market.see_transaction(who, key)
            else:
                self.market.step(who, key, "cancel")

        self.call(who, f"tasks/{verb}", {"id": key}, predict)

    # The same request once more, with the same key

    @precondition(lambda self: self.sent is not None)
    @rule()
    def repeat(self) -> None:
        sent, self.changed = self.sent, True
        assert sent is not None
        answer = self.send(sent.who, sent.method, sent.path, sent.body, sent.key)
        if sent.answer.status < 300 and self.market.now - sent.at < timedelta(hours=24):
            assert answer.content == sent.answer.content
            assert answer.headers["tasktwin-reason"] == "replay"
        else:
            self.judge(answer, sent.predict)
            self.sent = replace(sent, answer=answer, at=self.market.now)

    # What everybody sees afterwards

    @rule(who=CALLERS, state=TASK_STATES, place=PLACES)
    def read_task(self, who: str, state: str, place: int) -> None:
        key = self.task(state, place)
        answer = self.twin.request("GET", f"{TASKS}/{key}", as_=who)
        self.judge(answer, lambda _: self.market.see_task(who, key))
        if answer.status == 200:
            self.compare_task(who, key, answer.json()["data"])

    def compare_task(self, who: str, key: str, shown: Thing) -> None:
        task = self.market.tasks[key]
        assert shown["status"] == task["status"]
        assert shown["user_id"] == USERS[task["who"]]
        assert shown["owner_type"] == space(task["who"])
        assert shown["bounty_currency"] == {"human": "CNY", "agent": "UT"}[space(task["who"])]
        assert float(shown["bounty_amount"] or 0) == float(task["bounty_amount"] or 0)
        assert shown["delivery_hours"] == task["delivery_hours"]
        assert (shown["matched_order_id"] is None) == (task["matched_order_id"] is None)
        assert shown["my_application_status"] == self.market.my_status(who, key)

    def listed(self, who: str, path: str, **query: object) -> dict[str, str]:
        answer = self.twin.request("GET", path, params={"page_size": 100, **query}, as_=who)
        page = answer.json()["data"]
        assert answer.status == 200
        assert (page["total"], page["has_more"]) == (len(page["items"]), False)
        return {row["id"]: row["status"] for row in page["items"]}

    @invariant()
    def everything_agrees(self) -> None:
        if self.changed:
            self.wallets_agree()
            self.lists_agree()
        self.changed = False
        type(self).steps += 1

    def wallets_agree(self) -> None:
        wallets = {who: self.twin.request("GET", "/api/v1/wallet/", as_=who).json()["data"] for who in USERS}
        assert wallets == {who: self.market.wallet(who) for who in USERS}
        for bucket, total in MONEY.items():
            assert sum(Decimal(each[bucket]["total"]) for each in wallets.values()) == total
        for who in USERS:
            book = self.twin.request("GET", "/api/v1/wallet/transactions", params={"page_size": 1}, as_=who).json()
            assert book["data"]["total"] == self.market.entries[who]

    def lists_agree(self) -> None:
        for who in USERS:
            assert self.listed(who, f"{TASKS}/") == statuses(self.market.tasks, who, "who")
            assert self.listed(who, f"{TASKS}/applications/mine") == statuses(self.market.applications, who, "who")
            assert self.listed(who, TRANSACTIONS) == statuses(self.market.transactions, who, "buyer", "seller")
        for who in ("human_bob", "agent_ada"):
            spaces = {key: task for key, task in self.market.tasks.items() if space(task["who"]) == space(who)}
            assert self.listed(who, f"{TASKS}/hall") == statuses(spaces, "open", "status")

    def teardown(self) -> None:
        type(self).taken.update(self.twin.world.taken)

    @rule(state=TASK_STATES, place=PLACES)
    def read_applications(self, state: str, place: int) -> None:
        key = self.task(state, place)
        if key == UNKNOWN:
            return
        applied = statuses(self.market.applications, key, "task")
        assert self.listed(self.market.tasks[key]["who"], f"{TASKS}/{key}/applications") == applied

    @rule(who=CALLERS, role=st.sampled_from(["buyer", "seller"]))
    def read_one_side(self, who: str, role: str) -> None:
        orders = statuses(self.market.transactions, who, role)
        assert self.listed(who, TRANSACTIONS, role=role) == orders


def test_the_twin_and_the_model_agree_on_any_sequence_of_calls() -> None:
    MarketMachine.steps, MarketMachine.taken = 0, set()
    run_state_machine_as_test(MarketMachine, settings=SETTINGS)
    assert MarketMachine.steps >= 2_000
    modelled = [each for name, each in uumit().rules.lifecycles.items() if name != "generation"]
    ways = {(each.name, way) for each in modelled for way in each.transitions}
    assert len(MarketMachine.taken & ways) >= 0.8 * len(ways), "too few legal moves were made"
