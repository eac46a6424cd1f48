from pathlib import Path

import pytest
from tests.behaviour.jobs import HOUR, NOON, ask, world

from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.world import World
from tasktwin.errors import MisuseError, Refusal
from tasktwin.state import Query, Row

DAY = 24 * HOUR


def make(world: World, title: str = "Build", **fields: object) -> Row:
    body: Row = ask(world, "createJob", body={"title": title, "hours": 1, **fields}).body
    return body


def state(world: World, row: Row) -> str:
    found = world.read("job", row["id"])
    assert found is not None
    return str(found["state"])


def everything(world: World) -> object:
    """All that a client could observe, but for the next identifier."""
    store = world.store
    rows = [store.find(Query(name)) for name in store.sizes()]
    return rows, store.timers(), store.topics(), dict(world.taken), world.instant


@effect("broke")
def pay(step: Step) -> None:
    """Books a fee, then finds no money unless the job is cheap."""
    step.add("token", secret="fee", user=step.principal.get("user"))
    step.set(note="paid")
    if str(step.row.get("price")) > "5":
        step.refuse("broke", "no money")


@effect()
def register(step: Step) -> None:
    step.add("token", secret="registered", user=step.row["id"])


EFFECTS = {"pay": pay, "register": register}
PAYING = (
    "create: {operation: createJob, from: new",
    "create: {effects: [register, pay], operation: createJob, from: new",
)
ELSE = (
    "create: {operation: createJob, from: new",
    "create: {effects: [register, pay, register], otherwise: [{kind: broke, to: lapsed, answer: parked, provenance: stated D}], operation: createJob, from: new",
)


