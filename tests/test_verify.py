"""``tasktwin verify`` and ``fuzz`` as their users run them: good deployments, bad ones, and hostile ones."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.answering import Asked, Parts, answering, silent

from tasktwin.cli import main
from tasktwin.provider import bundled, load
from tasktwin.suite.command.order import Order
from tasktwin.suite.command.session import open_session

MORTAL = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_any(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(404 if self.path.startswith("/_tasktwin") else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_POST = do_any
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
for _ in range(6):
    server.handle_request()
"""
"""A deployment that answers six requests, one of them for its health, and is gone."""

Serve = Callable[..., str]
ALL = ("--provider", "aitasker", "--quiet")


def run(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, [*words], env=env)


def told(*words: str) -> tuple[int, dict[str, object]]:
    """The exit code, and what ``--json`` printed."""
    done = run(*words, "--json")
    assert done.stdout, done.stderr
    return done.exit_code, json.loads(done.stdout)


def plain(status: int, body: object = None) -> Parts:
    return status, {"Content-Type": "application/json"}, json.dumps(body or {}).encode()


@pytest.mark.parametrize("provider", bundled())
def test_a_served_twin_passes_all_scenarios(serve: Serve, provider: str) -> None:
    code, report = told("verify", serve(provider), "--provider", provider)
    assert (code, report["findings"], report["skipped"], report["leftovers"]) == (0, [], [], [])
    assert report["units"] == [f"scenarios:{path.name.split('.')[0]}" for path in load(provider).scenarios]


def test_a_person_is_told_what_came_of_it(serve: Serve) -> None:
    done = run("verify", serve("aitasker"), "--provider", "aitasker", "--operation", "getBidGallery")
    assert done.exit_code == 0
    assert "0 failures, 0 notes: nothing contradicts the contract" in done.stdout
    assert "scenarios:" in done.stderr
    assert "requests    about" in done.stderr


def test_a_deployment_that_errs_has_failures_with_scripts(tmp_path: Path) -> None:
    with answering(lambda _asked: plain(500)) as server:
        done = run("verify", server.url, *ALL, "--report", str(tmp_path / "reports"))
    assert done.exit_code == 1
    assert "the deployment breaks its contract" in done.stdout
    assert "curl -sSi" in done.stdout
    names = {each.name for each in (tmp_path / "reports").iterdir()}
    assert names == {"junit.xml", "report.html", "report.json", "report.sarif", "traffic.har"}


def test_what_is_known_fails_no_more(tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    with answering(lambda _asked: plain(500)) as server:
        first = run("verify", server.url, *ALL, "--baseline", str(file))
        second = run("verify", server.url, *ALL, "--baseline", str(file))
    assert (first.exit_code, second.exit_code) == (1, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["http://127.0.0.1:1", "--provider", "aitaskr"], "Did you mean 'aitasker'?"),
        (["ftp://127.0.0.1", "--provider", "aitasker"], "it begins with http:// or https://"),
        (["http://u:p@127.0.0.1", "--provider", "aitasker"], "give them with --credentials FILE"),
        (["http://127.0.0.1/?a=b", "--provider", "aitasker"], "leave out what follows its path"),
        (["http://127.0.0.1:99999", "--provider", "aitasker"], "is no URL"),
        (["http://127.0.0.1:1", "--provider", "aitasker", "--phases", "magic"], "there is no phase 'magic'"),
        (["http://127.0.0.1:1", "--provider", "aitasker", "--shard", "5/4"], "write I/N with I from 1 to N"),
        (["http://127.0.0.1:1", "--provider", "aitasker", "--rate", "fast"], "write 10/s or 600/m"),
        (["http://127.0.0.1:1", "--provider", "aitasker", "--time-budget", "0s"], "write 60s, 5m or 1h"),
        (["http://127.0.0.1:1", "--provider", "aitasker", "--read-only", "--allow-writes=*"], "contradict each other"),
        (["--provider", "aitasker", "--allow-writes", "http://127.0.0.1:1", "http://127.0.0.1:1"], "put the URL before"),
        (["http://127.0.0.1:1", "--provider", "aitasker", "--credentials", "missing.yaml"], "cannot be read"),
        (["http://127.0.0.1:1", "--provider", "uumit", "--operation", "createTsk"], "Did you mean 'createTask'?"),
        (["http://127.0.0.1:1", "--provider", "uumit", "--allow-writes=nix*"], "no operation is called 'nix*'"),
        (["http://127.0.0.1:1", "--provider", "uumit", "--report", "/dev/null/x"], "reports cannot be written here"),
        (["http://127.0.0.1:1", "--provider", "uumit", "--baseline", "/proc/nix/b"], "baseline cannot be written here"),
    ],
    ids=[
        "provider", "scheme", "userinfo", "query", "port", "phase", "shard", "rate", "budget", "both", "glob",
        "credentials", "no-operation", "nothing-to-allow", "report", "baseline",
    ],
)  # fmt: skip
def test_wrong_usage_is_told(words: list[str], message: str) -> None:
    done = run("verify", *words)
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.parametrize("command", ["verify", "fuzz"])
def test_a_dry_run_prints_the_plan_and_sends_nothing(command: str) -> None:
    with answering(lambda _asked: plain(200)) as server:
        done = run(command, server.url, "--provider", "uumit", "--dry-run", "--rate", "10/s")
        asked = list(server.asked)
    assert (done.exit_code, asked) == (0, [])
    assert "createTask  (writes)" in done.stdout
    assert "at most 10 a second" in done.stdout


