"""The control plane, route by route, over the front door."""

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx2
import pytest
from tests.server.front import (
    ALICE,
    ALICES_TASK,
    TASKS,
    World,
    assert_problem,
)

from tasktwin.server.control.call import free_name
from tasktwin.wire import Json

ALICES_PURSE = "/state/purse/b0000000-0000-4000-8000-0000000000b1"
HOURS_72 = 259_200


# ── health and worlds ────────────────────────────────────────────────────────────────────────────────────────────────


def test_health_names_version_and_provider(origin: str) -> None:
    told = httpx2.get(f"{origin}/_tasktwin/health").json()
    assert (told["status"], told["providers"]) == ("ok", ["uumit"])
    assert told["version"]


def test_a_created_world_is_reached_by_the_urls_it_names(origin: str) -> None:
    answer = httpx2.post(f"{origin}/_tasktwin/worlds", json={"name": "created", "seeds": "empty", "seed": 5})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["seeds"], made["seed"]) == ("created", "empty", 5)
    assert httpx2.get(made["base_url"] + TASKS, headers=ALICE).headers["tasktwin-world"] == "created"
    assert httpx2.get(made["control_url"] + "/state").json()["collections"]["task"] == 0
    assert httpx2.get(f"{origin}/_tasktwin/worlds/created").json()["name"] == "created"
    assert "created" in [each["name"] for each in httpx2.get(f"{origin}/_tasktwin/worlds").json()["worlds"]]


def test_a_world_without_a_name_gets_a_free_one(world: World) -> None:
    names = {world.control.post("/worlds").json()["name"] for _ in range(3)}
    assert len(names) == 3


def test_a_name_is_free_also_if_there_are_more_by_now_than_were_counted() -> None:
    assert free_name("world", 0, {"world-1", "world-2"}.__contains__) == "world-3"


def test_a_world_is_made_only_once(world: World) -> None:
    assert world.control.post("/worlds", json={"name": f"{world.name}-x"}).status_code == 201
    assert_problem(world.control.post("/worlds", json={"name": f"{world.name}-x"}), 409)


def test_creating_a_world_does_not_make_the_one_in_the_header(origin: str) -> None:
    name = {"Tasktwin-World": "self-made"}
    made = httpx2.post(f"{origin}/_tasktwin/worlds", json={"name": "self-made"}, headers=name)
    assert made.status_code == 201


WORLD_WISHES: dict[str, tuple[Json, int, str]] = {
    "a name with a slash": ({"name": "a/b"}, 400, "/name"),
    "an empty name": ({"name": ""}, 400, "/name"),
    "a name with a line break": ({"name": "a\n"}, 400, "/name"),
    "a long name": ({"name": "a" * 65}, 400, "/name"),
    "unknown seeds": ({"seeds": "nope"}, 400, "busy, default, empty"),
    "a negative seed": ({"seed": -1}, 400, "/seed"),
    "half a seed": ({"seed": 0.5}, 400, "/seed"),
    "a seed beyond 2^53": ({"seed": 2**53}, 400, "/seed"),
    "a date without a time": ({"now": "2026-01-01"}, 400, "/now"),
    "a time without a zone": ({"now": "2026-01-01T00:00:00"}, 400, "/now"),
    "a day that is not": ({"now": "2026-02-30T00:00:00Z"}, 400, "/now"),
    "a time too early for the seeds": ({"now": "0001-01-01T00:00:00Z"}, 400, "0001-01-01T00:00:00Z"),
    "an unknown clock": ({"mode": "slow"}, 400, "/mode"),
    "a clock that stands": ({"mode": "x0"}, 400, "x0"),
    "an unknown origin": ({"from": "nope"}, 404, "nope"),
    "a misspelt wish": ({"seedz": "default"}, 400, "/seedz"),
}


@pytest.mark.parametrize(("wish", "status", "told"), WORLD_WISHES.values(), ids=WORLD_WISHES)
def test_a_world_that_cannot_be_is_not_made(world: World, wish: Json, status: int, told: str) -> None:
    before = len(world.control.get("/worlds").json()["worlds"])
    assert told in assert_problem(world.control.post("/worlds", json=wish), status)["detail"]
    assert len(world.control.get("/worlds").json()["worlds"]) == before


