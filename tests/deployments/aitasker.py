"""AITasker, broken in the ways in which a market of drafts, bids and deliveries breaks."""

import asyncio
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeAlias

from starlette.middleware.gzip import GZipMiddleware
from tests.deployments.deployment import (
    Asked,
    Caller,
    Data,
    Deployment,
    Kind,
    Told,
    altered,
    at_once,
    edited,
    preceded,
    ruled,
    twin,
)

from tasktwin import Provider
from tasktwin.behaviour.condition import ALWAYS
from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.rules import Effect
from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.world import World
from tasktwin.contract import compile_contract
from tasktwin.effects.aitasker import complete_task, keep_values
from tasktwin.provider.build import Builder
from tasktwin.provider.effect import find_effects
from tasktwin.server.application import Application
from tasktwin.server.asgi import App
from tasktwin.wire import Json, dumps, loads

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

TRIES = 5

PAUSE = 0.03
"""Seconds between a check and what relies on it: what a busy database takes."""

SEEN: ContextVar[Json] = ContextVar("SEEN", default=None)
"""What a request saw before it waited."""


Shows: TypeAlias = Callable[[Caller], bool]
Break: TypeAlias = Callable[[Provider], App]
Change: TypeAlias = Callable[[Data], None]


class Faults:
    """The faulty deployments of one API, each noted where it is written; what is wrong stands in its docstring."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.all: list[Deployment] = []

    def of_provider(
        self, name: str, kind: Kind, against: str, shows: Shows, about: str = ""
    ) -> Callable[[Break], Break]:
        """Note what makes a faulty application of the provider."""

        def note(break_: Break) -> Break:
            told = about or str(break_.__doc__)
            self.all.append(Deployment(f"{self.provider}-{name}", self.provider, told, kind, against, break_, shows))
            return break_

        return note

    def of_rules(self, name: str, kind: Kind, against: str, shows: Shows) -> Callable[[Change], Change]:
        """Note a change of provider.yaml."""

        def note(change: Change) -> Change:
            self.of_provider(name, kind, against, shows, str(change.__doc__))(ruled(change))
            return change

        return note

    def of_effect(
        self, name: str, kind: Kind, against: str, shows: Shows, replaced: str, *refuses: str
    ) -> Callable[[Effect], Effect]:
        """Note an effect that stands for another."""

        def note(act: Effect) -> Effect:
            broken = ruled(lambda _: None, **{replaced: effect(*refuses)(act)})
            self.of_provider(name, kind, against, shows, str(act.__doc__))(broken)
            return act

        return note

    def and_correct(self, break_: Break) -> list[Deployment]:
        """All of them, and a correct one, on which no story shows anything."""
        about = str(break_.__doc__)
        last = Deployment(
            f"{self.provider}-correct", self.provider, about, "correct", "nothing", break_, self.none_shows
        )
        return [*self.all, last]

    def none_shows(self, caller: Caller) -> bool:
        """Whether any story shows something, each told in a world of its own."""
        for each in self.all:
            with Caller(caller.base_url, caller.principals) as fresh:
                if each.shows(fresh):
                    return True
        return False


FAULTS = Faults("aitasker")

# ── ways to break ────────────────────────────────────────────────────────────────────────────────────────────────────


def rebound(provider: Provider, operation: str, **changes: Any) -> Provider:
    """The provider with an operation that is bound in another way."""
    bindings = provider.rules.bindings
    binding = replace(bindings[operation], **changes)
    return replace(provider, rules=replace(provider.rules, bindings={**bindings, operation: binding}))


def recontracted(provider: Provider, change: Callable[[Data], object]) -> Provider:
    """The provider as it would be if it obeyed another contract than the one that it shows."""
    shown = provider.rules.contract.document
    document: Data = loads(dumps(shown))
    change(document)
    contract = compile_contract(document)
    contract.document = shown
    rules = Builder(provider.data, contract, *find_effects(provider.data["effects"])).build()
    return replace(provider, rules=rules)


def remembering(app: Application, wanted: str, look: Callable[[World, re.Match[str]], Json]) -> App:
    """The application behind a front that looks at the world, waits, and acts later on what it saw (``SEEN``).

    ``wanted`` is a pattern of method and path.
    """
    pattern = re.compile(wanted)

    async def look_and_wait(asked: Asked) -> None:
        found = pattern.fullmatch(f"{asked.method} {asked.path}")
        SEEN.set(look(app.apps[0].worlds.get(asked.world), found) if found else None)
        if found:
            await asyncio.sleep(PAUSE)

    return preceded(app, look_and_wait)


async def wait(_asked: Asked) -> None:
    """Be slower than one could."""
    await asyncio.sleep(PAUSE)


def fronted(app: App, alter: Callable[[Asked, Told], None]) -> App:
    """The application with altered answers. Without its body, HEAD cannot tell how long one would be (RFC 9110, 8.6)."""

    def alter_and_leave_length(asked: Asked, told: Told) -> None:
        alter(asked, told)
        if asked.method == "HEAD":
            told.headers.pop("content-length", None)

    return altered(app, alter_and_leave_length)


def turned(value: Json) -> Json:
    """The same value, the members of its objects in another order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value


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


