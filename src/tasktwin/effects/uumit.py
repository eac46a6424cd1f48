"""UUMit: money follows the tasks and transactions. Amounts are decimals; a purse's total is available plus frozen.

Nothing of this is stated by the vendor beyond "the wallet shows available, frozen and total", "a transaction is
frozen, then settled" and "accepting one application rejects the others"; the rest is assumed and listed in
FIDELITY.md. A matched task's bounty rests frozen with the worker, because no page describes the order that pays it out.
Drafting from a description has a module of its own; all effects are offered from here.
"""

from dataclasses import dataclass
from decimal import Decimal

from tasktwin.behaviour.step import Step, effect
from tasktwin.effects.uumit_draft import *  # noqa: F403 - all effects are offered from here
from tasktwin.state import Query, Row, parse_instant
from tasktwin.wire import Json

CURRENCIES = {"ut": "UT", "cash": "CNY"}
BUCKETS = {"UT": "ut", "CNY": "cash"}
ZERO = Decimal("0.00")
EMPTY = {f"{bucket}_{part}": "0.00" for bucket in CURRENCIES for part in ("available", "frozen")}


def _purse(step: Step, user: str) -> Row:
    purse = step.read("purse", user) or step.add("purse", id=user, **EMPTY)
    if None in purse.values():
        purse = {**purse, **{name: zero for name, zero in EMPTY.items() if purse[name] is None}}
    return purse


@dataclass(frozen=True, slots=True)
class Entry:
    """What a movement of money is called in the wallet's book, and what it belongs to."""

    kind: str
    about: str
    reference: str


def _move(step: Step, user: str, bucket: str, entry: Entry, **deltas: Decimal) -> None:
    """Change a purse by ``available`` and ``frozen``, and write it into the wallet's book."""
    purse, available, frozen = _purse(step, user), f"{bucket}_available", f"{bucket}_frozen"
    left = Decimal(purse[available]) + deltas.get("available", ZERO)
    if left < 0:
        step.refuse("insufficient_balance", f"{-deltas['available']} {CURRENCIES[bucket]} are needed")
    held = Decimal(purse[frozen]) + deltas.get("frozen", ZERO)
    step.change("purse", purse, **{available: str(left), frozen: str(held)})
    step.add(
        "wallet_entry",
        user_id=user,
        bucket=bucket,
        type=entry.kind,
        amount=str(abs(next(iter(deltas.values())))),
        currency=CURRENCIES[bucket],
        balance_after=str(left),
        description=entry.about,
        biz_ref_id=entry.reference,
    )


@effect("invalid")
def price_task(step: Step) -> None:
    """An hourly task costs its unit price times its quantity; a fixed one its bounty."""
    row = step.row
    if row["mode"] == "offline" and not row["city"]:
        step.refuse("invalid", "an offline task needs a city")
    if row["billing_model"] == "schedule_hourly":
        if None in (row["unit_price"], row["total_quantity"], row["scheduled_start_at"]):
            step.refuse("invalid", "an hourly task needs unit_price, total_quantity and scheduled_start_at")
        _check_start(step)
        step.set(bounty_amount=str(Decimal(row["unit_price"]) * Decimal(str(row["total_quantity"]))))
    elif row["bounty_amount"] is None or Decimal(row["bounty_amount"]) <= 0:
        step.refuse("invalid", "bounty_amount must be above zero")
    if row["billing_model"] == "fixed_deadline" and row["delivery_hours"] is None:
        step.refuse("invalid", "delivery_hours must be set")


def _check_start(step: Step) -> None:
    """The work begins in the future (K1). A start that was offered already may have passed since."""
    before, start = step.before or {}, step.row["scheduled_start_at"]
    if before.get("status") == "open" and before["scheduled_start_at"] == start:
        return
    try:
        begins = parse_instant(start)
    except ValueError as error:
        step.refuse("invalid", str(error))
    if begins <= step.world.instant:
        step.refuse("invalid", "scheduled_start_at must be in the future")


@effect("insufficient_balance")
def hold_bounty(step: Step) -> None:
    """The bounty is frozen while the task is open; a changed bounty changes what is held."""
    row, wanted = step.row, Decimal(step.row["bounty_amount"])
    more = wanted - Decimal(row["held"] or ZERO)
    bucket = BUCKETS[row["bounty_currency"]]
    if more:
        kind = "freeze" if more > 0 else "unfreeze"
        _move(
            step,
            row["user_id"],
            bucket,
            Entry(kind, f"bounty of {row['title']}", row["id"]),
            available=-more,
            frozen=more,
        )
        step.set(held=str(wanted))


@effect()
def release_bounty(step: Step) -> None:
    """What was held for a task that ends unmatched is available again."""
    row, held = step.row, Decimal(step.row["held"] or ZERO)
    if held:
        bucket = BUCKETS[row["bounty_currency"]]
        _move(
            step,
            row["user_id"],
            bucket,
            Entry("unfreeze", f"bounty of {row['title']}", row["id"]),
            available=held,
            frozen=-held,
        )
        step.set(held=None)


@effect()
def match_task(step: Step) -> None:
    """An accepted application matches its task."""
    task = step.needed("task")
    step.fire("match", "task", task, worker_id=step.row["applicant_id"])


