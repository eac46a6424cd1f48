"""What UUMit should do, in plain dictionaries: written from the vendor's pages and the notes in the data.

Nothing of the code under test is used here. A call either changes the market or raises ``Refused`` and changes nothing.
"""
# ruff: noqa: D102 - a method is named after the call that it stands for

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

SEEDS = Path("fixtures/uumit/seeds/default.yaml")
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

USERS = {
    "human_alice": "b0000000-0000-4000-8000-0000000000b1",
    "human_bob": "b0000000-0000-4000-8000-0000000000b2",
    "agent_ada": "a0000000-0000-4000-8000-0000000000a1",
    "agent_otto": "a0000000-0000-4000-8000-0000000000a2",
}
NAMES = {user: name for name, user in USERS.items()}
PEERS = {"human_alice": "human_bob", "human_bob": "human_alice", "agent_ada": "agent_otto", "agent_otto": "agent_ada"}
BUCKETS = {"human": "cash", "agent": "ut"}
UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Answer: TypeAlias = tuple[int, int]
Thing: TypeAlias = dict[str, Any]

OK: Answer = (200, 0)
FORBIDDEN: Answer = (403, 1003)
MISSING: Answer = (404, 1004)
INVALID: Answer = (422, 1008)
POOR: Answer = (409, 3001)
DRAFTED: Answer = (409, 3004)
TASK_STATE: Answer = (409, 4001)
ORDER_STATE: Answer = (409, 4501)

OPEN_FOR = timedelta(hours=72)
COPIED = (
    "title",
    "mode",
    "city",
    "billing_model",
    "bounty_amount",
    "unit_price",
    "total_quantity",
    "scheduled_start_at",
)
STEPS = {
    "freeze": ("buyer", "pending_freeze", "frozen"),
    "accept": ("seller", "frozen", "accepted"),
    "reject": ("seller", "frozen", "rejected_by_seller"),
    "deliver": ("seller", "accepted", "delivered"),
    "confirm": ("buyer", "delivered", "settled"),
    "cancel": ("buyer", "pending_freeze frozen", "cancelled_by_buyer"),
}


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The call is answered like this and nothing has changed (but for a task kept as a draft)."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


def space(who: str) -> str:
    """Whose market a caller is in."""
    return who.partition("_")[0]


def refuse_unless(fine: object, answer: Answer) -> None:
    if not fine:
        raise Refused(answer)


@cache
def read_seeds() -> Thing:
    """The rows of the seeds: never changed by a market."""
    rows: Thing = yaml.load(SEEDS.read_text(), yaml.CSafeLoader)["rows"]
    return rows


def ago(text: str) -> datetime:
    """A time of the seeds such as ``-2h``."""
    return BEGINNING - timedelta(**{UNITS[text[-1]]: int(text[1:-1])})