# ── the life of a task ───────────────────────────────────────────────────────────────────────────────────────────────


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


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def gallery_is_others(caller: Caller) -> bool:
    """Somebody else's gallery is read, whose task is not there."""
    return [caller.get(f"{OTHERS}{path}", "poster").status_code for path in ("", "/bids")] == [404, 200]


@FAULTS.of_provider("foreign-gallery", "isolation", "itself: the task alone is not found by others", gallery_is_others)
def gallery_for_all(provider: Provider) -> App:
    """Anybody with a key reads the bids for a task, and with them the task."""
    task = replace(provider.rules.collections["task"], visible=ALWAYS)
    return twin(rebound(provider, "getBidGallery", collection=task))


def nobody_reads(caller: Caller) -> bool:
    """A task is read without a key, as its owner reads it."""
    task = made(caller)
    answer = caller.get(task)
    return answer.status_code == 200 and bool(answer.json() == read(caller, task))


@FAULTS.of_provider("read-by-nobody", "isolation", "GET: the header Authorization is required", nobody_reads)
def read_by_nobody(provider: Provider) -> App:
    """A task can be read without credentials."""

    def open_up(document: Data) -> None:
        document["paths"][TASKS + "/{task_id}"]["get"]["security"].append({})

    def change(data: Data) -> None:
        data["collections"]["task"]["visible"] = [data["collections"]["task"]["visible"], {"$principal": None}]

    return twin(recontracted(edited(provider, change), open_up))


def reader_publishes(caller: Caller) -> bool:
    """A draft is published with a read-only key."""
    return is_done(caller, f"{drafted(caller)}/publish", "reader")


@FAULTS.of_provider("reader-publishes", "isolation", "KEYS: read-only variants of the keys", reader_publishes)
def publish_by_readers(provider: Provider) -> App:
    """A read-only key publishes drafts."""

    def change(document: Data) -> None:
        document["paths"][TASKS + "/{task_id}/publish"]["post"]["security"] = [{"Bearer": []}]

    return twin(recontracted(provider, change))


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def row_comes_twice(caller: Caller) -> bool:
    """The second page repeats the last row of the first."""
    pages = [caller.get(f"{TASKS}?limit=3&offset={offset}", "poster").json() for offset in (0, 3)]
    first, second = ([task["id"] for task in page] for page in pages)
    return not set(first).isdisjoint(second)


@FAULTS.of_provider("pages-overlap", "paging", "itself: offset is how many tasks to skip", row_comes_twice)
def overlap_pages(provider: Provider) -> App:
    """The second page begins with the last row of the first."""
    paging = provider.rules.bindings["listTasks"].paging
    assert paging is not None
    start = paging.start

    def earlier(scope: Scope) -> Json:
        offset = start(scope)
        return offset - 1 if isinstance(offset, int) and offset > 0 else offset

    return twin(rebound(provider, "listTasks", paging=replace(paging, start=earlier)))