def test_the_plan_as_json_says_what_may_not_be_sent() -> None:
    code, plan = told("fuzz", "https://staging.example", "--provider", "uumit", "--dry-run", "--allow-writes=*Skill")
    operations = {each["id"]: each for each in plan["operations"]}  # type: ignore[attr-defined]
    assert code == 0
    assert operations["getTask"] == {
        "id": "getTask", "method": "GET", "path": "/api/v1/tasks/{task_id}", "writes": False, "allowed": True,
    }  # fmt: skip
    assert (operations["createTask"]["allowed"], operations["createSkill"]["allowed"]) == (False, True)


def test_read_only_sends_nothing_that_writes(serve: Serve) -> None:
    url = serve("uumit")
    code, report = told("verify", url, "--provider", "uumit", "--read-only")
    assert code == 0
    assert any("writes, and was not allowed" in each["why"] for each in report["skipped"])  # type: ignore[attr-defined]
    asked = report["coverage"]["operations"]  # type: ignore[index]
    assert {each["method"] for each in asked.values() if each["statuses"]} == {"GET"}


def test_credentials_are_in_no_output(tmp_path: Path) -> None:
    secret = "sk-9f8e7d6c5b4a"
    file = tmp_path / "who.yaml"
    file.write_text("poster: {Authorization: 'Bearer ${POSTER}'}\nposter_test: {Authorization: 'Bearer ${POSTER}'}\n")

    def echo(asked: Asked) -> Parts:
        return plain(500, {"you sent": asked.headers, "to": asked.path})

    with answering(echo) as server:
        words = ("verify", server.url, "--provider", "aitasker", "--credentials", str(file))
        done = run(*words, "--report", str(tmp_path / "out"), env={"POSTER": secret})
        assert any(asked.headers.get("authorization") == f"Bearer {secret}" for asked in server.asked)
    written = "".join(each.read_text() for each in (tmp_path / "out").iterdir())
    assert done.exit_code == 1
    assert secret not in done.stdout + done.stderr + written
    assert "Authorization: Bearer ${POSTER}" in done.stdout


def test_a_variable_that_is_not_set_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "who.yaml"
    file.write_text("# mine\nposter:\n  Authorization: Bearer ${NOT_SET_ANYWHERE}\n")
    done = run("verify", "http://127.0.0.1:1", "--provider", "aitasker", "--credentials", str(file))
    assert done.exit_code == 2
    assert "who.yaml:3: the environment variable NOT_SET_ANYWHERE is not set" in done.stderr


def test_redirects_to_elsewhere_are_not_followed() -> None:
    with answering(lambda _asked: plain(200)) as other:
        with answering(lambda asked: (307, {"Location": other.url + asked.path}, b"")) as server:
            done = run("verify", server.url, *ALL)
        elsewhere = list(other.asked)
    assert (done.exit_code, elsewhere) == (1, [])
    assert f"  leads to     {other.url}/" in done.stdout


def test_an_answer_without_a_body_is_called_empty() -> None:
    with answering(lambda _asked: (200, {"Content-Type": "application/json"}, b"")) as server:
        done = run("verify", server.url, *ALL)
    assert "the answer is empty, the document declares application/json of type object" in done.stdout
    assert "null is not of type" not in done.stdout


def test_answers_without_an_end_are_cut_off() -> None:
    def endless(_asked: Asked) -> Parts:
        return 200, {"Content-Type": "application/json"}, repeat(b" " * 1_048_576, 5_000)

    began = time.monotonic()
    with answering(endless) as server:
        done = run("verify", server.url, *ALL)
    assert done.exit_code == 1
    assert "the answer is larger than 4 MiB" in done.stdout
    assert time.monotonic() - began < 30


