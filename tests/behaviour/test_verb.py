from pathlib import Path

import pytest
from tests.behaviour.jobs import ask, titles, world, worlds
from tests.provider.small import FILES, OPENAPI, PROVIDER, SEEDS

from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.verb import Outcome
from tasktwin.behaviour.world import World
from tasktwin.errors import Refusal
from tasktwin.state import Query
from tasktwin.wire import Json

FILTER = "    filter: {state: $request.query.state}\n"
SIDES = """\
    where:
      - {owner: $principal#/user, $request.query.role: [owner, null]}
      - {worker: $principal#/user, $request.query.role: [worker, null]}
"""
EITHER = (FILTER, SIDES + FILTER)
FIFTY = """\
about: Fifty jobs
rows: {token: [{id: t1, secret: ann-token, user: ann}]}
make:
  job:
    - {count: 50, row: {id: "j{$n}", title: "Job {$n}", state: done, owner: {$pick: [ann, ben]}, worker: {$pick: [ann, ben, null]}}}
"""


def fifty(folder: Path, *edits: tuple[str, str]) -> World:
    text = PROVIDER
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return worlds(folder, {"provider.yaml": text, "seeds/default.yaml": FIFTY}).get()


def page(world: World, **query: Json) -> Outcome:
    return ask(world, "listJobs", query=query)


def test_a_list_is_cut_into_pages_that_join_without_a_gap(tmp_path: Path) -> None:
    world = fifty(tmp_path)
    pages = [page(world, page=number, size=20).body for number in (1, 2, 3, 4)]
    assert [len(each["items"]) for each in pages] == [20, 20, 10, 0]
    assert [each["more"] for each in pages] == [True, True, False, False]
    assert {each["total"] for each in pages} == {50}
    seen = [job["id"] for each in pages for job in each["items"]]
    assert sorted(seen) == sorted(f"j{n}" for n in range(50))
    assert seen == [job["id"] for job in page(world, size=50).body["items"]]


@pytest.mark.parametrize(
    "query", [{"page": 0}, {"page": -1}, {"size": -1}, {"size": "x"}, {"size": None}, {"page": 1e400}], ids=repr
)
def test_a_page_that_cannot_be_is_refused(tmp_path: Path, query: dict[str, Json]) -> None:
    with pytest.raises(Refusal, match="invalid"):
        page(world(tmp_path), **query)


def test_a_page_far_beyond_the_end_is_empty(tmp_path: Path) -> None:
    assert page(world(tmp_path), page=10**30, size=100).body == {"items": [], "total": 3, "more": False}


def test_a_filter_counts_only_when_it_is_given(tmp_path: Path) -> None:
    twin = world(tmp_path)
    assert titles(page(twin)) == ["Paint", "Sweep", "Cook"]
    assert titles(page(twin, state="open")) == ["Paint", "Cook"]
    assert page(twin, state="nix").body == {"items": [], "total": 0, "more": False}


def test_a_filter_by_several_values_keeps_any_of_them(tmp_path: Path) -> None:
    twin = world(tmp_path)
    assert titles(page(twin, state=["open", "running"])) == ["Paint", "Sweep", "Cook"]
    assert titles(page(twin, state=["running"])) == ["Sweep"]
    assert titles(page(twin, state=[])) == []
    assert titles(page(twin, state={"a": 1})) == []


def test_a_search_finds_a_part_of_a_text_in_any_case(tmp_path: Path) -> None:
    twin = world(tmp_path)
    assert titles(page(twin, text="AI")) == ["Paint"]
    assert titles(page(twin, text="o", state="open")) == ["Cook"]
    assert titles(page(twin, text="")) == ["Paint", "Sweep", "Cook"]


def test_a_list_is_ordered_by_a_field_or_by_creation(tmp_path: Path) -> None:
    assert titles(page(world(tmp_path, ("order: -created_at", "order: title")))) == ["Cook", "Paint", "Sweep"]
    assert titles(page(world(tmp_path, ("order: -created_at", "order: -title")))) == ["Sweep", "Paint", "Cook"]
    assert titles(page(world(tmp_path, ("order: -created_at", "order: '-'")))) == ["Cook", "Sweep", "Paint"]
    assert titles(page(world(tmp_path, ("    order: -created_at\n", "")))) == ["Paint", "Sweep", "Cook"]


