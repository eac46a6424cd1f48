"""AITasker, broken in the life of a task: what is done too late, twice, or never."""

import re

from tests.deployments.aitasker.market import (
    A_LONG_TIME,
    BEST,
    ELSEWHERE,
    REVIEWED,
    SECOND,
    TASKS,
    UNTIL_REVIEW,
    is_done,
    made,
    read,
    ways,
)
from tests.deployments.breaking import SEEN, TRIES, remembering
from tests.deployments.deployment import Caller, Data, at_once, edited, twin
from tests.deployments.fault import Faults

from tasktwin import Provider
from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.world import World
from tasktwin.server.asgi import App
from tasktwin.wire import Json

FAULTS = Faults("aitasker")


def winner_changes(caller: Caller) -> bool:
    """The buyer selects one bid, then another."""
    return is_done(caller, f"{REVIEWED}/bids/{BEST}/select") and is_done(caller, f"{REVIEWED}/bids/{SECOND}/select")


@FAULTS.of_rules(
    "second-selection",
    "lifecycle",
    "LIFE: the buyer selects a bid while the task is in review, which makes it delivering",
    winner_changes,
)
def select_again(data: Data) -> None:
    """When a bid was selected already, another can be selected in its place."""
    ways(data)["select"].update({"from": ["review", "delivering"]})


def open_task_is_rewritten(caller: Caller) -> bool:
    """The budget of an open task is changed."""
    task = made(caller)
    caller.patch(task, "poster", json={"budget_usd": 3})
    return bool(read(caller, task)["budget_usd"] == 3)


@FAULTS.of_rules("published-task-saved", "lifecycle", "SEED2: partial update for a draft task", open_task_is_rewritten)
def save_published(data: Data) -> None:
    """Autosave still changes a task that was published."""
    ways(data)["autosave"].update({"from": ["draft", "open"]})


def cancelled_comes_back(caller: Caller) -> bool:
    """A bid for a cancelled task is selected."""
    return is_done(caller, f"{REVIEWED}/cancel") and is_done(caller, f"{REVIEWED}/bids/{BEST}/select")


@FAULTS.of_rules("cancelled-resurrected", "lifecycle", "LIFE: a bid is selected in review", cancelled_comes_back)
def select_in_cancelled(data: Data) -> None:
    """Selecting a bid for a cancelled task lets it be delivered."""
    ways(data)["select"]["from"] = ["review", "cancelled"]
    del data["lifecycles"]["task"]["states"]["cancelled"]["final"]


def cancelled_is_gone(caller: Caller) -> bool:
    """Who cancels a task finds it no more."""
    task = made(caller)
    return is_done(caller, f"{task}/cancel") and caller.get(task, "poster").status_code == 404


@FAULTS.of_provider("cancel-deletes", "lifecycle", "LIFE: cancelled is a state of a task", cancelled_is_gone)
def cancel_deletes(provider: Provider) -> App:
    """A cancelled task cannot be read any more."""

    @effect()
    def remove(step: Step) -> None:
        step.world.store.delete("task", step.row["id"])

    def change(data: Data) -> None:
        ways(data)["cancel"]["effects"] = ["remove"]

    return twin(edited(provider, change, remove=remove))


def paid_without_winner(caller: Caller) -> bool:
    """A task in review is approved."""
    return is_done(caller, f"{REVIEWED}/approve")


@FAULTS.of_rules(
    "approved-without-winner",
    "money",
    "LIFE: completed means that the delivery was approved, and funds captured",
    paid_without_winner,
)
def approve_early(data: Data) -> None:
    """A task in review can be approved, which captures the money for nobody."""
    ways(data)["approve"].update({"from": ["review", "delivering"]})


def bid_of_another_task_wins(caller: Caller) -> bool:
    """A task is given to a bid that was made for another."""
    return is_done(caller, f"{REVIEWED}/bids/{ELSEWHERE}/select")


@FAULTS.of_rules("bid-of-another-task", "money", "GALLERY: a bid has the task_id of its task", bid_of_another_task_wins)
def select_any_bid(data: Data) -> None:
    """A task can be given to a bid that was made for another task."""
    del data["operations"]["selectBid"]["needs"][0]["where"]["task_id"]


def two_bids_win(caller: Caller) -> bool:
    """Two bids are selected at the same moment, a few times, since moments differ."""
    return any(is_selected_twice(caller) for _ in range(TRIES))


def is_selected_twice(caller: Caller) -> bool:
    """Whether two bids for one task are selected."""
    task = made(caller)
    caller.advance(UNTIL_REVIEW)
    bids = [bid["id"] for bid in read(caller, f"{task}/bids")["bids"][:2]]
    calls = [lambda bid=bid: caller.post(f"{task}/bids/{bid}/select", "poster") for bid in bids]
    return all(answer.status_code == 200 for answer in at_once(*calls))


@FAULTS.of_provider("selection-race", "race", "LIFE: the buyer selects one bid in review", two_bids_win)
def select_late(provider: Provider) -> App:
    """Two bids that are selected at the same moment are both selected."""

    @effect("conflict")
    def check_review(step: Step) -> None:
        was = SEEN.get() or (step.before or {})["status"]
        if was != "review":
            step.refuse("conflict", f"task is {was}; select needs review")

    def change(data: Data) -> None:
        ways(data)["select"].update({"from": ["review", "delivering"], "effects": ["check_review", "choose_bid"]})

    def look(world: World, found: re.Match[str]) -> Json:
        return (world.store.get("task", found[1]) or {}).get("status")

    app = twin(edited(provider, change, check_review=check_review))
    return remembering(app, f"POST {TASKS}/([^/]+)/bids/[^/]+/select", look)


def matching_goes_on(caller: Caller) -> bool:
    """A minute later the task is still being matched."""
    task = made(caller)
    caller.advance(60)
    return bool(read(caller, task)["status"] == "matching")


@FAULTS.of_rules("stuck-in-matching", "timer", "LIFE-STUB: open, matching, prototyping, review", matching_goes_on)
def agents_never_called(data: Data) -> None:
    """No agent is ever called, so that tasks stay in matching."""
    ways(data)["call_agents"].update(after=A_LONG_TIME)