def test_a_storm_of_refusals_ends_a_run_that_judged_nothing() -> None:
    said = {"Retry-After": "86400", "X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}
    headers = {**said, "Content-Type": "application/json"}
    with answering(lambda _asked: (429, headers, b'{"detail": "Too many requests"}')) as server:
        done = run("verify", server.url, *ALL)
        asked = len(server.asked)
    assert (done.exit_code, asked) == (3, 4)
    assert "the target keeps refusing with 429" in done.stdout


@pytest.mark.parametrize("body", [b"", b"<html>Too Many Requests</html>"], ids=["empty", "html"])
def test_a_target_that_refuses_every_request_was_not_judged(body: bytes) -> None:
    with answering(lambda _asked: (429, {"Retry-After": "86400", "Content-Type": "text/html"}, body)) as server:
        done = run("verify", server.url, *ALL)
    assert done.exit_code == 3
    assert "error: the target keeps refusing with 429" in done.stderr


def test_a_target_whose_answers_never_come_whole_is_not_called_good() -> None:
    def large(_asked: Asked) -> Parts:
        return 200, {"Content-Type": "application/json"}, repeat(b" " * 1_048_576, 6)

    with answering(large) as server:
        done = run("fuzz", server.url, *ALL, "--phases", "lifecycle", "--operation", "getTask", "--time-budget", "3s")
    assert done.exit_code == 3
    assert "nothing contradicts the contract" not in done.stdout
    assert "answers came whole: the answer is larger than 4 MiB" in done.stderr


def test_nobody_there_is_told() -> None:
    with silent() as url:
        pass  # it is closed again
    done = run("verify", url, *ALL)
    assert done.exit_code == 3
    assert f"{url} cannot be reached" in done.stderr
    assert f"Is it running, and is this its base URL? Try: curl -i {url}" in done.stderr
    assert "not done   scenarios: " in done.stdout


def test_a_target_that_never_answers_is_given_up() -> None:
    with silent() as url:
        session = open_session(Order("verify", url, "aitasker", ("scenarios",), patience=0.3), load("aitasker"))
        assert session.go() == "unreachable"
    assert "cannot be reached" in session.run.cut


def test_a_target_that_dies_in_mid_run_leaves_a_report(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", MORTAL], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    done = run("verify", url, *ALL, "--report", str(tmp_path))
    process.stdout.close()
    assert (done.exit_code, process.wait(5)) == (3, 0)
    assert "cannot be reached" in done.stderr
    assert "It answered before: see in its log what the last requests did to it" in done.stderr
    assert json.loads((tmp_path / "report.json").read_bytes())["requests"] >= 3


def test_ctrl_c_leaves_a_report_of_what_was_done(tmp_path: Path) -> None:
    def slow(asked: Asked) -> Parts:
        if not asked.path.startswith("/_tasktwin"):
            time.sleep(0.5)
        return plain(404 if asked.path.startswith("/_tasktwin") else 500)

    with answering(slow) as server:
        words = ["verify", server.url, "--provider", "aitasker", "--report", str(tmp_path)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tasktwin", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while len(server.asked) < 4:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in out
    assert (tmp_path / "junit.xml").is_file()


def test_without_the_fuzzing_libraries_it_is_told_what_to_install() -> None:
    program = "import sys; sys.modules['schemathesis'] = None; from tasktwin.cli import main; main(sys.argv[1:])"
    words = ["fuzz", "http://127.0.0.1:1", "--provider", "aitasker"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'tasktwin[fuzz]'" in done.stderr


def test_workers_do_together_what_one_run_does(serve: Serve) -> None:
    url = serve("aitasker")
    code, report = told("verify", url, "--provider", "aitasker", "--workers", "2", "--quiet")
    assert (code, report["findings"]) == (0, [])
    assert sorted(report["units"]) == [f"scenarios:{path.name.split('.')[0]}" for path in load("aitasker").scenarios]  # type: ignore[call-overload]


def test_shards_do_together_just_what_one_run_does(serve: Serve) -> None:
    url = serve("posthog")
    units = [told("verify", url, "--provider", "posthog", "--shard", f"{n}/3")[1]["units"] for n in (1, 2, 3)]
    assert sorted(each for shard in units for each in shard) == [  # type: ignore[attr-defined]
        f"scenarios:{path.name.split('.')[0]}" for path in load("posthog").scenarios
    ]