def test_a_fork_has_the_rows_and_then_goes_its_own_way(world: World, origin: str) -> None:
    task = world.post_task(title="before").json()["data"]
    made = world.control.post("/worlds", json={"name": f"{world.name}-fork", "from": world.name}).json()
    fork = World(origin, made["name"])
    assert fork.api.get(TASKS + task["id"], headers=ALICE).json()["data"] == task
    fork.post_task(title="in the fork")
    assert (len(world.rows("task")), len(fork.rows("task"))) == (17, 18)
    assert fork.entries()[0]["number"] == 1, "a fork has a journal of its own"
    fork.close()


def test_a_fork_keeps_the_time_clock_and_seed_of_its_origin(world: World) -> None:
    wish = {"name": f"{world.name}-a", "seed": 9, "now": "2026-05-01T00:00:00Z", "mode": "frozen"}
    first = world.control.post("/worlds", json=wish).json()
    fork = world.control.post("/worlds", json={"from": first["name"]}).json()
    assert {key: fork[key] for key in ("seed", "now", "mode")} == {key: first[key] for key in ("seed", "now", "mode")}
    moved = world.control.post("/worlds", json={"from": first["name"], "now": "2027-01-01T00:00:00Z"}).json()
    assert moved["now"] == "2027-01-01T00:00:00.000000Z"


def test_a_world_is_made_from_a_snapshot_of_the_named_world(world: World) -> None:
    world.control.post("/snapshots", json={"name": "early"})
    world.post_task()
    made = world.control.post("/worlds", json={"from": "early"}).json()
    assert httpx2.get(made["control_url"] + "/state").json()["collections"]["task"] == 16


def test_a_deleted_world_is_gone_and_begins_anew(world: World) -> None:
    world.post_task()
    path = f"{world.origin}/_tasktwin/worlds/{world.name}"
    assert httpx2.delete(path).status_code == 204
    assert_problem(httpx2.get(path), 404)
    assert_problem(httpx2.delete(path), 404)
    assert len(world.rows("task")) == 16


# ── reset ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_reset_brings_back_rows_ids_clock_and_journal(world: World) -> None:
    began = world.control.post(
        "/worlds", json={"name": f"{world.name}-r", "now": "2026-05-01T00:00:00Z", "mode": "frozen"}
    )
    again = World(world.origin, began.json()["name"])
    first, before = again.post_task().json(), again.control.get("/state/task").json()
    again.control.post("/clock", json={"advance": HOURS_72, "mode": "x60"})
    told = again.control.post("/reset").json()
    assert (told["now"], told["mode"]) == ("2026-05-01T00:00:00.000000Z", "frozen")
    assert again.entries() == []
    assert again.control.get("/coverage").json()["summary"]["operations"]["seen"] == 0
    assert again.post_task().json() == first, "the same identifier, at the same time"
    assert again.control.get("/state/task").json() == before
    again.close()


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_state_counts_the_rows_of_every_collection(world: World) -> None:
    counts = world.control.get("/state").json()["collections"]
    assert (counts["task"], counts["purse"], counts["skill_push"]) == (16, 4, 0)
    assert {name: len(world.rows(name)) for name in counts} == counts


def test_rows_come_in_pages(world: World) -> None:
    pages = [
        world.control.get("/state/task", params={"limit": 6, "offset": offset}).json() for offset in (0, 6, 12, 18)
    ]
    assert [len(each["items"]) for each in pages] == [6, 6, 4, 0]
    assert {each["total"] for each in pages} == {16}
    assert [row["id"] for each in pages for row in each["items"]] == [row["id"] for row in world.rows("task")]


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "offset=-1", "offset=9999999999", "limit=%ff"])
def test_a_page_of_rows_that_cannot_be_is_refused(world: World, query: str) -> None:
    assert_problem(world.control.get(f"/state/task?{query}"), 400)


def test_a_row_that_is_put_is_what_the_api_answers(world: World) -> None:
    row = world.control.get(f"/state/task/{ALICES_TASK}").json()
    put = world.control.put(f"/state/task/{ALICES_TASK}", json={**row, "title": "put", "bounty_amount": "7"})
    assert put.status_code == 200
    seen = world.api.get(TASKS + ALICES_TASK, headers=ALICE).json()["data"]
    assert (seen["title"], seen["bounty_amount"]) == ("put", "7.00"), "money has two decimals, whoever writes it"
    assert world.control.get(f"/state/task/{ALICES_TASK}").json() == put.json()


