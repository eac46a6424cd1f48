"""The schema phases on small deployments, each with one fault, and on one without."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.suite.schema.notes import Notes, folder, served

from tasktwin.errors import DataError
from tasktwin.provider import Provider, load
from tasktwin.suite import schema
from tasktwin.suite.budget import Budget, SpentError
from tasktwin.suite.finding import Finding
from tasktwin.suite.run import Options, Run, Went
from tasktwin.suite.schema.choice import turned_off
from tasktwin.suite.target import Callers, Target, UnreachableError
from tasktwin.suite.traffic import Request

ALL = ("examples", "coverage", "fuzzing", "stateful")


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Provider:
    return load(str(folder(tmp_path_factory.mktemp("data") / "notes")))


def begin(provider: Provider, url: str, **changes: object) -> Run:
    headers = {name: each.headers for name, each in provider.rules.principals.items()}
    budget = changes.pop("budget", None)
    target = Target(url, Callers(headers), budget if isinstance(budget, Budget) else Budget())
    return Run(provider, target, Options(max_examples=8, **changes))  # type: ignore[arg-type]


def go(run: Run, *phases: str) -> Run:
    try:
        for each in phases:
            run.target.phase = each
            getattr(schema, each)(run)
    finally:
        run.target.close()
    return run


def hunt(provider: Provider, fault: str, *phases: str) -> list[Finding]:
    with served(Notes(fault)) as url:
        return [*go(begin(provider, url), *phases).findings]


def test_a_correct_deployment_has_no_findings(notes: Provider) -> None:
    assert [each.cause for each in hunt(notes, "", *ALL)] == []


@pytest.mark.parametrize(
    ("fault", "phase", "rule", "operation"),
    [
        ("crash", "coverage", "schema.not_a_server_error", "listNotes"),
        ("undeclared", "coverage", "schema.status_code_conformance", "createNote"),
        ("careless", "coverage", "schema.negative_data_rejection", "createNote"),
        ("open", "coverage", "schema.ignored_auth", "listNotes"),
        ("method", "coverage", "schema.unsupported_method", ""),
        ("pages", "coverage", "schema.paging", "listNotes"),
        ("envelope", "coverage", "schema.envelope", "getNote"),
        ("dialect", "coverage", "schema.error_dialect", "getNote"),
        ("shape", "stateful", "schema.response_schema_conformance", "getNote"),
        ("zombie", "stateful", "schema.use_after_free", "getNote"),
        ("lost", "stateful", "schema.ensure_resource_availability", "getNote"),
        ("cut", "coverage", "schema.answered", "listNotes"),
        ("careless", "fuzzing", "schema.negative_data_rejection", "createNote"),
    ],
)
def test_a_fault_is_found_and_weighs_as_a_failure(
    notes: Provider, fault: str, phase: str, rule: str, operation: str
) -> None:
    found = [each for each in hunt(notes, fault, phase) if each.rule == rule and operation in each.operation]
    assert [each.severity for each in found[:1]] == ["failure"]
    assert found[0].story


def test_what_contradicts_an_assumption_is_a_note_with_its_reason(notes: Provider) -> None:
    [found] = hunt(notes, "null", "stateful")
    assert (found.rule, found.severity, found.pointer) == ("schema.response_schema_conformance", "note", "/data/title")
    assert "it may be null" in found.basis.text


def test_what_contradicts_a_page_names_it(notes: Provider) -> None:
    found = hunt(notes, "careless", "coverage")
    assert {(each.basis.kind, each.basis.url) for each in found} == {("stated", "https://notes.example/guide")}


@pytest.mark.parametrize("fault", ["crash", "open", "zombie", "careless", "dialect"])
def test_the_script_shows_the_same_again(notes: Provider, fault: str) -> None:
    with served(Notes(fault)) as url:
        run = go(begin(notes, url), "coverage", "stateful")
        for found in run.findings:
            played = subprocess.run(["bash", "-c", found.script], capture_output=True, text=True, check=True)
            assert played.stdout.rstrip().endswith(f"HTTP {found.story[-1].reply.status}"), found.script
        assert len(run.findings)


def test_a_cause_has_no_random_data_in_it(notes: Provider) -> None:
    causes = []
    for seed in (1, 2):
        with served(Notes("careless")) as url:
            causes.append({each.cause for each in go(begin(notes, url, seed=seed), "coverage").findings})
    assert causes[0] == causes[1] != set()


def test_the_same_seed_sends_the_same(notes: Provider) -> None:
    sent = []
    for _ in range(2):
        with served(Notes()) as url:
            run = go(begin(notes, url, seed=3), *ALL)
            sent.append(
                [
                    (each.request.as_, each.request.method, each.request.path, each.request.body)
                    for each in run.target.traffic
                ]
            )
    assert sent[0] == sent[1]
    assert {as_ for as_, *_ in sent[0]} == {"ann", "bo", ""}


def test_a_scenario_has_one_caller(notes: Provider) -> None:
    with served(Notes("zombie")) as url:
        run = go(begin(notes, url), "stateful")
    for found in run.findings:
        assert len({line.request.as_ for line in found.story}) == 1


def test_shards_do_each_unit_once(notes: Provider) -> None:
    def units(**changes: object) -> list[str]:
        with served(Notes()) as url:
            return go(begin(notes, url, **changes), *ALL).units

    parts = [units(shard=(n, 3)) for n in (1, 2, 3)]
    assert sorted(unit for part in parts for unit in part) == sorted(units())


def test_what_may_not_be_sent_is_not_sent(notes: Provider) -> None:
    app = Notes()
    with served(app) as url:
        run = begin(notes, url)
        run.target.may_send = reads
        go(run, *ALL)
    assert {method for method, _, _ in app.calls} == {"GET"}
    assert run.skipped[-1].what == "links"


def reads(request: Request) -> bool:
    return request.method == "GET"


def test_only_what_was_asked_for_is_tested(notes: Provider) -> None:
    with served(Notes()) as url:
        run = go(begin(notes, url, operations=("get*",)), "coverage")
    assert run.units == ["coverage:getNote"]


def test_no_more_requests_are_sent_than_the_budget_allows(notes: Provider) -> None:
    app = Notes("open")
    with served(app) as url:
        run = begin(notes, url, budget=Budget(requests=30))
        with pytest.raises(SpentError, match="30 requests"):
            go(run, "coverage")
    assert len(app.calls) == 30
    assert "schema.ignored_auth" in {each.rule for each in run.findings}


def test_a_target_that_is_gone_ends_the_phase(notes: Provider) -> None:
    with served(Notes()) as url:
        run = begin(notes, url)
    with pytest.raises(UnreachableError):
        go(run, "coverage")


def test_an_interruption_passes_through(notes: Provider) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, Went):
            raise KeyboardInterrupt

    with served(Notes()) as url:
        run = begin(notes, url)
        run.tell = interrupt
        with pytest.raises(KeyboardInterrupt):
            go(run, "coverage")


def test_ctrl_c_in_the_midst_of_requests_keeps_what_was_done(notes: Provider) -> None:
    app = Notes("interrupt")
    with served(app) as url:
        run = begin(notes, url)
        with pytest.raises(KeyboardInterrupt):
            go(run, "coverage")
    assert 20 <= len(app.calls) < 30
    assert run.target.sent == len(app.calls)


def test_streams_are_asked_to_end(notes: Provider) -> None:
    app = Notes()
    with served(app) as url:
        go(begin(notes, url), "examples")
    assert {headers["prefer"] for _, _, headers in app.calls} == {"stream=bounded"}


def test_no_credential_stands_in_what_is_kept(notes: Provider) -> None:
    with served(Notes("open")) as url:
        run = go(begin(notes, url), "coverage")
    assert all("authorization" not in each.request.headers or not each.request.as_ for each in run.target.traffic)
    assert "ann-key" not in "".join(str(each.request) for each in run.target.traffic)


def test_a_check_that_the_data_turn_off_is_not_made(tmp_path: Path) -> None:
    at = folder(tmp_path / "notes")
    path = at / "provider.yaml"
    path.write_text(path.read_text() + "suite: {checks: {unsupported_method: {off: a proxy answers for us}}}\n")
    provider = load(str(at))
    with served(Notes("method")) as url:
        run = go(begin(provider, url), "coverage")
    assert [*run.findings] == []
    assert "a proxy answers for us" in {each.why for each in run.skipped}


def test_a_check_that_nobody_makes_cannot_be_turned_off(tmp_path: Path) -> None:
    at = folder(tmp_path / "notes")
    path = at / "provider.yaml"
    path.write_text(path.read_text() + "suite: {checks: {unsuported_method: {off: a proxy answers for us}}}\n")
    with pytest.raises(DataError, match="unsuported_method"):
        load(str(at))


def test_methods_of_overlapping_paths_are_not_judged() -> None:
    off = {(each.check, each.operation) for each in turned_off(load("aitasker"))}
    assert ("unsupported_method", "createDraftTask") in off
    assert ("unsupported_method", "createTask") not in off


@pytest.mark.parametrize("name", ["uumit", "aitasker", "posthog"])
def test_a_twin_has_no_findings(serve: Callable[..., str], name: str) -> None:
    provider = load(name)
    run = begin(provider, serve(name))
    run.options = Options(max_examples=3, seed=7, operations=("*Task", "getOpenapiDocument"))
    go(run, *ALL)
    assert [(each.cause, each.actual) for each in run.findings] == []
    assert [each for each in run.skipped if not each.what.startswith("check ")] == []
    assert len(run.units) > 10