def test_timers_fire_in_order_each_at_its_own_instant(tmp_path: Path) -> None:
    twin = world(tmp_path)
    first = make(twin, "A")
    twin.advance(2 * HOUR)
    second = make(twin, "B")
    fired = [each for each in twin.advance(10 * DAY) if each.row in (first["id"], second["id"])]
    assert [(each.row, each.transition, (each.instant - NOON) // 1_000_000) for each in fired] == [
        (first["id"], "lapse", 3 * DAY),
        (second["id"], "lapse", 3 * DAY + 2 * HOUR),
    ]
    lapsed = twin.read("job", first["id"])
    assert lapsed is not None
    assert lapsed["updated_at"] == "2026-01-04T12:00:00Z", "not when somebody looked"
    assert twin.now() == "2026-01-11T14:00:00Z"


def test_a_timer_is_due_at_its_instant_and_not_before(tmp_path: Path) -> None:
    twin = world(tmp_path)
    job = make(twin)
    twin.advance(3 * DAY - 0.000001)
    assert state(twin, job) == "open"
    twin.advance(0.000001)
    assert state(twin, job) == "lapsed"


def test_a_request_finds_what_fell_due_before_it(tmp_path: Path) -> None:
    twin = world(tmp_path)
    job = make(twin)
    twin.clock.advance(4 * DAY * 1_000_000)
    twin.tick()
    assert state(twin, job) == "lapsed"


def test_leaving_a_state_stops_its_timer_and_coming_back_starts_it_anew(tmp_path: Path) -> None:
    twin = world(tmp_path)
    job = make(twin)
    ask(twin, "startJob", job["id"], "ben")
    twin.advance(5 * DAY)
    assert state(twin, job) == "running"
    twin.trigger("abandon", job["id"])
    twin.advance(2 * DAY)
    assert state(twin, job) == "open"
    twin.advance(DAY)
    assert state(twin, job) == "lapsed"


def test_staying_in_a_state_does_not_restart_its_timer(tmp_path: Path) -> None:
    edit = (
        "abandon: {trigger",
        "edit: {operation: updateJob, from: open, provenance: stated D}\n      abandon: {trigger",
    )
    twin = world(tmp_path, edit)
    job = make(twin)
    twin.advance(2 * DAY)
    ask(twin, "updateJob", job["id"], body={"title": "Paint all"})
    twin.advance(DAY)
    assert state(twin, job) == "lapsed"


def test_a_refused_request_leaves_no_trace_not_even_an_identifier(tmp_path: Path) -> None:
    tried, untried = world(tmp_path, PAYING, effects=EFFECTS), world(tmp_path / "x", PAYING, effects=EFFECTS)
    before = everything(tried)
    with pytest.raises(Refusal, match="broke: no money"):
        ask(tried, "createJob", body={"title": "Dear", "price": "9"})
    assert everything(tried) == before
    assert make(tried, price="1") == make(untried, price="1")


def test_a_fallback_keeps_the_row_and_undoes_only_the_effect_that_refused(tmp_path: Path) -> None:
    twin = world(tmp_path, ELSE, effects=EFFECTS)
    outcome = ask(twin, "createJob", body={"title": "Dear", "price": "9"})
    assert outcome.refusal is not None
    assert (outcome.refusal.kind, outcome.refusal.data["state"]) == ("parked", "lapsed")
    (job,) = twin.store.find(Query("job", (("title", "Dear"),)))
    assert (job["state"], job["note"]) == ("lapsed", None)
    secrets = [row["secret"] for row in twin.store.find(Query("token"))]
    assert secrets == ["ann-token", "ben-token", "registered"], "the fee is gone, and what came after it did not run"
    assert job["id"] not in {timer.row for timer in twin.store.timers()}
    assert twin.store.events(f"job:{job['id']}")[0].data["to"] == "lapsed"
    assert twin.taken["job", "create"] == 1


def test_another_refusal_than_the_fallback_is_for_undoes_all(tmp_path: Path) -> None:
    edit = (ELSE[0], ELSE[1].replace("kind: broke", "kind: twice"))
    twin = world(tmp_path, edit, effects=EFFECTS)
    before = everything(twin)
    with pytest.raises(Refusal, match="broke"):
        ask(twin, "createJob", body={"title": "Dear", "price": "9"})
    assert everything(twin) == before


def test_a_timer_whose_effect_refuses_leaves_the_row_and_an_event(tmp_path: Path) -> None:
    twin = world(tmp_path, ("lapse: {after", "lapse: {effects: [pay], after"), effects=EFFECTS)
    dear, cheap = make(twin, "Dear", price="9"), make(twin, "Cheap", price="1")
    assert [each.row for each in twin.advance(3 * DAY)][-1:] == [cheap["id"]]
    assert (state(twin, dear), state(twin, cheap)) == ("open", "lapsed")
    refused = twin.store.events(f"job:{dear['id']}")[-1]
    assert (refused.kind, refused.data["transition"]) == ("timer-refused", "lapse")


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), float("inf"), 1e13, 3e11])
def test_the_clock_only_moves_forward_within_the_calendar(tmp_path: Path, seconds: float) -> None:
    twin = world(tmp_path)
    before = everything(twin)
    with pytest.raises(MisuseError):
        twin.advance(seconds)
    assert everything(twin) == before
    assert twin.now() == "2026-01-01T12:00:00Z"


def test_timers_that_never_end_are_stopped_and_the_world_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasktwin.behaviour.world.FIRINGS", 500)
    circle = ("abandon: {trigger: abandon,", "abandon: {after: 1s,")
    back = ("lapse: {after: 3d, from: open, to: lapsed", "lapse: {after: 1s, from: open, to: running")
    twin = world(tmp_path, circle, back, ("      lapsed: {final: true, provenance: stated D}\n", ""))
    twin.tick()
    before = everything(twin)
    with pytest.raises(MisuseError, match="more than 500 timers are due"):
        twin.advance(DAY)
    assert everything(twin) == before
    assert len(twin.advance(60)) > 100


def test_a_trigger_moves_a_row_that_may_be_moved(tmp_path: Path) -> None:
    twin = world(tmp_path)
    assert twin.trigger("abandon", "j2")["state"] == "open"
    assert twin.trigger("lapse", "j2", "job")["state"] == "lapsed", "a timer may be fired by hand"
    with pytest.raises(Refusal, match="wrong_state: job is lapsed; abandon needs running"):
        twin.trigger("abandon", "j2")


