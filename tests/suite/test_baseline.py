"""Baselines: written once, read after that, and wrong files are told from right ones."""

from pathlib import Path

import pytest
from tests.suite.report.small_run import finding, small_run

from tasktwin.errors import DataError
from tasktwin.suite.baseline import MOST, read_baseline, write_baseline
from tasktwin.suite.finding import Findings
from tasktwin.wire import loads


def test_a_missing_file_accepts_nothing_and_is_to_be_written(tmp_path: Path) -> None:
    baseline = read_baseline(tmp_path / "none.json")
    assert (baseline.is_missing, baseline.causes) == (True, frozenset())


def test_what_is_written_is_accepted_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / "baseline.json"
    assert write_baseline(path, [finding("one"), finding("two")], when="2026-01-01") == 2
    baseline = read_baseline(path)
    run = small_run()
    run.findings = Findings(known=baseline.causes)
    assert [run.report(each) for each in (finding("one"), finding("three"), finding("one"))] == [False, True, False]
    assert [each.title for each in run.findings] == ["three"]
    assert list(run.findings.accepted.values()) == [2]


def test_the_file_is_for_people_too_and_does_not_depend_on_the_order(tmp_path: Path) -> None:
    found = [finding("one", cause="c1"), finding("two", cause="c2", rule="a.rule")]
    write_baseline(tmp_path / "a.json", found, when="2026-01-01")
    write_baseline(tmp_path / "b.json", reversed(found), when="2026-01-01")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert loads((tmp_path / "a.json").read_bytes())["findings"][0] == {
        "cause": "c2",
        "rule": "a.rule",
        "title": "two",
        "accepted": "2026-01-01",
    }


def test_the_date_may_be_left_out(tmp_path: Path) -> None:
    write_baseline(tmp_path / "a.json", [finding()])
    (accepted,) = read_baseline(tmp_path / "a.json").accepted
    assert accepted.when == ""


def test_what_did_not_come_up_again_is_named(tmp_path: Path) -> None:
    write_baseline(tmp_path / "a.json", [finding("one", cause="c1"), finding("two", cause="c2")])
    baseline = read_baseline(tmp_path / "a.json")
    findings = Findings(known=baseline.causes)
    findings.add(finding("one", cause="c1"))
    assert [each.cause for each in baseline.gone(findings)] == ["c2"]


HEAD = '{"tasktwin": "baseline", "version": 1, "findings": '
WRONG = {
    "no JSON": ("{", "it is no JSON"),
    "empty": ("", "it is no JSON"),
    "a list": ("[]", "it is no baseline"),
    "another document": ('{"findings": []}', "it is no baseline"),
    "a newer version": ('{"tasktwin": "baseline", "version": 2, "findings": []}', "this tasktwin reads version 1"),
    "no findings": ('{"tasktwin": "baseline", "version": 1}', '"findings" is expected to be a list'),
    "a text": (HEAD + '["x"]}', "a finding is expected to be an object"),
    "no cause": (HEAD + '[{"title": "x"}]}', "a finding has no cause"),
    "an unknown key": (HEAD + '[{"cause": "x", "until": "y"}]}', "'until' is not known here"),
    "a number": (HEAD + '[{"cause": 1}]}', "'cause' is expected to be a text"),
    "deep": ("[" * 100_000, "it is no JSON"),
}


@pytest.mark.parametrize(("content", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_told_with_what_to_do(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(content)
    with pytest.raises(DataError) as error:
        read_baseline(path)
    assert told in str(error.value)
    assert "baseline.json" in str(error.value)
    assert "move this one away" in str(error.value)


def test_a_folder_and_a_huge_file_are_wrong_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_baseline(tmp_path)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(MOST + 1)
    with pytest.raises(DataError, match="larger than 16 MiB"):
        read_baseline(tmp_path / "huge")


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the baseline cannot be written"):
        write_baseline(tmp_path, [finding()])