def filter_finds_too_few(caller: Caller) -> bool:
    """One cancelled task is asked for, and there is one, but not among the newest."""
    whole = caller.get(TASKS, "poster").json()
    found = caller.get(f"{TASKS}?status=cancelled&limit=1", "poster").json()
    return any(task["status"] == "cancelled" for task in whole) and found == []


@FAULTS.of_provider(
    "page-filtered", "filter", "itself: the same filter finds it on a larger page", filter_finds_too_few
)
def filter_the_page(provider: Provider) -> App:
    """Only the rows of a page are filtered, so that a small page finds nothing of what there is."""
    paging = provider.rules.bindings["listTasks"].paging
    assert paging is not None

    def fitting(scope: Scope) -> Json:
        wanted = {name: scope["request.query"].get(name) for name in ("status", "category")}
        asked = {name: value for name, value in wanted.items() if value is not None}
        return [row for row in scope["page"]["items"] if all(row[name] == value for name, value in asked.items())]

    return twin(rebound(provider, "listTasks", filters=(), paging=replace(paging, answer=fitting)))


# ── what is sent, and what is kept ───────────────────────────────────────────────────────────────────────────────────


def empty_draft_is_published(caller: Caller) -> bool:
    """A draft without a description is published."""
    return is_done(caller, f"{drafted(caller, title='Orders', description='')}/publish")


@FAULTS.of_rules(
    "published-empty",
    "validation",
    "SEED2: the minimum length is enforced when a draft is published",
    empty_draft_is_published,
)
def publish_without_content(data: Data) -> None:
    """A draft without a description is published."""
    ways(data)["publish"].update(effects=["give_title"])


def smallest_budget_is_refused(caller: Caller) -> bool:
    """A task for 3 dollars is refused, one for 4 is not."""
    answers = [caller.post(TASKS, "poster", json={**TASK, "budget_usd": budget}) for budget in (3, 4)]
    return [answer.status_code for answer in answers] == [422, 201]


@FAULTS.of_provider("bounds-excluded", "validation", "SEED1: 3 <= budget_usd <= 300", smallest_budget_is_refused)
def exclude_bounds(provider: Provider) -> App:
    """The smallest and the largest budget are refused."""

    def change(document: Data) -> None:
        budget = document["components"]["schemas"]["TaskCreate"]["properties"]["budget_usd"]
        budget |= {"exclusiveMinimum": budget.pop("minimum"), "exclusiveMaximum": budget.pop("maximum")}

    return twin(recontracted(provider, change))


def zero_is_lost(caller: Caller) -> bool:
    """A task is to be done without experiments."""
    return bool(read(caller, made(caller, experimentation=0))["experimentation"] != 0)


@FAULTS.of_effect("zero-is-nothing", "validation", "SEED1: 0 <= experimentation <= 1", zero_is_lost, "complete_task")
def take_zero_for_nothing(step: Step) -> None:
    """An experimentation of 0 becomes the default."""
    complete_task(step)
    step.set(experimentation=step.row["experimentation"] or 0.3)


def brand_kit_is_lost(caller: Caller) -> bool:
    """A draft with a brand kit gets another title."""
    draft = drafted(caller, brand_kit_id=BRAND_KIT)
    caller.patch(draft, "poster", json={"title": "Orders"})
    return read(caller, draft)["brand_kit_id"] is None


@FAULTS.of_effect(
    "autosave-clears", "contract", "SEED2: partial update, all fields optional", brand_kit_is_lost, "keep_values"
)
def save_whole_model(step: Step) -> None:
    """An autosave that does not mention the brand kit takes it away."""
    keep_values(step)
    if "brand_kit_id" not in step.body:
        step.set(brand_kit_id=None)


def requirements_are_not_kept(caller: Caller) -> bool:
    """The requirements of a draft are changed, and read again."""
    draft = drafted(caller)
    told = caller.patch(draft, "poster", json={"requirements": {"columns": 4}}).json()
    return bool(told["requirements"] != read(caller, draft)["requirements"])


