"""Every move that the lifecycles do not draw is refused with 4001 or 4501, and changes nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.uumit.calls import ORDER_STATE, TASK_STATE, everything, seeded, status_of, told

from tasktwin import Twin, load
from tasktwin.behaviour.lifecycle import NEW
from tasktwin.errors import Refusal

ROWS = {"task": seeded(1, 9), "application": seeded(3, 3), "transaction": seeded(4, 2)}
"""Ada's open task, Otto's application to it, and what Ada buys from Otto."""

CALLERS = {"poster": "agent_ada", "applicant": "agent_otto", "buyer": "agent_ada", "seller": "agent_otto"}
REFUSALS = {"task": TASK_STATE, "application": TASK_STATE, "transaction": ORDER_STATE}
BODIES: dict[str, Any] = {
    "updateTask": {"title": "Other"},
    "publishTaskDraft": {"delivery_hours": 24},
    "selectSkill": {"skill_id": seeded(2, 4)},
}
PATHS = {"{task_id}": seeded(1, 9), "{app_id}": seeded(3, 3), "{tx_id}": seeded(4, 2)}


def operations() -> Iterator[tuple[str, str, str]]:
    """Lifecycle, operation, and a state in which the lifecycle does not draw it."""
    for name, lifecycle in load("uumit").rules.lifecycles.items():
        for operation, ways in lifecycle.by_operation.items():
            sources = {source for way in ways for source in way.sources}
            if NEW not in sources:
                yield from ((name, operation, state) for state in lifecycle.states if state not in sources)


def triggers() -> Iterator[tuple[str, str, str]]:
    """Lifecycle of what callers see, trigger or timer, and a state in which the lifecycle does not draw it."""
    for name in ROWS:
        lifecycle = load("uumit").rules.lifecycles[name]
        for trigger, ways in lifecycle.by_trigger.items():
            sources = {source for way in ways for source in way.sources}
            yield from ((name, trigger, state) for state in lifecycle.states if state not in sources)


def put_in(twin: Twin, collection: str, state: str) -> None:
    """Put the row of this collection into a state."""
    row = twin.read(collection, ROWS[collection])
    assert row is not None
    with twin.world.transaction():
        twin.world.change(collection, row, status=state)


def fill(path: str) -> str:
    for name, value in PATHS.items():
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize(("name", "operation", "state"), [*operations()], ids="-".join)
def test_a_move_that_is_not_drawn_is_refused(twin: Twin, name: str, operation: str, state: str) -> None:
    rules = twin.provider.rules
    asked = rules.contract.operations[operation]
    role = rules.lifecycles[name].by_operation[operation][0].only[0]
    put_in(twin, name, state)
    before = everything(twin)
    answer = twin.request(asked.method, fill(asked.path), json=BODIES.get(operation), as_=CALLERS[role])
    assert told(answer) == REFUSALS[name]
    assert everything(twin) == before


@pytest.mark.parametrize(("name", "trigger", "state"), [*triggers()], ids="-".join)
def test_a_trigger_that_is_not_drawn_is_refused(twin: Twin, name: str, trigger: str, state: str) -> None:
    put_in(twin, name, state)
    before = everything(twin)
    with pytest.raises(Refusal):
        twin.trigger(trigger, ROWS[name], name)
    assert everything(twin) == before


@pytest.mark.parametrize(
    ("name", "final"),
    [
        ("task", {"closed", "cancelled", "expired"}),
        ("application", {"accepted", "rejected", "withdrawn"}),
        ("transaction", {"settled", "rejected_by_seller", "cancelled_by_buyer"}),
    ],
)
def test_the_final_states_are_those_of_the_vendor(twin: Twin, name: str, final: set[str]) -> None:
    states = twin.provider.rules.lifecycles[name].states
    assert {state for state, each in states.items() if each.final} == final


STATED = {
    "task": {
        ("new", "open"), ("new", "draft"), ("draft", "open"), ("open", "matched"), ("open", "closed"),
        ("open", "cancelled"), ("open", "expired"),
    },
    "transaction": {
        ("new", "pending_freeze"), ("pending_freeze", "frozen"), ("frozen", "accepted"), ("accepted", "delivered"),
        ("delivered", "settled"), ("frozen", "rejected_by_seller"), ("frozen", "cancelled_by_buyer"),
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "arrows"), STATED.items(), ids=STATED)
def test_every_arrow_of_the_vendors_pages_is_there(twin: Twin, name: str, arrows: set[tuple[str, str]]) -> None:
    assert arrows <= {(source, to) for source, to, _ in twin.provider.rules.lifecycles[name].edges()}


def test_an_expired_timer_finds_its_task_gone_and_does_nothing(twin: Twin) -> None:
    twin.trigger("cancel", ROWS["task"], "task")
    fired = twin.advance(days=10)
    assert ROWS["task"] not in {each.row for each in fired}
    assert status_of(twin, "task", ROWS["task"]) == "cancelled"