@pytest.mark.parametrize(
    ("role", "sides"), [(None, ("owner", "worker")), ("owner", ("owner",)), ("worker", ("worker",)), ("nobody", ())]
)
def test_alternatives_select_each_row_that_fits_one_of_them_once(
    tmp_path: Path, role: str | None, sides: tuple[str, ...]
) -> None:
    world = fifty(tmp_path, EITHER)
    rows = world.store.find(Query("job", order="created_at", descending=True))
    expected = [row["id"] for row in rows if any(row[side] == "ann" for side in sides)]
    found = page(world, size=50, **({"role": role} if role else {})).body
    assert [job["id"] for job in found["items"]] == expected
    assert (found["total"], found["more"]) == (len(expected), False)
    both = [row["id"] for row in rows if row["owner"] == row["worker"] == "ann"]
    assert both, "the case that would count twice is there"


def test_alternatives_are_paged_like_one_list(tmp_path: Path) -> None:
    world = fifty(tmp_path, EITHER)
    whole = [job["id"] for job in page(world, size=50).body["items"]]
    parts = [job["id"] for number in range(1, 9) for job in page(world, page=number, size=7).body["items"]]
    assert parts == whole


def test_alternatives_go_with_filters_and_search(tmp_path: Path) -> None:
    world = fifty(tmp_path, EITHER, ("{state: $request.query.state}", "{owner: $request.query.state}"))
    found = page(world, size=50, state="ben").body["items"]
    assert {(job["owner"], job["worker"]) for job in found} == {("ben", "ann")}, (
        "one alternative contradicts the filter"
    )
    world = fifty(tmp_path / "plain", EITHER)
    found = page(world, size=50, text="Job 1", state="done").body["items"]
    assert found
    assert all(job["title"].startswith("Job 1") and "ann" in (job["owner"], job["worker"]) for job in found)


def test_a_condition_beside_the_indexed_ones_is_tried_on_each_row(tmp_path: Path) -> None:
    line = "    where: {owner: $principal#/user, worker: {set: true}, title: {contains: '1'}}\n"
    world = fifty(tmp_path, ("    filter: {state: $request.query.state}\n", line))
    found = page(world, size=50).body
    rows = world.store.find(Query("job"))
    expected = {row["id"] for row in rows if row["owner"] == "ann" and row["worker"] and "1" in row["title"]}
    assert {job["id"] for job in found["items"]} == expected
    assert found["total"] == len(expected) > 0


def test_a_list_without_pages_gives_all_rows_each_as_the_answer_says(tmp_path: Path) -> None:
    twin = world(tmp_path, ("    page: pages\n", "    answer: {id: $row#/id}\n"))
    assert page(twin).body == [{"id": "j1"}, {"id": "j2"}, {"id": "j3"}]


def test_a_body_sets_only_what_it_may(tmp_path: Path) -> None:
    body = {
        "title": "Build",
        "owner": "eve",
        "state": "done",
        "id": "mine",
        "note": "x",
        "created_at": "2000-01-01T00:00:00Z",
        "other": 1,
    }
    made = ask(world(tmp_path), "createJob", body=body).body
    assert (made["title"], made["owner"], made["state"], made["created_at"]) == (
        "Build",
        "ann",
        "open",
        "2026-01-01T12:00:00Z",
    )
    assert made["id"] != "mine"
    assert set(made) == {"id", "title", "hours", "price", "state", "owner", "worker", "created_at", "updated_at"}


def test_defaults_of_the_body_fill_in_what_was_not_sent(tmp_path: Path) -> None:
    document = OPENAPI.replace('hours: {type: [integer, "null"], minimum: 1}', "hours: {type: integer, default: 8}")
    twin = worlds(tmp_path, {"openapi.yaml": document}).get()
    assert ask(twin, "createJob", body={"title": "A"}).body["hours"] == 8
    assert ask(twin, "createJob", body={"title": "B", "hours": 2}).body["hours"] == 2
    changed = ask(twin, "updateJob", "j2", body={"title": "C"}).body
    assert changed["hours"] is None, "a change fills in nothing"


def test_a_second_row_of_a_kind_may_be_refused(tmp_path: Path) -> None:
    twin = world(tmp_path)
    with pytest.raises(Refusal, match="twice"):
        ask(twin, "createJob", body={"title": "Paint"})
    assert ask(twin, "createJob", who="ben", body={"title": "Paint"}).body["owner"] == "ben"


def test_unique_may_have_alternatives_and_compares_lists_by_value(tmp_path: Path) -> None:
    old = "unique: {where: {title: $request.body#/title, owner: $principal#/user}, refuse: twice}"
    twin = world(
        tmp_path,
        (old, "unique: {where: [{title: $request.body#/title}, {owner: $request.body#/title}], refuse: twice}"),
    )
    for title in ("Cook", "ben"):
        with pytest.raises(Refusal, match="twice"):
            ask(twin, "createJob", body={"title": title})
    twin.make("job", {"title": ["a"], "owner": "x"})
    with pytest.raises(Refusal, match="twice"):
        ask(twin, "createJob", body={"title": ["a"]})
    assert ask(twin, "createJob", body={"title": ["b"]}).body["title"] == ["b"]


