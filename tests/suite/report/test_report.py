"""The folder of reports: what is in it, what report.json tells, and that the same run gives the same files."""

import json
from pathlib import Path

import pytest
from tests.suite.report.small_run import ASSUMED, COMMAND, URL, finding, small_run

from tasktwin.errors import DataError
from tasktwin.suite.finding import Finding
from tasktwin.suite.report import write_reports
from tasktwin.wire import Json

NAMES = ["junit.xml", "report.html", "report.json", "report.sarif", "traffic.har"]
NOTE = finding("A closed task takes an application", basis=ASSUMED)


def reported(folder: Path, *findings: Finding, cut: str = "") -> Json:
    write_reports(folder, small_run(*findings, cut=cut), command=COMMAND, url=URL)
    return json.loads((folder / "report.json").read_bytes())


def test_every_report_is_written_into_a_folder_that_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "reports"
    written = write_reports(folder, small_run(finding()), command=COMMAND, url=URL)
    assert written == [folder / name for name in NAMES]
    assert sorted(path.name for path in folder.iterdir()) == NAMES


def test_a_folder_that_cannot_be_made_is_wrong_data(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="the reports cannot be written"):
        write_reports(tmp_path / "file", small_run(), command=COMMAND, url=URL)


def test_the_document_tells_what_the_run_was(tmp_path: Path) -> None:
    told = reported(tmp_path, NOTE, finding())
    assert {key: told[key] for key in ("tool", "command", "target", "provider", "seed", "shard")} == {
        "tool": "tasktwin",
        "command": COMMAND,
        "target": URL,
        "provider": "uumit",
        "seed": 7,
        "shard": "1/1",
    }
    assert (told["verdict"], told["failures"], told["notes"], told["requests"]) == ("failed", 1, 1, 2)
    assert [each["severity"] for each in told["findings"]] == ["failure", "note"]
    assert told["findings"][0]["story"][1]["answer"] == '{"code":0,"data":{"status":"accepted"}}'


def test_the_document_tells_what_was_done_and_what_was_not(tmp_path: Path) -> None:
    told = reported(tmp_path)
    assert told["verdict"] == "cut"
    assert told["units"] == ["protocol:isolation getTask", "lifecycle:walk 1", "lifecycle:walk 2"]
    assert [(each["phase"], each["units"], each["cut"]) for each in told["phases"]] == [
        ("protocol", 1, ""),
        ("lifecycle", 2, "the time is over"),
    ]
    assert told["skipped"] == [{"phase": "protocol", "what": "stream generation", "why": "it would take 300 s"}]
    assert told["leftovers"] == ["task t9: deleteTask answered 409"]
    assert told["coverage"]["operations"]["createTask"]["statuses"] == {"200": 12, "599": 1}
    assert told["coverage"]["lifecycles"]["application"]["covered"] == 1
    assert set(told["coverage"]["lifecycles"]["task"]["transitions"].values()) == {0}


def test_a_run_that_was_cut_short_without_failures_has_not_passed(tmp_path: Path) -> None:
    told = reported(tmp_path, NOTE, cut=f"{URL} cannot be reached")
    assert (told["verdict"], told["cut"]) == ("cut", f"{URL} cannot be reached")


def test_a_phase_that_was_never_begun_is_named(tmp_path: Path) -> None:
    run = small_run(cut="interrupted")
    run.ended.pop()
    run.units = run.units[:1]
    write_reports(tmp_path, run, command=COMMAND, url=URL)
    told = json.loads((tmp_path / "report.json").read_bytes())
    assert [(each["phase"], each["done"]) for each in told["phases"]] == [("protocol", True), ("lifecycle", False)]


def test_the_same_run_gives_the_same_files_but_for_times(tmp_path: Path) -> None:
    runs = [small_run(finding(), NOTE) for _ in range(2)]
    for at, run in enumerate(runs):
        write_reports(tmp_path / str(at), run, command=COMMAND, url=URL)
    first, second = (json.loads((tmp_path / str(at) / "report.json").read_bytes()) for at in (0, 1))
    times = ("at", "seconds")
    for each in (*first["findings"], *second["findings"]):
        each["seconds"] = 0
    assert {**first, **dict.fromkeys(times)} == {**second, **dict.fromkeys(times)}
    assert list(first) == list(second)
    assert (tmp_path / "0" / "traffic.har").read_bytes() == (tmp_path / "1" / "traffic.har").read_bytes()
