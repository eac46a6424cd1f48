"""The pytest plugin as its users meet it: pytest runs of their own, in processes of their own."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from tests.provider.small import write

pytest_plugins = ["pytester"]

QUIET = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:randomly", "-W", "error")

PUBLISH = """
import pytest

TASK = {"title": "Logo", "description": "Two colours.", "bounty_amount": "300", "delivery_hours": 48}

@pytest.mark.twin("uumit", now="2026-01-01T00:00:00Z")
def test_publish(twin):
    api = twin.client(as_="human_alice")
    task = api.post("/api/v1/tasks/", json=TASK).json()["data"]
    twin.advance(hours=72)
    assert twin.read("task", task["id"])["status"] == "expired"
    twin.faults.add("status", operation="acceptApplication", status=500, times=1)
    assert twin.journal.count(operation="createTask") == 1

@pytest.mark.twin("uumit")
@pytest.mark.parametrize("n", range(6))
def test_alone(twin, n):
    assert twin.journal.count() == 0
    assert twin.client(as_="human_alice").get("/api/v1/wallet").headers["tasktwin-world"] == twin.world
"""

WRONG = """
import pytest

pytestmark = pytest.mark.twin("uumit")

def test_passes(twin):
    twin.client(as_="human_alice").post("/api/v1/tasks/", json={"title": 3})

@pytest.mark.twin(strict=False)
def test_is_let_be(twin):
    twin.client().get("/nope")

def test_fails(twin):
    test_passes(twin)
    assert 1 == 2

@pytest.fixture
def task(twin):
    raise ValueError(twin.client().get("/nope").status_code)

def test_is_not_begun(task):
    pass

def test_is_right(twin):
    assert twin.client(as_="human_alice").get("/api/v1/wallet").status_code == 3
"""

Serve = Callable[..., str]
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- pytest -->\n```python\n(.*?)```", README, re.DOTALL)


def run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """Run one file of tests; what pytest said of it."""
    pytester.makepyfile(test)
    return pytester.runpytest_subprocess(*QUIET, *options)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_readme_passes(pytester: pytest.Pytester, example: str) -> None:
    run(pytester, example).assert_outcomes(passed=example.count("\ndef test_"))


def test_tests_pass_each_in_a_world_of_its_own(pytester: pytest.Pytester) -> None:
    run(pytester, PUBLISH).assert_outcomes(passed=7)


def test_tests_pass_under_xdist(pytester: pytest.Pytester) -> None:
    result = run(pytester, PUBLISH, "-n", "2", "-v")
    result.assert_outcomes(passed=7)
    assert set(re.findall(r"\[(gw\d)\]", result.stdout.str())) == {"gw0", "gw1"}


def test_a_failed_test_tells_which_of_its_requests_broke_which_rule(pytester: pytest.Pytester) -> None:
    result = run(pytester, WRONG)
    result.assert_outcomes(passed=2, failed=2, errors=1)
    told = result.stdout.str()
    assert told.count("-- requests that break the contract --") == 2
    result.stdout.fnmatch_lines([
        "*AssertionError*", "*-- requests that break the contract --*", "POST /api/v1/tasks/ createTask as human:*",
        '    body /title: 3 is not of type "string" [[]type]',
    ])  # fmt: skip
    assert "GET /nope, answered 404 (journal entry 1)\n    the contract has no such path\n" in told


def test_strict_fails_the_tests_whose_requests_break_the_contract(pytester: pytest.Pytester) -> None:
    result = run(pytester, WRONG, "--twin-strict", "-k", "test_passes or let_be or test_fails")
    result.assert_outcomes(passed=1, failed=2)
    told = result.stdout.str()
    assert "\nrequests that break the contract:\nPOST /api/v1/tasks/ createTask" in told
    body = told.partition("short test summary info")[0]  # which CI's environment has pytest print whole
    assert body.count('body /title: 3 is not of type "string" [type]') == 2, "once each"


MISTAKES = """
import pytest

def test_nothing(twin): ...

@pytest.mark.twin("uumti")
def test_name(twin): ...

@pytest.mark.twin("uumit", sed=3)
def test_argument(twin): ...

@pytest.mark.twin("uumit", "busy")
def test_two(twin): ...

@pytest.mark.twin("uumit", strict=1)
def test_strict(twin): ...

@pytest.mark.twin("uumit", seed="x")
def test_seed(twin): ...

@pytest.mark.twin("uumit", seeds="bsy")
def test_seeds(twin): ...

@pytest.mark.twin("uumit", now="soon")
def test_now(twin): ...