def test_what_is_private_is_kept_and_never_shown(tmp_path: Path) -> None:
    twin = world(tmp_path)
    twin.make("job", {"id": "j9", "title": "A", "state": "open", "note": "secret"})
    row = twin.read("job", "j9")
    assert row is not None
    assert row["note"] == "secret"
    assert "note" not in ask(twin, "getJob", "j9").body
    assert all("note" not in job for job in page(twin).body["items"])


def test_a_joined_field_comes_from_the_first_row_that_fits_or_has_its_else(tmp_path: Path) -> None:
    join = "    joins:\n      worker: {collection: token, where: {user: $row#/owner}, order: -id, give: $row#/secret, else: nobody}\n"
    files = {
        "provider.yaml": PROVIDER.replace("    private: [note]\n", "    private: [note]\n" + join).replace("set: {worker: $principal#/user}, ", ""),
        "seeds/default.yaml": SEEDS.replace(" worker: ben,", "").replace("owner: ben,", "owner: cid,"),
    }  # fmt: skip
    twin = worlds(tmp_path, files).get()
    twin.make("token", {"id": "t0", "secret": "older", "user": "ann"})
    assert ask(twin, "getJob", "j1").body["worker"] == "ann-token"
    assert ask(twin, "getJob", "j3").body["worker"] == "nobody"


def test_what_is_not_there_not_visible_or_elsewhere_is_all_one_to_the_caller(tmp_path: Path) -> None:
    hidden = world(tmp_path, ("    private: [note]\n", "    visible: {owner: $principal#/user}\n"))
    with pytest.raises(Refusal) as unknown:
        ask(hidden, "getJob", "j9")
    with pytest.raises(Refusal) as foreign:
        ask(hidden, "getJob", "j1", "ben")
    assert (unknown.value.kind, unknown.value.detail) == (foreign.value.kind, foreign.value.detail)
    assert ask(hidden, "getJob", "j1", "ann").body["id"] == "j1"


def test_only_those_who_may_change_and_remove(tmp_path: Path) -> None:
    twin = world(tmp_path)
    for operation in ("updateJob", "deleteJob"):
        with pytest.raises(Refusal, match="forbidden: only owner may do this"):
            ask(twin, operation, "j1", "ben", body={"title": "Mine"})
    assert ask(twin, "updateJob", "j1", body={"title": "Mine"}).body["title"] == "Mine"
    assert ask(twin, "deleteJob", "j1").body is None
    with pytest.raises(Refusal, match="not_found"):
        ask(twin, "deleteJob", "j1")


def test_a_change_moves_the_time_of_change_only(tmp_path: Path) -> None:
    twin = world(tmp_path)
    before = ask(twin, "getJob", "j1").body
    twin.advance(60)
    after = ask(twin, "updateJob", "j1", body={"hours": 5}).body
    assert {key for key in after if after[key] != before[key]} == {"hours", "updated_at"}
    assert after["updated_at"] == "2026-01-01T12:01:00Z"


def test_a_needed_row_must_be_there_and_in_its_state(tmp_path: Path) -> None:
    twin = world(tmp_path)
    with pytest.raises(Refusal, match="not_found: there is no such target"):
        ask(twin, "startJob", "j9", "ben")
    twin.trigger("lapse", "j1")
    with pytest.raises(Refusal, match="wrong_state: target is lapsed; it must be open or running"):
        ask(twin, "startJob", "j1", "ben")


def test_copied_fields_come_from_the_needed_row_unless_they_are_sent(tmp_path: Path) -> None:
    old = "    set: {owner: $principal#/user}\n"
    need = "    needs: [{as: model, collection: job, id: j1}]\n    copy: {from: model, fields: [title, hours]}\n"
    text = PROVIDER.replace(old, old + need.replace("id: j1", "id: $request.body#/price"))
    twin = worlds(tmp_path, {"provider.yaml": text}).get()
    twin.make("job", {"id": "1.00", "title": "Model", "hours": 7, "state": "open"})
    made = ask(twin, "createJob", body={"price": "1.00", "hours": 9}).body
    assert (made["title"], made["hours"], made["price"]) == ("Model", 9, "1.00")