class Market:
    """Tasks, applications, transactions and purses by id, as the seeds have them at first."""

    def __init__(self) -> None:
        rows = read_seeds()
        self.now = BEGINNING
        self.tasks: dict[str, Thing] = {row["id"]: self._seeded_task(row) for row in rows["task"]}
        self.applications: dict[str, Thing] = {
            row["id"]: {"task": row["task_id"], "who": NAMES[row["applicant_id"]], "status": row["status"]}
            for row in rows["application"]
        }
        self.transactions: dict[str, Thing] = {
            row["id"]: {
                "buyer": NAMES[row["buyer_user_id"]],
                "seller": NAMES[row["seller_user_id"]],
                "price": Decimal(row["price_ut"]),
                "status": row["status"],
            }
            for row in rows["transaction"]
        }
        self.skills = {row["id"]: NAMES[row["user_id"]] for row in rows["skill"]}
        self.capabilities = {row["id"]: row for row in rows["capability"]}
        self.purses = {
            NAMES[row["id"]]: {key: Decimal(value) for key, value in row.items() if key != "id"}
            for row in rows["purse"]
        }
        self.entries = dict.fromkeys(USERS, 0)
        for row in rows["wallet_entry"]:
            self.entries[NAMES[row["user_id"]]] += 1

    @staticmethod
    def _seeded_task(row: Thing) -> Thing:
        blank = dict.fromkeys((*COPIED, "delivery_hours", "matched_order_id"))
        held = Decimal(row["held"]) if row.get("held") else None
        worker = NAMES[row["worker_id"]] if row.get("worker_id") else None
        who = NAMES[row["user_id"]]
        return {**blank, **row, "who": who, "held": held, "worker": worker, "since": ago(row["updated_at"])}

    # Money

    def pay(self, who: str, bucket: str, *, available: Decimal | int = 0, frozen: Decimal | int = 0) -> None:
        """One line in a wallet's book. Refused when nothing is left to pay with."""
        purse = self.purses[who]
        refuse_unless(purse[f"{bucket}_available"] + available >= 0, POOR)
        purse[f"{bucket}_available"] += available
        purse[f"{bucket}_frozen"] += frozen
        self.entries[who] += 1

    def hold(self, task: Thing, amount: Decimal) -> None:
        """Freeze the bounty, or the difference to what is frozen already."""
        more = amount - (task["held"] or 0)
        if more:
            self.pay(task["who"], BUCKETS[space(task["who"])], available=-more, frozen=more)
            task["held"] = amount

    def price(self, task: Thing, before: Thing | None = None) -> Decimal:
        """What a task that is offered to others costs. ``before`` is the task as it was offered so far."""
        refuse_unless(task["mode"] == "online" or task["city"], INVALID)
        hourly = task["billing_model"] == "schedule_hourly"
        if hourly:
            refuse_unless(task["unit_price"] and task["total_quantity"] and task["scheduled_start_at"], INVALID)
            start = task["scheduled_start_at"]
            offered = before is not None and before["scheduled_start_at"] == start
            refuse_unless(offered or datetime.fromisoformat(start) > self.now, INVALID)
        refuse_unless(task["billing_model"] != "fixed_deadline" or task["delivery_hours"], INVALID)
        return Decimal(task["unit_price"]) * task["total_quantity"] if hourly else Decimal(task["bounty_amount"])

    # Tasks

    def see_task(self, who: str, key: str) -> Thing:
        """Another space's task and another's draft are not there."""
        task = self.tasks.get(key)
        refuse_unless(task and space(task["who"]) == space(who), MISSING)
        assert task is not None
        refuse_unless(task["status"] != "draft" or task["who"] == who, MISSING)
        return task

    def own_task(self, who: str, key: str, *states: str) -> Thing:
        task = self.see_task(who, key)
        refuse_unless(task["who"] == who, FORBIDDEN)
        refuse_unless(not states or task["status"] in states, TASK_STATE)
        return task

    def offer(self, who: str, body: Thing, made: str, copied: Thing | None = None) -> None:
        """Create a task. A human without the money gets a draft, an agent nothing."""
        blank = {**dict.fromkeys((*COPIED, "delivery_hours", "held", "worker", "matched_order_id"))}
        defaults = {
            "mode": "online",
            "billing_model": "fixed_deadline",
            "who": who,
            "status": "open",
            "since": self.now,
        }
        task = {**blank, **defaults, **(copied or {}), **body}
        amount = self.price(task)
        task["bounty_amount"] = amount
        try:
            self.hold(task, amount)
        except Refused:
            refuse_unless(space(who) == "human", POOR)
            self.tasks[made] = {**task, "status": "draft"}
            raise Refused(DRAFTED) from None
        self.tasks[made] = task

    def reuse(self, who: str, key: str, body: Thing, made: str) -> None:
        refuse_unless("delivery_hours" in body, INVALID)
        origin = self.own_task(who, key)
        self.offer(who, body, made, {name: origin[name] for name in COPIED})

    def update(self, who: str, key: str, body: Thing) -> None:
        task = self.own_task(who, key, "draft", "open")
        changed = {**task, **body}
        if task["status"] == "open":
            changed["bounty_amount"] = self.price(changed, task)
            self.hold(changed, changed["bounty_amount"])
        self.tasks[key] = changed

    def publish(self, who: str, key: str, body: Thing) -> None:
        refuse_unless("delivery_hours" in body, INVALID)
        task = self.own_task(who, key, "draft")
        changed = {**task, **body, "status": "open", "since": self.now}
        changed["bounty_amount"] = self.price(changed)
        self.hold(changed, changed["bounty_amount"])
        self.tasks[key] = changed

    def end(self, key: str, state: str) -> None:
        """A task that is not matched ends: what was held is free again, whoever applied is rejected."""
        task = self.tasks[key]
        refuse_unless(task["status"] in ("draft", "open"), TASK_STATE)
        if task["held"]:
            self.pay(task["who"], BUCKETS[space(task["who"])], available=task["held"], frozen=-task["held"])
        task.update(status=state, held=None)
        self._lose(key)

    def close(self, who: str, key: str) -> None:
        self.own_task(who, key, "draft", "open")
        self.end(key, "closed")

    def cancel_order(self, key: str) -> None:
        task = self.tasks[key]
        refuse_unless(task["status"] == "matched", TASK_STATE)
        bucket, held = BUCKETS[space(task["who"])], task["held"]
        self.pay(task["worker"], bucket, frozen=-held)
        self.pay(task["who"], bucket, available=held)
        task.update(status="cancelled", held=None)

    def match(self, key: str, worker: str) -> None:
        """The bounty rests frozen with the worker, and whoever still waits is rejected."""
        task = self.tasks[key]
        bucket = BUCKETS[space(worker)]
        self.pay(task["who"], bucket, frozen=-task["held"])
        self.pay(worker, bucket, frozen=task["held"])
        task.update(status="matched", worker=worker, matched_order_id="some")
        self._lose(key)

    def _lose(self, key: str) -> None:
        for each in self.applications.values():
            if each["task"] == key and each["status"] == "pending":
                each["status"] = "rejected"

    def see_skill(self, who: str, key: str) -> str:
        """The owner of a skill of the caller's own space."""
        refuse_unless(key in self.skills and space(self.skills[key]) == space(who), MISSING)
        return self.skills[key]

    def push_skill(self, who: str, key: str, skill: str) -> None:
        self.own_task(who, key, "open")
        self.see_skill(who, skill)

    def select_skill(self, who: str, key: str, skill: str) -> None:
        worker = self.see_skill(who, skill)
        self.own_task(who, key, "open")
        refuse_unless(worker != who, FORBIDDEN)
        self.match(key, worker)

    def advance(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for key, task in self.tasks.items():
            if task["status"] == "open" and task["since"] + OPEN_FOR <= self.now:
                self.end(key, "expired")

    # Applications

    def apply(self, who: str, key: str, skill: str, made: str) -> None:
        task = self.see_task(who, key)
        refuse_unless(task["who"] != who, FORBIDDEN)
        refuse_unless(task["status"] == "open", TASK_STATE)
        refuse_unless(self.skills.get(skill) == who, MISSING)
        refuse_unless(self.my_status(who, key) in (None, "withdrawn"), TASK_STATE)
        self.applications[made] = {"task": key, "who": who, "status": "pending"}

    def my_status(self, who: str, key: str) -> str | None:
        """The state of the caller's last application to a task."""
        mine = [each["status"] for each in self.applications.values() if (each["task"], each["who"]) == (key, who)]
        return mine[-1] if mine else None

    def decide(self, who: str, key: str, application: str, verb: str) -> None:
        """Accept, reject or withdraw."""
        task = self.see_task(who, key)
        found = self.applications.get(application)
        refuse_unless(found and found["task"] == key, MISSING)
        assert found is not None
        refuse_unless(who == (found["who"] if verb == "withdraw" else task["who"]), FORBIDDEN)
        refuse_unless(found["status"] == "pending", TASK_STATE)
        found["status"] = {"accept": "accepted", "reject": "rejected", "withdraw": "withdrawn"}[verb]
        if verb == "accept":
            self.match(key, found["who"])

    # Transactions

    def buy(self, who: str, capability: str, hours: int | None, made: str) -> None:
        found = self.capabilities.get(capability)
        refuse_unless(found, MISSING)
        assert found is not None
        seller = NAMES[found["seller_user_id"]]
        refuse_unless(seller != who, FORBIDDEN)
        hourly = found["pricing_model"] == "per_hour"
        refuse_unless(hours or not hourly, INVALID)
        price = Decimal(found["price_ut"]) * (hours if hourly and hours else 1)
        self.transactions[made] = {"buyer": who, "seller": seller, "price": price, "status": "pending_freeze"}

    def see_transaction(self, who: str, key: str) -> Thing:
        found = self.transactions.get(key)
        refuse_unless(found, MISSING)
        assert found is not None
        refuse_unless(who in (found["buyer"], found["seller"]), FORBIDDEN)
        return found

    def step(self, who: str, key: str, verb: str) -> None:
        """One of a transaction's actions."""
        role, sources, to = STEPS[verb]
        found = self.see_transaction(who, key)
        refuse_unless(found[role] == who, FORBIDDEN)
        refuse_unless(found["status"] in sources.split(), ORDER_STATE)
        price, buyer = found["price"], found["buyer"]
        if verb == "freeze":
            self.pay(buyer, "ut", available=-price, frozen=price)
        elif verb == "confirm":
            self.pay(buyer, "ut", frozen=-price)
            self.pay(found["seller"], "ut", available=price)
        elif found["status"] == "frozen" and verb in ("reject", "cancel"):
            self.pay(buyer, "ut", available=price, frozen=-price)
        found["status"] = to

    # What is seen

    def wallet(self, who: str) -> Thing:
        """As the wallet's overview shows it: the total is the sum of the other two."""
        purse, shown = self.purses[who], {}
        for bucket in ("ut", "cash"):
            available, frozen = purse[f"{bucket}_available"], purse[f"{bucket}_frozen"]
            parts = {"available": available, "frozen": frozen, "total": available + frozen}
            shown[bucket] = {name: f"{amount:.2f}" for name, amount in parts.items()}
        return shown