@pytest.mark.parametrize(
    ("trigger", "key", "collection", "says"),
    [
        ("abandn", "j2", "", "'abandn' is unknown; known are abandon, "),
        ("start", "j1", "", "'start' is unknown"),
        ("abandon", "j9", "", "there is no job 'j9'"),
        ("abandon", "j2", "token", "'abandon' moves no 'token'; it moves job"),
    ],
)
def test_a_trigger_that_cannot_mean_anything_is_misuse(
    tmp_path: Path, trigger: str, key: str, collection: str, says: str
) -> None:
    with pytest.raises(MisuseError, match=says):
        world(tmp_path).trigger(trigger, key, collection)


def test_who_may_not_is_told_so_before_the_state_is_looked_at(tmp_path: Path) -> None:
    twin = world(tmp_path)
    with pytest.raises(Refusal, match="forbidden: only other may do this"):
        ask(twin, "startJob", "j2", "ann")
    with pytest.raises(Refusal, match="wrong_state: job is running; start needs open"):
        ask(twin, "startJob", "j2", "ben")


def test_a_transition_may_require_fields(tmp_path: Path) -> None:
    twin = world(tmp_path)
    with pytest.raises(Refusal, match="invalid: hours must be set"):
        ask(twin, "startJob", "j3", "ann")
    ask(twin, "updateJob", "j3", "ben", body={"hours": 3})
    started = ask(twin, "startJob", "j3", "ann").body
    assert (started["state"], started["worker"]) == ("running", "ann")


def test_each_step_of_a_life_leaves_an_event(tmp_path: Path) -> None:
    twin = world(tmp_path)
    job = make(twin)
    ask(twin, "startJob", job["id"], "ben")
    ask(twin, "finishJob", job["id"], "ann")
    events = twin.store.events(f"job:{job['id']}")
    told = [(each.number, each.kind, each.data["from"], each.data["to"]) for each in events]
    assert told == [(1, "create", "new", "open"), (2, "start", "open", "running"), (3, "finish", "running", "done")]
    assert [each.data["row"]["state"] for each in events] == ["open", "running", "done"]
    assert dict(twin.taken) == {("job", "create"): 1, ("job", "start"): 1, ("job", "finish"): 1}


def test_beginning_again_brings_back_rows_clock_identifiers_events_and_counts(tmp_path: Path) -> None:
    twin = world(tmp_path)
    before, first = everything(twin), make(twin)
    ask(twin, "deleteJob", "j1")
    twin.advance(9 * DAY)
    twin.begin_again()
    assert everything(twin) == before
    assert twin.now() == "2026-01-01T12:00:00Z"
    assert make(twin) == first


def test_restoring_brings_back_rows_and_time_as_often_as_wanted(tmp_path: Path) -> None:
    twin = world(tmp_path)
    twin.advance(HOUR)
    saved = twin.save()
    later = [make(twin, "A"), twin.advance(9 * DAY), twin.now()]
    twin.restore(saved)
    assert twin.now() == "2026-01-01T13:00:00Z"
    assert [make(twin, "A"), twin.advance(9 * DAY), twin.now()] == later
    twin.restore(saved)
    assert twin.store.sizes() == {"token": 2, "job": 3}


@pytest.mark.parametrize(("price", "kept"), [("5", "5.00"), ("1e3", "1000.00"), ("-0.1", "-0.10"), ("0005", "5.00")])
def test_an_amount_is_kept_as_text_with_its_places(tmp_path: Path, price: str, kept: str) -> None:
    assert world(tmp_path).make("job", {"price": price})["price"] == kept


@pytest.mark.parametrize("price", ["five", "", "NaN", "Infinity", "1e99", "9" * 25, "5.005", [], {}])
def test_what_is_no_amount_is_refused(tmp_path: Path, price: object) -> None:
    with pytest.raises(Refusal, match="invalid: price must"):
        world(tmp_path).make("job", {"price": price})
