"""``tasktwin fuzz`` as its users run it: on a good deployment, and on the same with one rule changed."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx2
import pytest
from tests.answering import Asked, Parts, answering
from tests.suite.faulty_twin import deployed
from tests.suite.market import good_folder, market
from tests.suite.story.test_stage import changing

from tasktwin.suite.target import LOST

Serve = Callable[..., str]
UNIQUE = "    unique: {where: {title: $request.body#/title, owner: $principal#/user}, refuse: twice}\n"
FINISH = "finish: {operation: finishJob, from: running, to: done, only: [owner]"
ANYBODY = f"{FINISH} => finish: {{operation: finishJob, from: running, to: done"
CAUSE = "access.object:finishJob:forbidden"
FAST = ("--phases", "lifecycle", "--max-examples", "4", "--quiet")
ALL_SENT = "its share of the time was over before all was sent"
BOTH = ("--phases", "protocol,lifecycle")

NOTES = """\
openapi: 3.1.0
info: {title: Notes, version: "1"}
servers: [{url: https://notes.example/v1}]
security: [{key: []}]
components:
  securitySchemes: {key: {type: http, scheme: bearer}}
  schemas:
    Note: {type: object, required: [text], properties: {id: {type: string, readOnly: true}, text: {type: string, example: Buy milk}}}
paths:
  /notes:
    get: {operationId: listNotes, responses: {"200": {description: All., content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Note"}}}}}, default: &else {description: Else., content: {application/problem+json: {}}}}}
    post: {operationId: makeNote, requestBody: {required: true, content: &note {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}, responses: {"201": {description: Made., content: *note}, default: *else}}
  /notes/{note_id}:
    parameters: [{name: note_id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getNote, responses: {"200": {description: One., content: *note}, default: *else}}
"""

needs_jq = pytest.mark.skipif(not (shutil.which("jq") and shutil.which("curl")), reason="needs jq and curl")


@cache
def faulty() -> str:
    """The market whose jobs anybody can finish."""
    return market(Path(mkdtemp()), provider=ANYBODY)


def served(folder: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tasktwin", "serve", folder, "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture(scope="module")
def good() -> Iterator[str]:
    """A good deployment. Each story is in a world of its own there, so that tests can share it."""
    yield from served(good_folder())


@pytest.fixture(scope="module")
def bad() -> Iterator[str]:
    """One with another rule."""
    yield from served(faulty())


@pytest.fixture(scope="module")
def whole(bad: str) -> dict[str, Any]:
    """What one run on it tells."""
    code, report = told(bad, *BOTH)
    assert code == 1
    return report


def fuzz(url: str, *words: str, provider: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tasktwin", "fuzz", url, "--provider", provider or good_folder(), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **env})


def told(url: str, *words: str, provider: str = "", **env: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and what ``--json`` printed."""
    done = fuzz(url, *FAST, "--json", *words, provider=provider, **env)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def causes(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["severity"], each["cause"]) for each in report["findings"]]


def test_a_good_deployment_passes_every_phase(good: str) -> None:
    done = fuzz(good, "--max-examples", "3", "--json", "--quiet")
    report = json.loads(done.stdout)
    assert (done.returncode, report["findings"], report["verdict"]) == (0, [], "passed")
    assert [each["phase"] for each in report["phases"]] == [
        "protocol",
        "lifecycle",
        "examples",
        "coverage",
        "stateful",
        "fuzzing",
    ]
    assert all(each["done"] and not each["cut"] for each in report["phases"])
    assert done.stderr == ""


def test_where_there_are_worlds_every_phase_has_its_own_and_the_users_is_as_it_was(serve: Serve) -> None:
    url = serve(good_folder())
    report = json.loads(fuzz(url, "--max-examples", "3", "--json", "--quiet").stdout)
    assert all(each["done"] for each in report["phases"])
    assert report["leftovers"] == []
    assert httpx2.get(f"{url}/_tasktwin/journal").json()["entries"] == []
    assert [each["name"] for each in httpx2.get(f"{url}/_tasktwin/worlds").json()["worlds"]] == ["default"]


def test_a_quiet_run_has_nothing_to_say_of_its_libraries(serve: Serve, tmp_path: Path) -> None:
    path = Path(market(tmp_path))
    text = (path / "openapi.yaml").read_text().replace(", example: {title: Dig, hours: 3}", "")
    (path / "openapi.yaml").write_text(text)
    done = fuzz(serve(str(path)), "--phases", "protocol,fuzzing", "--max-examples", "2", "--quiet", provider=str(path))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_deployment_with_another_rule_fails_and_is_told_why(bad: str) -> None:
    done = fuzz(bad, *FAST)
    assert done.returncode == 1
    assert "failure  finishJob lets ben reach what is not theirs" in done.stdout
    assert "owasp.org" in done.stdout
    assert "the deployment breaks its contract" in done.stdout


def test_progress_goes_to_stderr_and_the_plan_first(good: str) -> None:
    done = fuzz(good, "--phases", "protocol", "--operation", "listJobs")
    assert done.stderr.index("phases") < done.stderr.index("protocol:")
    assert "0 failures" in done.stdout


def test_a_seed_gives_the_same_findings_and_the_same_units(bad: str) -> None:
    url = bad
    (code, first), (again, second) = (told(url, "--seed", "11") for _ in range(2))
    assert (code, again) == (1, 1)
    assert causes(first) == causes(second)
    assert [[each["operation"] for each in one["story"]] for one in first["findings"]] == [
        [each["operation"] for each in one["story"]] for one in second["findings"]
    ]
    assert first["units"] == second["units"]
    assert "--seed 11" in first["command"]


def test_shards_are_disjoint_and_together_just_one_run(bad: str, whole: dict[str, Any], tmp_path: Path) -> None:
    parts = []
    for n in range(1, 5):
        told(bad, *BOTH, "--shard", f"{n}/4", "--report", str(tmp_path / str(n)))
        parts.append(json.loads((tmp_path / str(n) / "report.json").read_bytes()))
    units = [each for part in parts for each in part["units"]]
    assert len(set(units)) == len(units)
    assert sorted(units) == sorted(whole["units"])
    assert {each for part in parts for each in causes(part)} == set(causes(whole))
    assert all(part["units"] for part in parts)


def test_workers_find_together_what_one_does(bad: str, whole: dict[str, Any]) -> None:
    code, report = told(bad, *BOTH, "--workers", "2")
    assert code == 1
    assert sorted(report["units"]) == sorted(whole["units"])
    assert sorted(causes(report)) == sorted(causes(whole))


def shown_again(script: str, **env: str) -> list[str]:
    """What bash prints when a script is pasted into it."""
    done = subprocess.run(
        ["bash"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": os.environ["PATH"], **env},
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@needs_jq
def test_a_script_pasted_into_bash_shows_it_again(whole: dict[str, Any]) -> None:
    finding = next(each for each in whole["findings"] if each["cause"] == CAUSE)
    *body, status = shown_again(finding["script"])
    assert status == f"HTTP {finding['story'][-1]['status']}" == "HTTP 200"
    assert json.loads("".join(body))["state"] == "done"


@needs_jq
def test_every_script_shows_its_last_status_again() -> None:
    async def worse(asked: Any, twin: Any) -> Any:
        return await changing("/start", "POST", state="open")(asked, twin)

    with deployed(faulty(), worse) as url:
        _, report = told(url)
        assert len(report["findings"]) >= 2
        for each in report["findings"]:
            assert shown_again(each["script"])[-1] == f"HTTP {each['story'][-1]['status']}", each["cause"]


@needs_jq
def test_with_credentials_of_ones_own_the_script_has_variables(bad: str, tmp_path: Path) -> None:
    file = tmp_path / "who.yaml"
    file.write_text('ann: {Authorization: "Bearer ${ANN}"}\nben: {Authorization: "Bearer ${BEN}"}\n')
    secrets = {"ANN": "ann-token", "BEN": "ben-token"}
    code, report = told(bad, "--credentials", str(file), "--report", str(tmp_path / "out"), **secrets)
    finding = next(each for each in report["findings"] if each["cause"] == CAUSE)
    assert code == 1
    assert '-H "Authorization: Bearer ${BEN}"' in finding["script"]
    written = json.dumps(report) + "".join(each.read_text() for each in (tmp_path / "out").iterdir())
    assert not any(secret in written for secret in secrets.values())
    assert shown_again(finding["script"], **secrets)[-1] == "HTTP 200"


def test_a_baseline_is_written_once_and_then_only_what_is_new_fails(bad: str, tmp_path: Path) -> None:
    file, url = tmp_path / "known.json", bad
    code, _ = told(url, "--baseline", str(file))
    written = file.read_bytes()
    again, report = told(url, "--baseline", str(file))
    assert (code, again) == (1, 0)
    assert CAUSE in [each["cause"] for each in report["accepted"]]
    assert file.read_bytes() == written
    with deployed(faulty(), changing("/start", "POST", state="open")) as worse:
        third, report = told(worse, "--baseline", str(file))
    assert third == 1
    assert CAUSE not in [cause for _, cause in causes(report)]


def test_only_the_operations_that_were_asked_for_are_judged(bad: str) -> None:
    code, report = told(bad, "--operation", "get*", "--operation", "listJobs")
    assert (code, report["findings"]) == (0, [])
    assert report["units"]
    code, report = told(bad, "--operation", "finish*")
    assert (code, causes(report)[0]) == (1, ("failure", CAUSE))
    assert any("job.finish" in each for each in report["units"])


def test_who_only_reads_sends_nothing_that_writes_and_is_told(bad: str) -> None:
    code, report = told(bad, *BOTH, "--read-only")
    assert code == 0
    asked = report["coverage"]["operations"]
    assert {each["method"] for name, each in asked.items() if each["statuses"] and name != "callAgent"} == {"GET"}
    skipped = {(each["what"], each["why"]) for each in report["skipped"] if each["phase"] == "lifecycle"}
    assert ("finishJob", "it writes, and was not allowed") in skipped


def test_a_time_budget_is_kept_and_what_was_cut_short_is_told(serve: Serve) -> None:
    url, began = serve("uumit"), time.monotonic()
    words = ("--time-budget", "4s", "--max-examples", "20000", "--json", "--quiet")
    done = fuzz(url, *words, provider="uumit")
    took = time.monotonic() - began
    report = json.loads(done.stdout)
    assert (done.returncode, report["findings"]) == (0, [])
    assert took < 15
    assert report["seconds"] < 10
    assert any(each["cut"] == "the time is over" for each in report["phases"])
    assert {each["phase"] for each in report["phases"]} == {
        "protocol",
        "lifecycle",
        "examples",
        "coverage",
        "stateful",
        "fuzzing",
    }


def test_a_rate_is_kept(good: str) -> None:
    began = time.monotonic()
    code, report = told(good, "--operation", "listJobs", "--rate", "20/s", "--time-budget", "2s")
    assert code == 0
    assert 5 < report["requests"] <= 20 * (time.monotonic() - began) + 1
    assert report["seconds"] < 4


@pytest.mark.parametrize("phase", ["protocol", "lifecycle"])
def test_a_phase_alone_can_be_asked_for(good: str, phase: str) -> None:
    code, report = told(good, "--phases", phase)
    assert code == 0
    assert [each["phase"] for each in report["phases"]] == [phase]
    assert all(each.startswith(f"{phase}:") for each in report["units"])


def test_a_deployment_without_a_clock_or_worlds_is_judged_too(tmp_path: Path) -> None:
    """What a real deployment is: no control plane; whatever was made is put away at the end."""
    folder = market(tmp_path, provider=f"{UNIQUE} => ")
    worse = market(tmp_path / "worse", provider=f"{UNIQUE} => ", more=ANYBODY)
    with (
        deployed(worse) as twin,
        httpx2.Client(base_url=twin, trust_env=False) as client,
        answering(lambda asked: forwarded(client, asked)) as server,
    ):
        code, report = told(server.url, provider=folder)
        assert not any(each.path.startswith("/_tasktwin/worlds") for each in server.asked)
    assert code == 1
    assert ("failure", CAUSE) in causes(report)
    assert not any("lapse" in each for each in report["units"])


def forwarded(twin: httpx2.Client, asked: Asked) -> Parts:
    """What a twin says, without its control plane."""
    if asked.path.startswith("/_tasktwin"):
        return 404, {}, b""
    headers = {
        name: value
        for name, value in asked.headers.items()
        if name not in {"host", "content-length", "accept-encoding"}
    }
    reply = twin.request(asked.method, asked.path, headers=headers, content=asked.body)
    said = {
        name: value
        for name, value in reply.headers.items()
        if name not in {"content-length", "transfer-encoding", "date", "server"}
    }
    return reply.status_code, said, reply.content


def test_notes_alone_fail_nothing(serve: Serve, tmp_path: Path) -> None:
    path = market(tmp_path, provider="parked: {status: 202 => parked: {status: 203")
    assert told(serve(path))[0] == 0


def test_a_run_without_the_time_to_ask_anything_says_so(good: str) -> None:
    done = fuzz(good, *FAST, "--time-budget", "1ms")
    assert "beware     not one request was sent: the time is over" in done.stdout.splitlines()


def test_whoever_calls_an_api_that_names_nobody_plays_stories_too(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(NOTES)
    (tmp_path / "who.yaml").write_text("me: {Authorization: Bearer real}\n")
    words = ("--phases", "lifecycle", "--credentials", str(tmp_path / "who.yaml"))
    for url in served(str(tmp_path)):
        code, report = told(url, *words, provider=str(tmp_path))
    assert code == 0
    statuses = {name: each["statuses"] for name, each in report["coverage"]["operations"].items()}
    assert all(
        statuses[name][status] for name, status in (("makeNote", "201"), ("listNotes", "200"), ("getNote", "200"))
    )


def test_nobody_there_is_exit_code_3() -> None:
    done = fuzz("http://127.0.0.1:9", *FAST)
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr


def test_a_run_that_was_cut_and_found_nothing_says_what_it_did_not_look_at(serve: Serve) -> None:
    done = fuzz(serve(good_folder()), "--time-budget", "2s", "--max-examples", "20000", "--quiet")
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0
    assert last.startswith("0 failures, 0 notes: the run was cut short, so that not everything was looked at")
    assert "nothing contradicts" not in done.stdout
    assert re.search(r"^not done +\w+: ", done.stdout, re.MULTILINE)


def test_a_phase_without_the_time_for_all_that_it_would_send_is_cut(good: str) -> None:
    words = ("--phases", "fuzzing", "--operation", "listJobs", "--max-examples", "20000", "--time-budget", "4s")
    code, report = told(good, *words)
    assert (code, report["verdict"], report["phases"][0]["cut"]) == (0, "cut", "the time is over")
    assert {"phase": "fuzzing", "what": "listJobs", "why": ALL_SENT} in report["skipped"]


@pytest.mark.parametrize("phase", ["lifecycle", "coverage"])
def test_inputs_that_drop_the_connection_are_findings_and_end_nothing(phase: str) -> None:
    def answer(asked: Asked) -> Parts:
        if asked.method == "POST":
            raise ConnectionError
        return 404, {"Content-Type": "application/json"}, b"{}"

    with answering(answer) as server:
        code, report = told(server.url, "--phases", phase, "--operation", "createJob")
    assert (code, report["cut"], report["phases"][0]["cut"]) == (1, "", "")
    assert ("failure", "server.silent:createJob") in causes(report)
    assert report["coverage"]["operations"]["createJob"]["statuses"]["0"] > LOST


def nothing_said() -> Iterator[bytes]:
    for _ in range(100):
        time.sleep(0.2)
        yield b""


def test_streams_that_say_nothing_cost_no_more_than_a_glance_each() -> None:
    """Of ten seconds each, which any other answer may take, these eight would be 80."""

    def silent(asked: Asked) -> Parts:
        if not asked.path.endswith("/events"):
            return 404, {"Content-Type": "application/json"}, b"{}"
        return 200, {"Content-Type": "text/event-stream"}, nothing_said()

    began = time.monotonic()
    with answering(silent) as server:
        _, report = told(server.url, "--phases", "coverage", "--operation", "watchJob")
    assert report["requests"] >= 8
    assert time.monotonic() - began < 30


def test_what_many_rows_of_one_answer_show_was_found_once_for_each_request() -> None:
    async def other_rows(asked: Any, twin: Any) -> Any:
        status, body, head = await twin(asked)
        if asked.method != "GET" or asked.path != "/jobs" or status != 200:
            return status, body, head
        rows = [{**each, "title": 7} for each in json.loads(body)["items"]] * 5
        raw = json.dumps({**json.loads(body), "items": rows}).encode()
        return status, raw, [(name, value) for name, value in head if name != b"content-length"]

    with deployed(good_folder(), other_rows) as url:
        _, report = told(url)
    asked = sum(report["coverage"]["operations"]["listJobs"]["statuses"].values())
    found = [each for each in report["findings"] if each["operation"] == "listJobs"]
    assert found
    assert all(each["times"] <= asked for each in found)


@pytest.mark.parametrize("phase", ["examples", "coverage", "fuzzing"])
def test_what_a_schema_phase_was_answered_stands_in_the_table_of_operations(good: str, phase: str) -> None:
    _, report = told(good, "--phases", phase)
    answered = [count for each in report["coverage"]["operations"].values() for count in each["statuses"].values()]
    assert sum(answered) == report["phases"][0]["requests"] > 0