GUARDS = """updateJob:
    first: [{when: {$request.body#/title: Bad}, refuse: wrong_state, detail: "never {$request.body#/title}"}]
    needs: [{as: model, collection: job, id: $request.body#/title, where: {owner: $principal#/user}, optional: true}]
    guards:
      - {when: {hours: 2, $model: null}, refuse: twice, data: $row#/title}
      - {when: {$model#/hours: {above: $row#/hours}}, refuse: broke}
    verb: update
    collection: job
    row: $request.path.job_id
"""
GUARDED = ("updateJob: {verb: update, collection: job, row: $request.path.job_id, only: [owner]}\n", GUARDS)


@pytest.mark.parametrize(
    ("job", "title", "told"),
    [
        ("nowhere", "Bad", ("wrong_state", "never Bad", "")),
        ("nowhere", "Good", ("not_found", "there is no such job", None)),
        ("j1", "Good", ("twice", "", "Paint")),
        ("j1", "j3", ("twice", "", "Paint")),
        ("j1", "long", ("broke", "", "")),
    ],
    ids=["before-any-row", "row-before-guards", "on-the-row", "optional-need-that-does-not-fit", "on-a-need"],
)
def test_a_guard_refuses_when_its_condition_holds(
    tmp_path: Path, job: str, title: str, told: tuple[str, str, Json]
) -> None:
    twin = world(tmp_path, GUARDED)
    twin.make("job", {"id": "long", "title": "Long", "hours": 9, "owner": "ann", "state": "open"})
    with pytest.raises(Refusal) as caught:
        ask(twin, "updateJob", job, body={"title": title})
    assert (caught.value.kind, caught.value.detail, caught.value.data) == told


def test_an_operation_whose_guards_do_not_hold_is_done(tmp_path: Path) -> None:
    assert ask(world(tmp_path, GUARDED), "updateJob", "j1", body={"title": "j1"}).body["title"] == "j1"


@effect()
def shout(step: Step) -> Json:
    """The title, louder; nothing is changed."""
    return {"loud": str(step.row.get("title", "nobody")).upper(), "by": step.principal.get("user")}


@pytest.mark.parametrize(
    ("binding", "body"),
    [
        ("{verb: compute, effect: shout}", {"loud": "NOBODY", "by": "ann"}),
        ("{verb: compute, collection: job, row: $request.path.job_id, effect: shout}", {"loud": "PAINT", "by": "ann"}),
        ("{verb: compute, collection: job, row: $request.path.job_id, answer: {is: $row#/title}}", {"is": "Paint"}),
        ("{verb: compute, effect: shout, answer: {said: $response.body#/loud}}", {"said": "NOBODY"}),
        ("{verb: read, collection: job, row: $request.path.job_id, answer: {is: $response.body#/title, at: $now}}", {"is": "Paint", "at": "2026-01-01T12:00:00Z"}),
    ],
    ids=["effect", "effect-on-row", "answer-from-row", "answer-from-effect", "answer-of-read"],
)  # fmt: skip
def test_an_answer_may_be_computed(tmp_path: Path, binding: str, body: Json) -> None:
    twin = world(
        tmp_path,
        ("getJob: {verb: read, collection: job, row: $request.path.job_id}", f"getJob: {binding}"),
        effects={"shout": shout},
    )
    assert ask(twin, "getJob", "j1").body == body


def test_the_document_itself_can_be_an_answer(tmp_path: Path) -> None:
    twin = world(
        tmp_path, ("getJob: {verb: read, collection: job, row: $request.path.job_id}", "getJob: {verb: document}")
    )
    assert ask(twin, "getJob", "j1").body["info"]["title"] == "Jobs"


def test_what_is_assumed_says_so(tmp_path: Path) -> None:
    twin = world(tmp_path)
    assert ask(twin, "getJob", "j1").reason == "state"
    assert ask(twin, "updateJob", "j1", body={}).reason == "assumed: a PATCH with the fields to change"


def test_an_operation_that_is_bound_to_nothing_is_not_modelled(tmp_path: Path) -> None:
    text = FILES["provider.yaml"].replace(
        "  deleteJob: {verb: delete, collection: job, row: $request.path.job_id, only: [owner]}\n", ""
    )
    text = text.replace(
        "      jobs/delete:\n        operation: deleteJob\n        path: {job_id: $params#/id}\n        provenance: stated D\n",
        "",
    )
    twin = worlds(tmp_path, {"provider.yaml": text}).get()
    with pytest.raises(Refusal, match="not_modelled: the twin does not model deleteJob"):
        ask(twin, "deleteJob", "j1")