@FAULTS.of_effect(
    "requirements-not-kept",
    "contract",
    "itself: PATCH and GET tell different things",
    requirements_are_not_kept,
    "keep_values",
)
def miss_changed_object(step: Step) -> None:
    """New requirements of a draft are answered and not kept."""
    keep_values(step)
    step.answer_as("task", step.row)
    step.set(requirements=(step.before or {})["requirements"])


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def missing_is_fine(caller: Caller) -> bool:
    """A task is read that is not there."""
    answer = caller.get(f"{TASKS}/{BRAND_KIT}", "poster")
    return answer.status_code == 200


@FAULTS.of_provider(
    "missing-is-fine", "error", "HTTP: RFC 9110, 15.3.1; GET: the answer of 200 is a task", missing_is_fine
)
def tell_errors_as_fine(provider: Provider) -> App:
    """A task that is not there is answered with 200 and an error."""

    def alter(asked: Asked, told: Told) -> None:
        if told.status == 404 and asked.path.startswith(f"{TASKS}/"):
            told.status = 200

    return fronted(twin(provider), alter)


def longest_title_breaks(caller: Caller) -> bool:
    """A task has the longest title that is allowed."""
    return caller.post(TASKS, "poster", json={**TASK, "title": "x" * LONGEST_TITLE}).status_code == 500


@FAULTS.of_provider("longest-title", "error", "SEED1: title has at most 200 characters", longest_title_breaks)
def break_on_longest_title(provider: Provider) -> App:
    """The longest title that is allowed is answered with 500."""

    @effect("broken")
    def complete(step: Step) -> None:
        if len(step.row["title"] or "") == LONGEST_TITLE:
            step.refuse("broken")
        complete_task(step)

    def change(data: Data) -> None:
        unforeseen = {"status": 500, "media": "text/plain", "message": "", "shape": "Internal Server Error"}
        data["errors"]["kinds"]["broken"] = {**unforeseen, "provenance": "observed FASTAPI"}

    return twin(edited(provider, change, complete_task=complete))


def published_lacks_fields(caller: Caller) -> bool:
    """A draft is published."""
    return "compute_budget" not in caller.post(f"{drafted(caller)}/publish", "poster").json()


@FAULTS.of_provider(
    "nulls-left-out", "contract", "GET: compute_budget is required and may be null", published_lacks_fields
)
def leave_out_nulls(provider: Provider) -> App:
    """What is null is left out when a draft is published."""

    def alter(asked: Asked, told: Told) -> None:
        if asked.path.endswith("/publish") and told.status == 200:
            told.say({name: value for name, value in told.json().items() if value is not None})

    return fronted(twin(provider), alter)


def nothing_is_used_up(caller: Caller) -> bool:
    """The categories are read three times."""
    answers = [caller.get("/api/v1/categories", "poster") for _ in range(3)]
    return len({answer.headers["x-ratelimit-remaining"] for answer in answers}) == 1


@FAULTS.of_provider("never-used-up", "limit", "OVERVIEW: every response has X-RateLimit-Remaining", nothing_is_used_up)
def count_nobody(provider: Provider) -> App:
    """However often one asks, only one request counts as made."""

    def alter(_asked: Asked, told: Told) -> None:
        if limit := told.headers.get("x-ratelimit-limit"):
            told.headers["x-ratelimit-remaining"] = str(int(limit) - 1)

    return fronted(twin(provider), alter)


# ── correct all the same ─────────────────────────────────────────────────────────────────────────────────────────────


def differ_in_nothing_that_matters(provider: Provider) -> App:
    """Other words, other identifiers, further members and headers, in another order, compressed, and slower."""

    def alter(asked: Asked, told: Told) -> None:
        told.headers |= {"x-request-id": "req-1", "server-timing": "app;dur=30"}
        value = told.json()
        if not isinstance(value, (dict, list)) or not asked.path.startswith("/api/"):
            return
        if isinstance(value, dict) and isinstance(value.get("detail"), str):
            value["detail"] = f"Sorry, {value['detail'].lower()}!"
        for each in value if isinstance(value, list) else [value]:
            each["request_id"] = "req-1"
        told.say(turned(value))

    return GZipMiddleware(preceded(fronted(twin(provider, seed=7), alter), wait), minimum_size=200)


DEPLOYMENTS = FAULTS.and_correct(differ_in_nothing_that_matters)
