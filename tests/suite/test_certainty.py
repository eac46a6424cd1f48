"""What a finding contradicts: the nearest mark in the document, and the page where it stands."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.provider.small import edited, write
from tests.suite.market import good, market

from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.provider import bundled, load
from tasktwin.suite.certainty import answer_mark, basis_of, operation_mark, request_mark, surest, ways_mark, weakest

PLACES = st.text(st.sampled_from("/*019ihtdm~"), max_size=12)
STATUSES = st.sampled_from([0, 200, 201, 204, 404, 500, 999])


@pytest.mark.parametrize(
    ("operation", "status", "pointer", "kind"),
    [
        ("getJob", 200, "/title", "stated"),
        ("getJob", 200, "/hours", "assumed"),
        ("getJob", 200, "/no-such-member", "stated"),
        ("getJob", 200, "", "stated"),
        ("listJobs", 200, "/items/0/hours", "assumed"),
        ("listJobs", 200, "/items/*/hours", "assumed"),
        ("listJobs", 200, "/items/*/title", "stated"),
        ("listJobs", 200, "/total", "stated"),
        ("getJob", 404, "/error", "observed"),
        ("updateJob", 404, "", "assumed"),
        ("deleteJob", 204, "", "stated"),
        ("noSuchOperation", 200, "/title", "assumed"),
    ],
)
def test_the_nearest_mark_counts(operation: str, status: int, pointer: str, kind: str) -> None:
    assert answer_mark(good(), operation, status, pointer).kind == kind


@pytest.mark.parametrize(
    ("operation", "where", "pointer", "kind"),
    [
        ("createJob", "body", "/title", "stated"),
        ("createJob", "body", "/no-such-member", "stated"),
        ("updateJob", "body", "", "stated"),
        ("updateJob", "path", "/job_id", "assumed"),
        ("getJob", "path", "/job_id", "observed"),
        ("getJob", "body", "/title", "observed"),
        ("watchJob", "header", "/Last-Event-ID", "stated"),
        ("noSuchOperation", "query", "/page", "assumed"),
    ],
)
def test_the_nearest_mark_around_a_place_of_a_request_counts(
    operation: str, where: str, pointer: str, kind: str
) -> None:
    assert request_mark(good(), operation, where, pointer).kind == kind


def test_a_members_own_mark_counts_before_that_of_the_body(tmp_path: Path) -> None:
    old = 'hours: {type: [integer, "null"], minimum: 1}'
    provider = load(market(tmp_path, openapi=f"{old} => {old[:-1]}, x-provenance: observed C1}}"))
    assert request_mark(provider, "createJob", "body", "/hours").kind == "observed"


def test_a_mark_beside_a_reference_counts_before_that_of_what_it_refers_to(tmp_path: Path) -> None:
    old = 'items: {type: array, items: {$ref: "#/components/schemas/Job"}}'
    provider = load(market(tmp_path, openapi=f"{old} => {old[:-2]}, x-provenance: observed C1}}}}"))
    assert answer_mark(provider, "listJobs", 200, "/items/*/title").kind == "observed"
    assert answer_mark(provider, "listJobs", 200, "/items/*/hours").kind == "assumed"


def test_a_document_without_marks_is_the_apis_own_word(tmp_path: Path) -> None:
    text = (Path(market(tmp_path)) / "openapi.yaml").read_text(encoding="utf-8")
    bare = "\n".join(line for line in text.splitlines() if not line.strip().startswith("x-provenance"))
    bare = bare.replace(", x-provenance: stated D", "").replace("x-provenance: stated D, ", "")
    provider = load(str(write(tmp_path / "bare", {"openapi.yaml": bare})))
    assert operation_mark(provider, "createJob") == Provenance("stated", "openapi.yaml")


def test_an_operation_without_a_mark_among_others_that_have_one_is_assumed(tmp_path: Path) -> None:
    provider = load(
        str(
            write(
                tmp_path,
                edited("openapi.yaml", '      x-provenance: "assumed: a PATCH with the fields to change"\n', ""),
            )
        )
    )
    assert operation_mark(provider, "updateJob").kind == "assumed"


@pytest.mark.parametrize(
    ("mark", "text", "url", "severity"),
    [
        (Provenance("stated", "D §2"), "the rule (The pages, §2)", "https://jobs.example/docs", "failure"),
        (Provenance("observed", "C1"), "the rule (A client)", "", "failure"),
        (Provenance("stated", "X"), "the rule (X)", "", "failure"),
        (Provenance("assumed", "we think so"), "the rule: we think so", "", "note"),
    ],
    ids=["stated", "observed", "unknown source", "assumed"],
)
def test_a_basis_names_the_source_and_its_page(mark: Provenance, text: str, url: str, severity: str) -> None:
    basis = basis_of(good(), mark, "the rule")
    assert (basis.text, basis.url, basis.severity) == (text, url, severity)


def test_of_several_marks_the_surest_and_the_weakest_are_found() -> None:
    marks = [Provenance("observed", "a"), Provenance("assumed", "b"), Provenance("stated", "c")]
    assert surest(marks) == marks[2]
    assert weakest(marks) == marks[1]
    assert surest([]) is weakest([]) is None
    ways = good().rules.lifecycles["job"].transitions
    assert ways_mark([ways["abandon"], ways["lapse"]]) == ways["lapse"].provenance


@given(st.sampled_from(sorted(good().rules.contract.operations)), STATUSES, PLACES)
def test_every_place_of_every_answer_has_a_mark(operation: str, status: int, pointer: str) -> None:
    assert answer_mark(good(), operation, status, pointer).kind in {"stated", "observed", "assumed"}


@pytest.mark.parametrize("provider", bundled())
def test_every_declared_answer_of_a_provider_has_a_mark_and_a_text(provider: str) -> None:
    loaded = load(provider)
    for name, operation in loaded.rules.contract.operations.items():
        for status in (int(each) for each in operation.raw["responses"] if each.isdigit()):
            assert basis_of(loaded, answer_mark(loaded, name, status)).text