@effect("forbidden")
def choose_skill(step: Step) -> None:
    """The poster picks a skill: its owner becomes the worker."""
    skill = step.needed("skill")
    if skill["user_id"] == step.row["user_id"]:
        step.refuse("forbidden", "a task is not matched with its poster's own skill")
    step.set(worker_id=skill["user_id"])


@effect()
def pay_worker(step: Step) -> None:
    """The bounty leaves the poster and rests frozen with the worker under the order's number."""
    row, held = step.row, Decimal(step.row["held"] or ZERO)
    bucket, about = BUCKETS[row["bounty_currency"]], f"bounty of {row['title']}"
    order = step.new_id()
    _move(step, row["user_id"], bucket, Entry("expense", about, order), frozen=-held)
    _move(step, row["worker_id"], bucket, Entry("freeze", about, order), frozen=held)
    step.set(matched_order_id=order)


@effect()
def refund_bounty(step: Step) -> None:
    """A cancelled order gives the bounty back at once."""
    row, held = step.row, Decimal(step.row["held"] or ZERO)
    bucket, about = BUCKETS[row["bounty_currency"]], f"refund of {row['title']}"
    _move(step, row["worker_id"], bucket, Entry("unfreeze", about, row["matched_order_id"]), frozen=-held)
    _move(step, row["user_id"], bucket, Entry("refund", about, row["matched_order_id"]), available=held)
    step.set(held=None)


@effect()
def reject_applications(step: Step) -> None:
    """Whoever still waits for an answer is rejected."""
    for application in step.find("application", task_id=step.row["id"], status="pending"):
        step.fire("lose", "application", application)


@effect("forbidden", "invalid")
def price_transaction(step: Step) -> None:
    """The price is the capability's, times the booked hours where it is priced by the hour."""
    capability, row = step.needed("capability"), step.row
    if row["seller_user_id"] == row["buyer_user_id"]:
        step.refuse("forbidden", "an own capability cannot be bought")
    hourly = capability["pricing_model"] == "per_hour"
    if hourly and row["booked_hours"] is None:
        step.refuse("invalid", "booked_hours is needed for a capability priced per hour")
    step.set(price_ut=str(Decimal(capability["price_ut"]) * Decimal(str(row["booked_hours"] if hourly else 1))))


@effect("insufficient_balance")
def freeze_price(step: Step) -> None:
    """The buyer's UT are frozen."""
    row, price = step.row, Decimal(step.row["price_ut"])
    _move(
        step,
        row["buyer_user_id"],
        "ut",
        Entry("freeze", "transaction frozen", row["id"]),
        available=-price,
        frozen=price,
    )


@effect()
def return_price(step: Step) -> None:
    """The buyer's UT are available again."""
    row, price = step.row, Decimal(step.row["price_ut"])
    _move(
        step,
        row["buyer_user_id"],
        "ut",
        Entry("unfreeze", "transaction ended", row["id"]),
        available=price,
        frozen=-price,
    )


@effect()
def settle_price(step: Step) -> None:
    """The frozen UT go to the seller."""
    row, price = step.row, Decimal(step.row["price_ut"])
    _move(step, row["buyer_user_id"], "ut", Entry("expense", "transaction settled", row["id"]), frozen=-price)
    _move(step, row["seller_user_id"], "ut", Entry("income", "transaction settled", row["id"]), available=price)


@effect()
def price_skill(step: Step) -> None:
    """A skill's price may be sent nested or flat; it is answered both ways."""
    body = step.body
    nested = body.get("pricing") or {"model": body["pricing_model"], "amount": body["ut_price"]}
    amount = f"{Decimal(str(nested['amount'])):.2f}"
    step.set(pricing={**nested, "amount": amount}, ut_price=amount)


@effect()
def wallet_overview(step: Step) -> Json:
    """Available, frozen and their total, for UT and for cash."""
    purse = _purse(step, step.principal["user_id"])
    shown = {}
    for bucket in CURRENCIES:
        available, frozen = Decimal(purse[f"{bucket}_available"]), Decimal(purse[f"{bucket}_frozen"])
        shown[bucket] = {"available": str(available), "frozen": str(frozen), "total": str(available + frozen)}
    return shown


@effect()
def community_stats(step: Step) -> Json:
    """How large the market is: counted, not invented."""
    incomes = step.world.store.find(Query("wallet_entry", (("currency", "UT"), ("type", "income"))))
    return {
        "total_agents": step.count("platform_user"),
        "total_users": step.count("user"),
        "total_income_ut": str(sum((Decimal(entry["amount"]) for entry in incomes), ZERO)),
        "active_agents": step.count("user", active=True),
    }


@effect()
def optimize_description(step: Step) -> Json:
    """A tidy text: one sentence a line, each beginning with a capital and ending with a full stop."""
    words = " ".join(step.body["description"].split())
    sentences = [part.strip() for part in words.replace("。", ".").split(".") if part.strip()]
    return {"description": "\n".join(f"{part[0].upper()}{part[1:]}." for part in sentences) or words}


@effect()
def own_address(step: Step) -> Json:
    """Where the twin was reached, so that whoever follows the card stays with the twin."""
    address: str = step.scope["request.url"]().partition("?")[0]
    return address.rpartition("/.well-known/")[0]
