"""What ``check`` counts and finds in data that can be served, and how FIDELITY.md is kept."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.provider.small import FILES, edited, write

from tasktwin import load
from tasktwin.behaviour.rules import Effect
from tasktwin.behaviour.step import Step, effect
from tasktwin.cli import main
from tasktwin.provider import bundled, fidelity
from tasktwin.provider.check import check_provider
from tasktwin.provider.provenance import counts, facts


def messages(folder: Path) -> list[tuple[str, str]]:
    return [(each.level, each.message) for each in check_provider(str(folder)).problems]


def test_check_counts_what_there_is(tmp_path: Path) -> None:
    report = check_provider(str(write(tmp_path)))
    assert report.figures == {
        "operations bound": "9 of 9",
        "operations checked by openapi-core": "0",
        "states reachable": "4 of 4",
        "transitions": "5",
        "seeds": "default, empty",
        "scenarios": "none",
    }
    assert report.provenance == {"stated": 29, "observed": 3, "assumed": 6}


def test_an_operation_that_is_not_bound_is_a_warning(tmp_path: Path) -> None:
    folder = write(
        tmp_path, edited("provider.yaml", "  getJob: {verb: read, collection: job, row: $request.path.job_id}\n", "")
    )
    told = CliRunner().invoke(main, ["check", str(folder)])
    assert told.exit_code == 2, "the method jobs/get stands for it"
    text = FILES["provider.yaml"].replace("  finishJob: {verb: move, collection: job, row: $request.path.job_id}\n", "")
    text = text.replace("operation: finishJob", "trigger: finish")
    assert ("warning", "finishJob is not modelled") in messages(write(tmp_path, {"provider.yaml": text}))


def test_an_operation_that_openapi_core_checks_is_named(tmp_path: Path) -> None:
    old = 'requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/NewJob"}}}}'
    xml = old.replace("{content: {", "{content: {application/xml: {schema: {type: object}}, ")
    report = check_provider(str(write(tmp_path, edited("openapi.yaml", old, xml))))
    assert report.figures["operations checked by openapi-core"] == "1 (updateJob)"


def test_a_fact_without_provenance_is_a_warning(tmp_path: Path) -> None:
    folder = write(
        tmp_path, edited("openapi.yaml", '      x-provenance: "assumed: a PATCH with the fields to change"\n', "")
    )
    problem = check_provider(str(folder)).problems[0]
    assert (problem.level, problem.message) == ("warning", "updateJob does not say where it comes from")
    assert (problem.file, problem.line) == ("jobs/openapi.yaml", 35)


def test_fidelity_is_missing_then_current_then_stale(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert messages(folder) == [("warning", "FIDELITY.md is missing")]
    CliRunner().invoke(main, ["check", "--write-fidelity", str(folder)])
    assert messages(folder) == []
    write(tmp_path, edited("provider.yaml", '"nobody is paid"', '"somebody is paid"'))
    assert messages(folder) == [("error", "FIDELITY.md does not say what the data says")]


def test_fidelity_says_what_is_assumed_and_why(tmp_path: Path) -> None:
    text = fidelity.fidelity(load(str(write(tmp_path))))
    assert "| stated | 29 |\n| observed | 3 |\n| assumed | 6 |" in text
    assert "| updateJob (PATCH /jobs/{job_id}) | a PATCH with the fields to change |" in text
    assert "| Job.hours | hours, not days |" in text
    assert "| job abandon | the job can be had again |" in text
    assert "| broke | 402 |" in text
    assert "| [The pages](https://jobs.example/docs) |" in text


def test_a_cell_of_fidelity_holds_any_text(tmp_path: Path) -> None:
    folder = write(tmp_path, edited("provider.yaml", '"nobody is paid"', '"a | b\\nc"'))
    assert "| pay | a \\| b c |" in fidelity.fidelity(load(str(folder)))


@pytest.mark.parametrize("name", bundled())
def test_fidelity_of_a_bundled_provider_is_current(name: str) -> None:
    assert fidelity.is_current(load(name))


def test_every_fact_is_found_with_its_place(tmp_path: Path) -> None:
    found = facts(load(str(write(tmp_path))))
    assert counts(found) == {"stated": 29, "observed": 3, "assumed": 6}
    places = {(each.file, each.pointer): str(each.provenance) for each in found}
    assert places["openapi.yaml", "/paths/~1jobs/get"] == "stated D"
    assert places["openapi.yaml", "/components/schemas/Job/properties/hours"] == "assumed: hours, not days"
    assert places["provider.yaml", "/operations/callAgent/methods/jobs~1get"] == "stated D"
    assert places["provider.yaml", "/lifecycles/job/transitions/lapse"] == "observed C1"
    assert places["provider.yaml", "/assumptions/pay"] == "assumed: nobody is paid"


@pytest.mark.parametrize(
    ("old", "new", "part", "about"),
    [
        ("{description: Refused., ", "{description: Refused., x-provenance: 'assumed: ours', ", "Answers", "Failure"),
        ("{name: size, ", "{name: size, x-provenance: 'assumed: ours', ", "Parameters", "listJobs size"),
    ],
    ids=["answer", "parameter-of-an-operation"],
)
def test_marks_outside_of_schemas_are_told_too(tmp_path: Path, old: str, new: str, part: str, about: str) -> None:
    provider = load(str(write(tmp_path, edited("openapi.yaml", old, new))))
    assert [(fact.part, fact.about) for fact in facts(provider) if fact.provenance.note == "ours"] == [(part, about)]
    assert f"### {part}\n\n| about | why |\n| --- | --- |\n| {about} | ours |\n" in fidelity.fidelity(provider)


def test_an_effect_that_refuses_with_an_unknown_kind_and_an_unused_one_are_told(tmp_path: Path) -> None:
    from dataclasses import replace  # noqa: PLC0415 - only here

    from tasktwin.provider import check  # noqa: PLC0415 - only here

    @effect("bankrupt")
    def pay(step: Step) -> None:
        step.refuse("bankrupt")

    provider = load(str(write(tmp_path)))
    effects: dict[str, Effect] = {"pay": pay}
    provider = replace(provider, rules=replace(provider.rules, effects=effects))
    told = [each.message for find in (check._effects, check._bindings) for each in find(provider)]  # noqa: SLF001
    assert told == [
        "the effect 'pay' may refuse with 'bankrupt', which no error describes",
        "the effect 'pay' is used by nothing",
    ]


def test_check_as_json_holds_what_the_text_says(tmp_path: Path) -> None:
    folder = write(tmp_path, edited("provider.yaml", "order: -created_at", "order: -made"))
    told = CliRunner().invoke(main, ["check", "--json", str(folder), str(write(tmp_path / "right"))])
    wrong, right = json.loads(told.output)
    assert (told.exit_code, wrong["ok"], right["ok"]) == (2, False, True)
    (problem,) = wrong["problems"]
    assert set(problem) == {"level", "message", "file", "line", "pointer", "hint"}
    assert (problem["file"], problem["line"]) == ("jobs/provider.yaml", 66)
    assert set(right) == {"provider", "ok", "figures", "provenance", "problems"}
