"""``tasktwin load`` as its users run it: Locust's users play the scenarios on twins, on faulty deployments, on nobody."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner, Result
from tests.answering import Asked, Parts, answering

from tasktwin.cli import main

Serve = Callable[..., str]
UUMIT = ("--provider", "uumit")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tasktwin", "load", *words]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=60, check=False)


def refused(*words: str) -> Result:
    """What ends before Locust begins."""
    return CliRunner().invoke(main, ["load", *words])


def worlds(url: str) -> list[str]:
    return [each["name"] for each in httpx2.get(f"{url}/_tasktwin/worlds").json()["worlds"]]


def begun(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until a run writes its statistics, and then until it has some."""
    until = time.monotonic() + 20
    file = folder / "load_stats.csv"
    while not (file.is_file() and file.read_text().count("\n") > 5) and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.1)


@pytest.fixture
def faulty(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a deployment with one fault."""
    words = [sys.executable, "-m", "tests.deployments", request.param, "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=10)


def test_users_play_the_scenarios_of_a_twin_without_a_failure(serve: Serve, tmp_path: Path) -> None:
    url = serve("uumit")
    done = run(url, *UUMIT, "--users", "5", "--time", "3s", "--json", "--report", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    rows = {(each["method"], each["name"]): each for each in json.loads(done.stdout)}
    assert rows["GET", "/api/v1/tasks/{task_id}"]["num_requests"] > 5
    assert sum(each["num_failures"] for each in rows.values()) == 0
    assert {"load.html", "load_stats.csv", "load_failures.csv"} <= {each.name for each in (tmp_path / "out").iterdir()}
    assert "5, 5 more each second" in done.stderr
    assert worlds(url) == ["default"]


def test_a_master_shares_the_users_among_its_workers(serve: Serve) -> None:
    words = (serve("uumit"), *UUMIT, "--scenario", "curl-guide")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = str(free.getsockname()[1])
    port = ["--master-bind-port", number], ["--master-port", number]
    worker = subprocess.Popen(command(*words, "--worker", "--quiet", "--", *port[1]))
    done = run(*words, "--master", "--users", "4", "--time", "1s", "--json", "--", "--expect-workers", "1", *port[0])
    assert (done.returncode, worker.wait(20)) == (0, 0), done.stderr
    assert '"ScenarioUser": 4' in done.stderr
    assert sum(each["num_requests"] for each in json.loads(done.stdout)) > 20


def test_a_hundred_users_wait_for_their_answers_side_by_side() -> None:
    waiting, most = Counter[str](), 0

    def slow(asked: Asked) -> Parts:
        nonlocal most
        if asked.path.startswith("/_tasktwin"):
            return 404, {}, b""
        waiting["now"] += 1
        most = max(most, waiting["now"])
        time.sleep(3)
        waiting["now"] -= 1
        return 500, {}, b""

    with answering(slow) as server:
        done = run(server.url, *UUMIT, "--users", "100", "--time", "4s", "--quiet")
    assert done.returncode == 1
    assert most > 50  # one after another it would be one; a slow machine has not yet begun with all


@pytest.mark.parametrize("faulty", ["uumit-accepts-unpaid"], indirect=True)
def test_what_a_scenario_does_not_expect_fails(faulty: str) -> None:
    done = run(faulty, *UUMIT, "--users", "3", "--time", "2s", "--scenario", "call-off*", "--scenario", "buy-*")
    assert done.returncode == 1
    assert "POST /api/v1/transactions/{tx_id}/accept: " in done.stderr
    assert ": 200, expected $statusCode" in done.stderr


def test_what_breaks_the_contract_fails_and_no_credential_is_told(tmp_path: Path) -> None:
    def echo(asked: Asked) -> Parts:
        if asked.path.startswith("/_tasktwin"):
            return 404, {}, b""
        return 200, {"Content-Type": "application/json"}, json.dumps({"code": 0, "you": asked.headers}).encode()

    secret = "sk-9f8e7d6c5b4a"
    who = tmp_path / "who.yaml"
    who.write_text(
        f"human_alice: {{Authorization: 'Bearer {secret}'}}\nhuman_bob: {{Authorization: 'Bearer {secret}'}}\n"
    )
    with answering(echo) as server:
        words = (server.url, *UUMIT, "--credentials", str(who), "--time", "2s", "--report", str(tmp_path / "out"))
        done = run(*words, "--", "--loglevel", "DEBUG")
        assert any(each.headers.get("authorization") == f"Bearer {secret}" for each in server.asked)
    written = "".join(each.read_text() for each in (tmp_path / "out").iterdir())
    assert done.returncode == 1
    assert "GET /api/v1/wallet/: 200 against the contract at /message: required" in done.stderr
    assert secret not in done.stdout + done.stderr + written
    assert "left out    expire-after-72h: it waits 255,600 s" in done.stderr
    assert "only a twin lets 'cancel' happen by order" in done.stderr


def test_ctrl_c_ends_it_with_statistics_and_leaves_no_world(serve: Serve, tmp_path: Path) -> None:
    url = serve("uumit")
    words = command(url, *UUMIT, "--users", "20", "--quiet", "--report", str(tmp_path))
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun(process, tmp_path)
    assert len(worlds(url)) == 21
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert (process.returncode, worlds(url)) == (130, ["default"])
    assert "Aggregated" in told
    assert "Traceback" not in told
    assert (tmp_path / "load.html").is_file()


def test_a_target_that_dies_has_failures(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tasktwin", "serve", "uumit", "--port", "0", "--quiet"],
        stdout=subprocess.PIPE,
        text=True,
    ) as twin:
        assert twin.stdout is not None
        words = command(
            twin.stdout.readline().strip(), *UUMIT, "--users", "3", "--time", "4s", "--report", str(tmp_path)
        )
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        begun(process, tmp_path)
        twin.terminate()
    _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "no whole answer: " in told


def test_nobody_there_is_told() -> None:
    done = refused("http://127.0.0.1:1", *UUMIT)
    assert done.exit_code == 3
    assert "Is it running, and is this its base URL? Try: curl -i http://127.0.0.1:1" in done.stderr


def test_off_this_machine_nothing_that_writes_is_planned() -> None:
    done = refused("https://staging.example", *UUMIT, "--dry-run", "--json", "--scenario", "curl-*")
    plan = json.loads(done.stdout)
    assert (done.exit_code, plan["scenarios"], plan["users"]) == (0, ["curl-guide"], 10)
    assert {each["id"]: each["allowed"] for each in plan["operations"]}["createSkill"] is False


def test_what_cannot_even_begin_is_not_played() -> None:
    with answering(lambda _asked: (404, {}, b"")) as server:
        done = refused(server.url, *UUMIT, "--read-only", "--scenario", "two-markets")
    assert done.exit_code == 2
    assert "it begins with createTask, which writes and was not allowed" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scenario", "curlguide"], "Did you mean 'curl-guide'?"),
        (["--master", "--worker"], "contradict each other"),
        (["--master", "--processes", "2"], "leave out --master"),
        (["--master-host", "here"], "says where a --worker finds its master"),
        (["--time", "soon"], "write 60s, 5m or 1h"),
        (["--report", "/dev/null/x"], "the reports cannot be written here"),
    ],
    ids=["scenario", "roles", "processes", "host", "time", "report"],
)
def test_wrong_usage_is_told(words: list[str], message: str) -> None:
    done = refused("http://127.0.0.1:1", *UUMIT, *words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_without_locust_it_is_told_what_to_install() -> None:
    program = "import sys; sys.modules['locust'] = None; from tasktwin.cli import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", program, "load", "http://127.0.0.1:1", *UUMIT]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'tasktwin[load]'" in done.stderr