def test_a_new_row_is_known_to_the_api_and_to_the_clock(world: World) -> None:
    row, new = world.control.get(f"/state/task/{ALICES_TASK}").json(), "7" * 8 + "-0000-4000-8000-000000000000"
    assert world.control.put(f"/state/task/{new}", json={**row, "id": new, "held": None}).status_code == 200
    assert world.api.get(TASKS + new, headers=ALICE).json()["data"]["status"] == "open"
    fired = world.control.post("/clock", json={"advance": HOURS_72}).json()["fired"]
    assert (new, "expire") in [(each["id"], each["transition"]) for each in fired]
    assert world.api.get(TASKS + new, headers=ALICE).json()["data"]["status"] == "expired"


BAD_ROWS: dict[str, tuple[str, Json, str]] = {
    "a state that is none": (f"/state/task/{ALICES_TASK}", {"status": "lost"}, "/status"),
    "an id that is no UUID": ("/state/task/x", {}, "/id"),
    "an id with a slash": ("/state/task/a%2Fb", {}, "/id"),
    "an id of NUL": ("/state/task/%00", {}, "/id"),
    "an unknown field": (f"/state/task/{ALICES_TASK}", {"colour": "red"}, "colour"),
    "a wrong type": (f"/state/task/{ALICES_TASK}", {"title": 1}, "/title"),
    "money that is none": (f"/state/task/{ALICES_TASK}", {"bounty_amount": "much"}, "bounty_amount"),
    "endless money": (f"/state/task/{ALICES_TASK}", {"bounty_amount": "1e999999999"}, "bounty_amount"),
}


