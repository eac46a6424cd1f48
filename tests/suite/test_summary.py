"""What stands at the end of a run on the terminal, and ``--json``."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.suite.report.small_run import ASSUMED, COMMAND, URL, finding, line, small_run

from tasktwin.suite.run import Run
from tasktwin.suite.summary import print_summary, summary
from tasktwin.suite.target import Callers
from tasktwin.suite.traffic import Reply, Request, Sent


def printed(run: Run, *, width: int = 120, colour: bool = False) -> str:
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=colour, color_system="standard" if colour else None)
    print_summary(run, console, command=COMMAND, reports=[Path("out/report.html")])
    return file.getvalue()


@pytest.mark.parametrize(
    "wanted",
    [
        "failure  A stranger accepts an application",
        "  operation    acceptApplication (lifecycle.refused)",
        "  expected     refused with 403 (code 40301)",
        "  contradicts  Only the poster may accept an application. (stated) https://uumit.com/en/docs/api/tasks/",
        "  story        2 steps, found 2 times",
        '    curl -sS -X POST "$URL/accept"',
        "cut short  lifecycle: the time is over",
        "skipped    protocol: 1 (it would take 300 s)",
        "left over  task t9: deleteTask answered 409",
        "covered    2 of 41 operations, 1 of 35 transitions",
        "report     out/report.html",
        f"to repeat  {COMMAND}",
    ],
)
def test_the_end_of_a_run_says(wanted: str) -> None:
    lines = [each.rstrip() for each in printed(small_run(finding(), finding())).splitlines()]
    assert wanted in lines


def test_the_last_line_is_the_verdict() -> None:
    failed, noted, cut = (
        small_run(finding()),
        small_run(finding(basis=ASSUMED)),
        small_run(cut="interrupted"),
    )
    noted.ended = [replace(each, cut="") for each in noted.ended]
    last = [printed(run).splitlines()[-1] for run in (failed, noted, cut)]
    assert last[0].startswith("1 failure, 0 notes: the deployment breaks its contract (uumit at http://127.0.0.1:8080;")
    assert last[1].startswith("0 failures, 1 note: nothing contradicts the contract")
    assert last[2].startswith("0 failures, 0 notes: the run was cut short, so that not everything was looked at")


def test_known_findings_are_not_said_not_to_be_there() -> None:
    run = small_run()
    run.ended = [replace(each, cut="") for each in run.ended]
    run.findings.accepted["lifecycle.refused:acceptApplication"] = 2
    assert "nothing contradicts the contract but what the baseline accepts" in printed(run).splitlines()[-1]


def test_of_a_run_that_was_cut_it_says_what_was_not_done() -> None:
    run = small_run(cut="interrupted")
    run.options = replace(run.options, phases=("protocol", "lifecycle", "coverage", "fuzzing"))
    run.undone += [f"lifecycle:walk {n}" for n in range(3, 13)]
    told = printed(run).splitlines()
    assert "not done   lifecycle: 10 of 12, walk 3, walk 4, walk 5, walk 6, walk 7 and 5 more" in told
    assert "not done   coverage, fuzzing: nothing of it" in told


def test_a_redirect_is_told_with_where_it_leads() -> None:
    story = (line("GET", "/api/v1/tasks/", 307),)
    story[0].reply.headers["location"] = "https://login.example/?next=[x]"  # type: ignore[index]
    told = printed(small_run(finding(story=story)))
    assert "  leads to     https://login.example/?next=[x]" in told.splitlines()


def test_colours_only_where_they_are_wanted() -> None:
    assert "\x1b[1;31m" in printed(small_run(finding()), colour=True)
    assert "\x1b" not in printed(small_run(finding()))


def test_hostile_texts_reach_no_terminal_and_no_markup_is_read() -> None:
    told = printed(small_run(finding("[red]x[/] \x1b]0;owned\x07 [/nope]", actual="a\r\x1b[2Jb", script="echo [bold]")))
    assert r"[red]x[/] \x1b]0;owned\x07 [/nope]" in told
    assert r"a\r\x1b[2Jb" in told
    assert "echo [bold]" in told
    assert not {"\x1b", "\x07", "\r"} & set(told)


def test_scripts_are_not_wrapped_in_a_narrow_terminal() -> None:
    script = "curl -sS " + "a" * 300
    assert script in printed(small_run(finding(script=script)), width=40)


def test_in_a_file_each_fact_is_one_line_without_blanks_behind_it() -> None:
    told = printed(small_run(finding(expected="much " * 60)), width=40).splitlines()
    assert f"  expected     {'much ' * 60}".rstrip() in told
    assert not [each for each in told if each != each.rstrip()]


def test_of_what_is_left_over_a_few_are_named() -> None:
    run = small_run()
    run.leftovers += [f"task {n}" for n in range(300)]
    told = printed(run)
    assert told.count("left over") == 6
    assert "and 296 more: --report DIR lists all" in told


def test_where_no_answer_was_a_success_the_url_is_asked_for() -> None:
    run = small_run()
    assert "beware" not in printed(run)
    run.answered.clear()
    run.answered["getTask", 404] = 3
    assert "beware     no answer was a success: is this the API's base URL" in printed(run)


def test_callers_for_whom_nothing_succeeds_are_told() -> None:
    run = small_run(callers=Callers({"human_alice": {}, "human_bob": {}}, secret=True))
    for who, status in (("human_alice", 401), ("human_bob", 401), ("human_bob", 200), ("human_alice", 401)):
        request = Request("GET", "/api/v1/wallet/", who, operation="getWallet")
        run.target.traffic.append(Sent(9, "lifecycle", request, Reply(status), 0))
    told = "of human_alice nothing succeeded that needs credentials, and 2 requests were answered 401: are these"
    assert f"beware     {told} credentials valid there?" in printed(run).splitlines()
    assert told in summary(run)["doubts"][0]
    run.target.callers.secret = False
    assert "are the demo credentials valid there? --credentials FILE says which to send." in printed(run)


def test_the_command_that_repeats_a_run_is_never_wrapped() -> None:
    assert f"to repeat  {COMMAND}" in printed(small_run(), width=40, colour=True).splitlines()


def test_a_thousand_findings_are_not_all_told() -> None:
    told = printed(small_run(*(finding(f"number {n}", story=(), script="") for n in range(1_000))))
    assert told.count("expected") == 50
    assert "and 950 more findings" in told


def test_the_json_form_is_the_one_of_the_report() -> None:
    told = summary(small_run(finding()), command=COMMAND)
    assert (told["verdict"], told["target"], told["command"]) == ("failed", URL, COMMAND)
    assert told["findings"][0]["title"] == "A stranger accepts an application"
