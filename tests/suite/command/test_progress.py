"""What a run says on standard error while it goes on: why it waits, and when a phase is over, whoever works on it."""

import json
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from tests.answering import Answer, Asked, Parts, answering
from tests.suite.market import good_folder

from tasktwin.cli import main

Serve = Callable[..., str]
ONE = ("--phases", "coverage", "--operation", "listJobs", "--read-only")


def fuzz(url: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["fuzz", url, "--provider", good_folder(), *words])


def plainly(_asked: Asked) -> Parts:
    return 200, {"Content-Type": "application/json"}, json.dumps({"items": [], "total": 0, "more": False}).encode()


def refusing_once(status: int, **said: str) -> Answer:
    """Refuses the first request of the API, then answers."""
    left = [(status, {name.replace("_", "-"): value for name, value in said.items()}, b"{}")]
    return lambda asked: left.pop() if left and asked.path.startswith("/jobs") else plainly(asked)


@pytest.mark.parametrize(
    ("status", "said", "why"),
    [
        (429, {"Retry_After": "1"}, "listJobs is answered with 429 and Retry-After: 1"),
        (503, {"Retry_After": "1"}, "listJobs is answered with 503 and Retry-After: 1"),
        (429, {}, "listJobs is answered with 429 and no Retry-After"),
    ],
    ids=["429", "503", "no Retry-After"],
)
def test_a_wait_is_told_with_its_length_and_reason(status: int, said: dict[str, str], why: str) -> None:
    with answering(refusing_once(status, **said)) as server:
        done = fuzz(server.url, *ONE)
    assert f"coverage: waits 1 s, because {why}" in done.stderr


def test_a_wait_of_a_worker_is_told_too() -> None:
    with answering(refusing_once(429, Retry_After="1")) as server:
        done = fuzz(server.url, *ONE, "--workers", "2")
    assert "coverage: waits 1 s, because listJobs is answered with 429" in done.stderr


def test_who_need_not_wait_says_nothing_of_it() -> None:
    with answering(refusing_once(429, Retry_After="0")) as server:
        assert "waits" not in fuzz(server.url, *ONE).stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_phase_has_one_line_however_many_work_on_it(serve: Serve, workers: str) -> None:
    url = serve(good_folder())
    done = fuzz(
        url, "--phases", "protocol,lifecycle", "--operation", "get*", "--max-examples", "2", "--workers", workers
    )
    lines = [
        each for each in done.stderr.splitlines() if re.match(r"(protocol|lifecycle): [\d.]+ s, \d+ requests", each)
    ]
    assert [each.partition(":")[0] for each in lines] == ["protocol", "lifecycle"]
    assert all(each.endswith("0 failures, 0 notes") for each in lines)