@pytest.mark.parametrize(("path", "fields", "told"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_breaks_the_contract_is_not_put(world: World, path: str, fields: Json, told: str) -> None:
    row = world.control.get(f"/state/task/{ALICES_TASK}").json()
    before = world.evidence()
    assert told in assert_problem(world.control.put(path, json={**row, **fields}), 422)["detail"]
    assert world.evidence() == before


PURSES: dict[str, Json] = {
    "parts missing": {"cash_available": "5.00"},
    "words": {"cash_available": "lots"},
    "null": {"cash_available": None},
    "NaN": {"cash_available": "NaN"},
    "infinity": {"cash_available": "-Infinity"},
    "endless": {"cash_available": "1e999999"},
    "a truth": {"cash_available": True},
    "a list": {"cash_available": []},
}


@pytest.mark.parametrize("fields", PURSES.values(), ids=PURSES)
def test_money_that_cannot_be_counted_is_not_put(world: World, fields: Json) -> None:
    whole = {} if len(fields) == 1 and fields == PURSES["parts missing"] else world.control.get(ALICES_PURSE).json()
    assert "cash_available" in world.control.get(ALICES_PURSE).json()
    assert_problem(world.control.put(ALICES_PURSE, json={**whole, **fields}), 422)
    wallet = world.api.get("/api/v1/wallet/", headers=ALICE).json()["data"]["cash"]
    assert wallet == {"available": "5000.00", "frozen": "420.00", "total": "5420.00"}


def test_money_that_is_put_can_be_spent(world: World) -> None:
    purse = world.control.get(ALICES_PURSE).json()
    world.control.put(ALICES_PURSE, json={**purse, "cash_available": 0.5})
    assert world.post_task().json()["code"] == 3004, "a draft: 0.50 is too little"
    world.control.put(ALICES_PURSE, json={**purse, "cash_available": "1"})
    assert world.post_task().json()["code"] == 0


def test_a_deleted_row_is_gone_for_the_api_and_the_clock(world: World) -> None:
    assert world.control.delete(f"/state/task/{ALICES_TASK}").status_code == 204
    assert_problem(world.control.delete(f"/state/task/{ALICES_TASK}"), 404)
    assert world.api.get(TASKS + ALICES_TASK, headers=ALICE).status_code == 404
    fired = world.control.post("/clock", json={"advance": HOURS_72}).json()["fired"]
    assert ALICES_TASK not in [each["id"] for each in fired]


@pytest.mark.parametrize("path", ["/state/nope", "/state/_idempotency", "/state/nope/x", "/state/task/x", "/state/%00"])
def test_what_is_not_kept_is_not_found(world: World, path: str) -> None:
    assert_problem(world.control.get(path), 404)


def test_reading_state_sees_what_time_has_done(world: World) -> None:
    world.control.post("/clock", json={"mode": "x1000000"})
    states = (world.control.get(f"/state/task/{ALICES_TASK}").json()["status"] for _ in range(1_000))
    assert "expired" in itertools.islice(states, 1_000), "259,200 s pass in 0.26 s, and nobody else asks"


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def still(world: World) -> Iterator[World]:
    """A world whose clock stands at the first second of 2026."""
    name = f"{world.name}-still"
    world.control.post("/worlds", json={"name": name, "now": "2026-01-01T00:00:00Z", "mode": "frozen"})
    found = World(world.origin, name)
    yield found
    found.close()


def test_the_clock_tells_the_time_and_what_waits(still: World) -> None:
    told = still.control.get("/clock").json()
    assert (told["now"], told["mode"]) == ("2026-01-01T00:00:00.000000Z", "frozen")
    assert told["timers"] == len(told["next"]) == 5
    assert [each["due"] for each in told["next"]] == sorted(each["due"] for each in told["next"])


def test_advancing_fires_the_timers_on_the_way_in_order(still: World) -> None:
    waiting = still.control.get("/clock").json()["next"]
    told = still.control.post("/clock", json={"advance": HOURS_72}).json()
    assert told["now"] == "2026-01-04T00:00:00.000000Z"
    assert [(each["at"], each["id"]) for each in told["fired"]] == [(each["due"], each["id"]) for each in waiting]
    assert still.control.get("/clock").json()["next"] == []
    changed = {each["id"]: each["updated_at"] for each in still.rows("task")}
    assert [changed[each["id"]] for each in waiting] == [each["due"].replace(".000000", "") for each in waiting]


def test_a_timer_fires_neither_early_nor_twice(still: World) -> None:
    due = {each["id"]: each["due"] for each in still.control.get("/clock").json()["next"]}[ALICES_TASK]
    early = (datetime.fromisoformat(due) - timedelta(microseconds=1)).isoformat()
    still.control.post("/clock", json={"now": early})
    assert still.control.get(f"/state/task/{ALICES_TASK}").json()["status"] == "open"
    assert [each["id"] for each in still.control.post("/clock", json={"now": due}).json()["fired"]] == [ALICES_TASK]
    assert still.control.get(f"/state/task/{ALICES_TASK}").json()["status"] == "expired"
    assert still.control.post("/clock", json={"advance": 1}).json()["fired"] == []


def test_a_frozen_clock_stands_and_a_fast_one_runs(still: World) -> None:
    assert still.control.get("/clock").json()["now"] == still.control.get("/clock").json()["now"]
    still.control.post("/clock", json={"mode": "x1000000"})
    first, second = (still.control.get("/clock").json()["now"] for _ in range(2))
    assert first < second
    assert still.control.post("/clock", json={"mode": "real"}).json()["mode"] == "real"


def test_one_wish_may_set_time_mode_and_advance(still: World) -> None:
    told = still.control.post("/clock", json={"now": "2026-01-02T00:00:00Z", "advance": 0.5, "mode": "x60"}).json()
    assert told["mode"] == "x60"
    assert told["now"].startswith("2026-01-02T00:00:0")
    assert told["now"] >= "2026-01-02T00:00:00.500000Z"


CLOCK_WISHES: dict[str, Json] = {
    "nothing": {},
    "a negative advance": {"advance": -1},
    "an advance in words": {"advance": "1"},
    "an advance of 101 years": {"advance": 3_187_000_000},
    "the past": {"now": "2025-12-31T23:59:59Z"},
    "the past, and a mode": {"mode": "x60", "now": "2025-12-31T23:59:59Z"},
    "no zone": {"now": "2027-01-01T00:00:00"},
    "a leap second": {"now": "2027-01-01T00:00:60Z"},
    "beyond the year 9999": {"now": "9999-12-31T23:59:59-12:00"},
    "an advance beyond the year 9999": {"now": "9999-01-01T00:00:00Z", "advance": 32_000_000},
    "an unknown mode": {"mode": "fast"},
    "a mode too fast": {"now": "2027-01-01T00:00:00Z", "mode": "x9999999999"},
    "a mode that stands": {"now": "2027-01-01T00:00:00Z", "mode": "x0"},
    "a misspelt wish": {"advanced": 1},
}


@pytest.mark.parametrize("wish", CLOCK_WISHES.values(), ids=CLOCK_WISHES)
def test_a_time_that_cannot_be_is_refused_whole(still: World, wish: Json) -> None:
    before = still.control.get("/clock").json()
    assert_problem(still.control.post("/clock", json=wish), 400)
    assert still.control.get("/clock").json() == before


def test_the_last_year_is_a_year_like_others(still: World) -> None:
    assert still.control.post("/clock", json={"now": "9999-12-31T00:00:00Z"}).status_code == 200
    assert still.post_task().status_code == 200
    told = still.control.get("/clock").json()
    assert (told["timers"], told["next"]) == (1, []), "the task would expire in the year 10000: never"


@pytest.mark.parametrize("path", ["/clock", "/nope"])
def test_an_answer_ends_its_line_so_that_a_shell_begins_its_own(world: World, path: str) -> None:
    assert world.control.get(path).content.endswith(b"}\n")


# ── queries ───────────────────────────────────────────────────────────────────────────────────────────────────────────

QUERIES: dict[str, tuple[str, str]] = {
    "a misspelt filter": ("/journal?statuss=500", "there is no query parameter 'statuss'. Did you mean 'status'?"),
    "a misspelt page": ("/state/task?ofset=5", "Did you mean 'offset'?"),
    "a filter where there is none": ("/coverage?status=200", "This route takes none"),
    "a misspelt operation": (
        "/journal?operation=creatTask",
        "there is no operation 'creatTask'. Did you mean 'createTask'?",
    ),
    "a glob of nothing": ("/journal?operation=[", "there is no operation '['"),
    "a misspelt operation in HAR": ("/journal.har?operation=creatTask", "Did you mean 'createTask'?"),
    "a misspelt operation on a stream": ("/journal/stream?operation=creatTask", "Did you mean 'createTask'?"),
}


@pytest.mark.parametrize(("path", "told"), QUERIES.values(), ids=QUERIES)
def test_a_misspelt_filter_is_refused_and_finds_not_everything_or_nothing(world: World, path: str, told: str) -> None:
    assert told in assert_problem(world.control.get(path), 400)["detail"]


# ── triggers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_trigger_moves_a_row_as_an_api_call_would(world: World) -> None:
    fired = world.control.post("/events/cancel", json={"id": ALICES_TASK})
    assert (fired.status_code, fired.json()["status"]) == (200, "cancelled")
    assert world.api.get(TASKS + ALICES_TASK, headers=ALICE).json()["data"]["status"] == "cancelled"
    wallet = world.api.get("/api/v1/wallet/", headers=ALICE).json()["data"]["cash"]
    assert (wallet["available"], wallet["frozen"]) == ("5300.00", "120.00"), "the bounty is free again"
    assert world.control.get("/coverage").json()["transitions"]["task"]["cancel"] == 1


TRIGGERS: dict[str, tuple[str, Json, int]] = {
    "an unknown trigger": ("nope", {"id": ALICES_TASK}, 400),
    "an API call": ("closeTask", {"id": ALICES_TASK}, 400),
    "a trigger of NUL": ("%00", {"id": ALICES_TASK}, 400),
    "an unknown row": ("cancel", {"id": "nope"}, 400),
    "an unknown collection": ("cancel", {"id": ALICES_TASK, "collection": "nope"}, 400),
    "another collection": ("cancel", {"id": ALICES_TASK, "collection": "application"}, 400),
    "a row in another state": ("cancel_order", {"id": ALICES_TASK}, 409),
    "no row": ("cancel", {}, 400),
    "a row that is no string": ("cancel", {"id": 1}, 400),
    "a long row": ("cancel", {"id": "x" * 201}, 400),
    "a misspelt field": ("cancel", {"id": ALICES_TASK, "row": "x"}, 400),
}


@pytest.mark.parametrize(("name", "wish", "status"), TRIGGERS.values(), ids=TRIGGERS)
def test_a_trigger_that_cannot_fire_changes_nothing(world: World, name: str, wish: Json, status: int) -> None:
    before = world.evidence()
    assert_problem(world.control.post(f"/events/{name}", json=wish), status)
    assert world.evidence() == before


# ── lifecycles, coverage, snapshots ──────────────────────────────────────────────────────────────────────────────────


def test_lifecycles_tell_the_states_and_how_many_rows_are_in_each(world: World) -> None:
    world.api.post(f"{TASKS}{ALICES_TASK}/close", headers=ALICE)
    told = world.control.get("/lifecycles").json()
    assert set(told) == {"task", "application", "transaction", "generation"}
    states = {name: each["rows"] for name, each in told["task"]["states"].items()}
    assert states == {"draft": 3, "open": 4, "matched": 2, "closed": 3, "cancelled": 2, "expired": 2}
    assert told["task"]["states"]["closed"]["final"]
    close = told["task"]["transitions"]["close"]
    assert (close["from"], close["to"], close["taken"]) == (["open"], "closed", 1)


@pytest.mark.parametrize("name", ["task", "application", "transaction"])
def test_a_lifecycle_is_drawn(world: World, name: str) -> None:
    drawn = world.control.get(f"/lifecycles/{name}.svg")
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    picture = ET.fromstring(drawn.text)
    texts = {"".join(each.itertext()) for each in picture.iter("{http://www.w3.org/2000/svg}text")}
    states = world.control.get("/lifecycles").json()[name]["states"]
    assert all(any(state in text for text in texts) for state in states)


@pytest.mark.parametrize("name", ["nope", "%00", "a%2Fb", "x" * 101])
def test_an_unknown_lifecycle_is_not_drawn(world: World, name: str) -> None:
    assert world.control.get(f"/lifecycles/{name}.svg").status_code in (400, 404)


def test_coverage_counts_operations_statuses_and_transitions(busy: World) -> None:
    told = busy.control.get("/coverage").json()
    assert told["operations"]["createTask"] == {"200": 2, "422": 1}
    assert told["operations"]["(no operation)"] == {"404": 1}
    assert told["operations"]["closeTask"] == {}
    assert told["transitions"]["task"]["create"] == 2
    assert told["summary"]["operations"]["seen"] == 2
    assert told["summary"]["transitions"]["seen"] == 1


def test_a_snapshot_is_restored_with_its_time_and_the_journal_goes_on(still: World) -> None:
    taken = still.control.post("/snapshots", json={"name": "before"})
    assert (taken.status_code, taken.json()["now"]) == (201, "2026-01-01T00:00:00.000000Z")
    before = still.evidence()
    first = still.post_task().json()["data"]["id"]
    still.control.post("/clock", json={"advance": HOURS_72})
    assert still.control.post("/snapshots/before/restore").status_code == 200
    assert {**still.evidence(), "transitions": None} == {**before, "transitions": None}
    assert still.control.get("/clock").json()["now"] == "2026-01-01T00:00:00.000000Z"
    assert still.post_task().json()["data"]["id"] == first
    assert [each["number"] for each in still.entries()] == [1, 2]


def test_a_snapshot_without_a_name_never_replaces_another(world: World) -> None:
    world.control.post("/snapshots", json={"name": "snapshot-2"})
    for _ in range(3):
        world.control.post("/snapshots")
    names = [each["name"] for each in world.control.get("/snapshots").json()["snapshots"]]
    assert len(names) == len(set(names)) == 4


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\n", "x" * 65, 1])
def test_a_snapshot_with_a_bad_name_is_not_taken(world: World, name: Json) -> None:
    assert_problem(world.control.post("/snapshots", json={"name": name}), 400)


@pytest.mark.parametrize("name", ["nope", "..", "%00", "%2F"])
def test_an_unknown_snapshot_is_not_restored(world: World, name: str) -> None:
    before = world.evidence()
    assert_problem(world.control.post(f"/snapshots/{name}/restore"), 404)
    assert world.evidence() == before


def test_a_world_keeps_a_hundred_snapshots_and_no_more(world: World) -> None:
    assert {world.control.post("/snapshots").status_code for _ in range(100)} == {201}
    assert_problem(world.control.post("/snapshots"), 409)
