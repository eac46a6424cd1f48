"""Limits: what is left falls, and who is told to wait is let in after that."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, deployed, judged, plainly
from tests.suite.market import LIMITS, market

from tasktwin.suite.protocol import limit
from tasktwin.suite.run import Run


def says(retry_after: bytes, times: int = 10_000) -> Fault:
    """Refuses the list, from the fourth look on, so often."""
    seen: dict[str, int] = {}

    async def fault(asked: Asked, twin: Twin) -> Answer:
        if asked.path != "/jobs" or asked.method != "GET":
            return await twin(asked)
        seen[asked.world] = seen.get(asked.world, 0) + 1
        if 3 < seen[asked.world] <= 3 + times:
            return (
                429,
                b'{"error": "throttled"}',
                [(b"content-type", b"application/json"), (b"retry-after", retry_after)],
            )
        return await twin(asked)

    return fault


def leaves(*numbers: bytes) -> Fault:
    """Says of the list that so many requests are left, one number after the other, the last one for good."""
    seen: dict[str, int] = {}

    async def fault(asked: Asked, twin: Twin) -> Answer:
        status, body, head = await twin(asked)
        if asked.path != "/jobs" or asked.method != "GET":
            return status, body, head
        n = seen[asked.world] = seen.get(asked.world, -1) + 1
        said = numbers[min(n, len(numbers) - 1)]
        return status, body, [*((name, value) for name, value in head if name.lower() != b"x-left"), (b"x-left", said)]

    return fault


def run(folder: Path, fault: Fault, limits: str = LIMITS) -> Run:
    path = market(folder, provider=f"collections:\n => {limits}collections:\n")
    with deployed(path, fault) as url:
        return judged(path, url, limit)


def test_an_honest_limit_is_seen_and_nothing_is_found(serve: Callable[..., str], tmp_path: Path) -> None:
    path = market(tmp_path, provider=f"collections:\n => {LIMITS}collections:\n")
    one = judged(path, serve(path, "--limits", "on"), limit)
    assert one.units == ["protocol:limit reading"]
    assert 429 in [each.reply.status for each in one.target.traffic]
    assert list(one.findings) == []


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        (says(b"7"), ["limit.retry-after"]),
        (says(b"7", 1), []),
        (says(b"soon"), []),
        (says(b"\xb2"), []),
        (says(b"0"), ["limit.retry-after"]),
    ],
    ids=["refuses again", "lets in", "says nothing", "no digit", "at once"],
)  # fmt: skip
def test_a_limit_whose_word_is_not_kept_is_a_failure(tmp_path: Path, fault: Fault, rules: list[str]) -> None:
    found = list(run(tmp_path, fault).findings)
    assert [each.rule for each in found if each.rule.startswith("limit")] == rules
    assert all(each.severity == "failure" for each in found if each.rule.startswith("limit"))


def test_the_finding_says_how_long_one_was_told_to_wait(tmp_path: Path) -> None:
    found = next(each for each in run(tmp_path, says(b"7")).findings if each.rule == "limit.retry-after")
    assert (found.expected, found.actual) == ("let in after 7 s", "429, Retry-After: 7")
    assert '"advance":7' in found.script


def test_a_limit_that_takes_too_many_requests_to_see_is_not_looked_for(tmp_path: Path) -> None:
    one = run(tmp_path, plainly, LIMITS.replace("quota: 5", "quota: 500"))
    assert one.units == []


STANDING = LIMITS.replace("headers: {", "headers: {X-Left: $limit#/remaining, ")


def test_a_limit_that_tells_what_is_left_is_watched_and_nothing_is_found(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    path = market(tmp_path, provider=f"collections:\n => {STANDING}collections:\n")
    one = judged(path, serve(path, "--limits", "on"), limit)
    assert one.units == ["protocol:standing of reading", "protocol:limit reading"]
    assert [each.reply.headers.get("x-left") for each in one.target.traffic][2:6] == ["4", "3", "2", "1"]
    assert list(one.findings) == []


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        (leaves(b"4"), ["limit.standing"]),
        (leaves(b"9", b"8"), []),
        (leaves(b"1", b"5"), []),
        (leaves(b"0"), []),
        (leaves(b"many"), []),
    ],
    ids=["never falls", "falls once", "a new window", "nothing left", "no number"],
)
def test_what_is_left_of_a_limit_falls_with_each_request(tmp_path: Path, fault: Fault, rules: list[str]) -> None:
    found = [each for each in run(tmp_path, fault, STANDING).findings if each.rule.startswith("limit")]
    assert [each.rule for each in found] == rules
    assert all("X-Left: %header{x-left}" in each.script for each in found)
    assert all(each.severity == "failure" for each in found)
