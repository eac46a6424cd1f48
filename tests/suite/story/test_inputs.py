"""What an operation takes, read from the data and the document."""

from pathlib import Path

import pytest
from tests.suite.market import NOON, ask, good, market

from tasktwin.provider import bundled, load
from tasktwin.suite.story.inputs import NOT_WALKED, Inputs, Place, all_inputs
from tasktwin.suite.story.oracle import Oracle

JOB = Place("path", "job_id")


def inputs(name: str) -> Inputs:
    return all_inputs(good())[name]


def test_every_operation_that_can_be_walked_is_known() -> None:
    assert sorted(all_inputs(good())) == sorted(set(good().rules.contract.operations) - {"callAgent"})


@pytest.mark.parametrize(
    ("name", "rows", "main", "writes", "shared"),
    [
        ("listJobs", {}, None, False, True),
        ("createJob", {}, None, True, False),
        ("getJob", {JOB: "job"}, JOB, False, False),
        ("startJob", {JOB: "job"}, JOB, True, False),
        ("deleteJob", {JOB: "job"}, JOB, True, False),
        ("watchJob", {JOB: "job"}, JOB, False, False),
    ],
)
def test_an_operation_says_which_rows_it_needs(
    name: str, rows: dict[Place, str], main: Place | None, *, writes: bool, shared: bool
) -> None:
    each = inputs(name)
    assert (each.rows, each.needed, each.main) == (rows, rows, main)
    assert (each.writes, each.is_shared) == (writes, shared)


def test_a_list_is_narrowed_and_cut_by_what_the_data_say() -> None:
    each = inputs("listJobs")
    assert each.filters == {"state": "state"}
    assert each.page_size == "size"
    assert each.query["page"] == [1, 2, 3]
    assert inputs("getJob").page_size == ""


def test_a_body_is_the_documents_own_example() -> None:
    assert inputs("createJob").bodies == [{"title": "Dig", "hours": 3}]
    assert inputs("getJob").bodies == []


def test_without_an_example_a_body_is_one_that_the_schema_allows(tmp_path: Path) -> None:
    text = (Path(market(tmp_path)) / "openapi.yaml").read_text().replace(", example: {title: Dig, hours: 3}", "")
    (tmp_path / "jobs" / "openapi.yaml").write_text(text)
    provider = load(str(tmp_path / "jobs"))
    each = all_inputs(provider)["createJob"]
    assert len(each.bodies) == 1
    assert Oracle(provider, NOON).answer(ask("POST", "/jobs", body=each.bodies[0])).status == 201


def test_what_is_changed_in_a_body_is_not_changed_in_the_document() -> None:
    inputs("createJob").bodies[0]["title"] = "spoilt"
    assert inputs("createJob").bodies == [{"title": "Dig", "hours": 3}]


def test_members_that_may_be_left_out_are_known() -> None:
    assert inputs("createJob").optional == ["hours", "price"]


def test_words_of_a_body_are_tried_one_by_one_where_they_can_be_sent_alone() -> None:
    each = all_inputs(load("posthog"))["patchRun"]
    words = each.enums["status"]
    assert len(words) > 3
    assert [body["status"] for body in each.variants if list(body) == ["status"]] == [word for word in words if word]


@pytest.mark.parametrize("provider", bundled())
def test_the_inputs_of_a_provider_are_whole(provider: str) -> None:
    loaded = load(provider)
    for name, each in all_inputs(loaded).items():
        assert each.binding.verb not in NOT_WALKED
        assert set(each.needed) <= set(each.rows)
        assert set(each.rows.values()) <= set(loaded.rules.collections)
        paths = {*each.path, *(place.name for place in each.rows if place.where == "path")}
        assert paths == {one.name for one in each.operation.declared if one.where == "path"}, name
        assert all(values for values in each.query.values())
        assert each.bodies or each.operation.body is None or not each.operation.body.required