@pytest.mark.twin("uumit", clock="fast")
def test_clock(twin): ...
"""


def test_what_is_wrong_with_a_marker_is_told_without_a_trace(pytester: pytest.Pytester) -> None:
    result = run(pytester, MISTAKES)
    result.assert_outcomes(errors=9)
    told = result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            '*test_nothing: which API? Mark the test with @pytest.mark.twin("uumit"), or set twin_provider*',
            "*test_name: there is no provider 'uumti', and no such folder. Did you mean 'uumit'?",
            "*test_argument: twin(…): there is no argument 'sed': did you mean 'seed'?",
            "*test_two: twin('uumit', 'busy'): give one provider*",
            "*test_strict: twin(…): strict is True or False, not 1",
            '*test_seed: /seed: "x" is not of type "integer"',
            "*test_seeds: there are no seeds 'bsy': known are busy, default, empty",
            '*test_now: /now: *"date-time"',
            "*test_clock: /mode: *",
        ]
    )
    assert "Traceback" not in told
    assert "servers.py" not in told


def test_a_provider_may_be_a_setting_and_a_folder_beside_it(pytester: pytest.Pytester) -> None:
    write(pytester.path)
    pytester.makeini("[pytest]\ntwin_provider = jobs\n")
    test = "def test_jobs(twin):\n    assert twin.client(as_='ann').get('/jobs').json()['total'] == 3\n"
    run(pytester, test).assert_outcomes(passed=1)


@pytest.mark.parametrize("providers", [("uumit",), ("aitasker", "uumit")], ids=["one", "several"])
def test_the_same_tests_run_against_a_running_twin(
    pytester: pytest.Pytester, serve: Serve, providers: tuple[str, ...]
) -> None:
    url = serve(*providers)
    run(pytester, PUBLISH, "-n", "2", "--twin-url", url).assert_outcomes(passed=7)
    base = url if len(providers) == 1 else f"{url}/uumit"
    worlds = httpx2.get(f"{base}/_tasktwin/worlds").json()["worlds"]
    assert [each["name"] for each in worlds] == ["default"], "each test has ended its own"


def test_worlds_of_another_run_are_let_be(pytester: pytest.Pytester, serve: Serve) -> None:
    url = serve("uumit")
    taken = {"name": "test_worlds_of_another_run_are_let_be.test_publish-1"}
    assert httpx2.post(f"{url}/_tasktwin/worlds", json=taken).status_code == 201
    run(pytester, PUBLISH, "--twin-url", url, "-k", "publish").assert_outcomes(passed=1)
    assert httpx2.get(f"{url}/_tasktwin/worlds/{taken['name']}").status_code == 200


def test_a_running_twin_with_a_token_is_told_it(
    pytester: pytest.Pytester, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = serve("uumit", "--control-token", "sesame")
    one = ("-k", "publish", "--twin-url", url)
    refused = run(pytester, PUBLISH, *one)
    refused.assert_outcomes(errors=1)
    refused.stdout.fnmatch_lines(["*the control plane needs the token*"])
    run(pytester, PUBLISH, *one, "--twin-token", "sesame").assert_outcomes(passed=1)
    monkeypatch.setenv("TASKTWIN_CONTROL_TOKEN", "sesame")
    run(pytester, PUBLISH, *one).assert_outcomes(passed=1)


def test_a_running_twin_that_is_not_there_or_is_of_another_api_is_told(pytester: pytest.Pytester, serve: Serve) -> None:
    lost = run(pytester, PUBLISH, "--twin-url", "http://127.0.0.1:1")
    lost.assert_outcomes(errors=7)
    lost.stdout.fnmatch_lines(["*no twin for *: the twin at http://127.0.0.1:1 cannot be reached: *refused*"])
    url = serve("aitasker")
    other = run(pytester, PUBLISH, "--twin-url", url, "-k", "publish")
    other.stdout.fnmatch_lines([f"*the twin at {url} serves aitasker, not uumit"])


LIGHT = """
import sys

HEAVY = {"httpx2", "starlette", "uvicorn", "yaml", "orjson", "tasktwin.errors", "tasktwin.plugin"}

def test_light():
    assert "tasktwin.pytest_plugin" in sys.modules
    assert sorted(HEAVY & sys.modules.keys()) == []
"""


def test_a_run_that_uses_no_twin_loads_nothing_for_it(pytester: pytest.Pytester) -> None:
    run(pytester, LIGHT).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("--help", ["--twin-url=URL", "--twin-token=T", "--twin-strict", "twin_provider"]),
        ("--markers", ["@pytest.mark.twin(provider, *, seeds, seed, now, clock, limits, faults, strict):"]),
        ("--fixtures", ["\ntwin -- ", "\ntwin_factory -- "]),
    ],
    ids=["help", "markers", "fixtures"],
)
def test_pytest_tells_of_the_plugin(pytester: pytest.Pytester, option: str, names: list[str]) -> None:
    told = pytester.runpytest_subprocess(*QUIET, option).stdout.str()
    assert [name for name in names if name not in told] == []
