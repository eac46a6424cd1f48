"""junit.xml, as a CI reads it."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml
from tests.suite.report.small_run import ASSUMED, COMMAND, URL, finding, small_run

from tasktwin.suite.report import account_of
from tasktwin.suite.report.junit import as_junit
from tasktwin.suite.run import Run


def read(run: Run) -> ET.Element:
    return ET.fromstring(as_junit(account_of(run, command=COMMAND, url=URL)))


def cases(root: ET.Element, tag: str) -> list[str]:
    return [case.get("name", "") for case in root.iter("testcase") if case.find(tag) is not None]


def test_each_phase_is_a_suite_that_counts_right(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_bytes(as_junit(account_of(small_run(finding()), command=COMMAND, url=URL)))
    suites = list(JUnitXml.fromfile(str(path)))
    assert [(each.name, each.tests, each.failures, each.skipped, each.time) for each in suites] == [
        ("protocol", 2, 0, 1, 1.25),
        ("lifecycle", 3, 1, 0, 64.0),
    ]
    properties = ET.fromstring(path.read_bytes()).findall("./testsuite[2]/properties/property")
    assert {each.get("name"): each.get("value") for each in properties} == {
        "target": URL,
        "provider": "uumit",
        "seed": "7",
        "command": COMMAND,
        "cut": "the time is over",
    }


def test_each_unit_is_a_test_case() -> None:
    root = read(small_run())
    named = [(each.get("classname"), each.get("name")) for each in root.iter("testcase")]
    assert ("tasktwin.uumit.protocol", "isolation getTask") in named
    assert ("tasktwin.uumit.lifecycle", "walk 2") in named


def test_a_failure_says_all_that_is_needed_to_see_it_again() -> None:
    failure = next(read(small_run(finding())).iter("failure"))
    assert (failure.get("message"), failure.get("type")) == ("A stranger accepts an application", "lifecycle.refused")
    text = failure.text or ""
    assert "Expected:    refused with 403 (code 40301)" in text
    assert "Only the poster may accept an application. (stated) https://uumit.com/en/docs/api/tasks/" in text
    assert "2. human_bob: POST /api/v1/tasks/t1/applications/a1/accept → 200" in text
    assert 'curl -sS -X POST "$URL/accept"' in text


def test_a_note_passes_and_is_told() -> None:
    root = read(small_run(finding(basis=ASSUMED)))
    assert cases(root, "failure") == []
    (told,) = (each.text or "" for each in root.iter("system-out"))
    assert told.startswith("note, fails nothing")
    assert "A closed task takes no further applications." in told


def test_what_was_skipped_says_why() -> None:
    root = read(small_run())
    assert cases(root, "skipped") == ["skipped: stream generation"]
    assert [each.get("message") for each in root.iter("skipped")] == ["it would take 300 s"]


def test_a_target_that_went_away_is_an_error() -> None:
    root = read(small_run(cut=f"{URL} cannot be reached"))
    assert [each.get("message") for each in root.iter("error")] == [f"{URL} cannot be reached"]
    assert root.get("errors") == "1"


@pytest.mark.parametrize(
    "title", ["]]></failure>", "\x00\x1b[31m", "\ud800\uffff", "<b>&amp;", "a" * 100_000], ids=ascii
)
def test_hostile_texts_leave_the_document_well_formed_and_bounded(title: str) -> None:
    content = as_junit(account_of(small_run(finding(title, actual=title)), command=COMMAND, url=URL))
    assert len(content) < 100_000
    assert [each.get("type") for each in ET.fromstring(content).iter("failure")] == ["lifecycle.refused"]


def test_ten_thousand_units_are_written_in_a_moment() -> None:
    run = small_run()
    run.units = [f"lifecycle:walk {n}" for n in range(10_000)]
    assert len(list(read(run).iter("testcase"))) == 10_001
