"""Twins behind the balancer as its file configures it: nobody need notice that it is there."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from tests.deploy.balanced import balancing
from tests.server.front import serving

ALICE = {"Authorization": "Bearer human-alice-token"}
DRAFT = {"description": "Draw a logo"}
Twin = tuple[str, "subprocess.Popen[str]"]


@pytest.fixture
def twins() -> Iterator[list[Twin]]:
    """Two that can be told from one another."""
    with ExitStack() as stack:
        options = ("uumit", "--quiet", "--clock=frozen", "--control-token=t")
        yield [stack.enter_context(serving(*options, f"--seed={seed}")) for seed in (1, 2)]


@pytest.fixture
def balancer(twins: list[Twin], tmp_path: Path) -> Iterator[str]:
    with balancing([url for url, _ in twins], tmp_path) as url:
        yield url


def control(url: str) -> httpx2.Client:
    return httpx2.Client(
        base_url=f"{url}/_tasktwin", headers={"Authorization": "Bearer t"}, trust_env=False, timeout=10
    )


def seed_at(url: str) -> int:
    """Which twin answers a new connection."""
    with control(url) as client:
        return int(client.get("/worlds/default").json()["seed"])


def test_connections_are_shared_among_the_twins(balancer: str) -> None:
    assert {seed_at(balancer) for _ in range(4)} == {1, 2}


def test_events_come_when_they_happen_however_long_that_takes(balancer: str, twins: list[Twin]) -> None:
    with httpx2.stream("POST", f"{balancer}/api/v1/tasks/ai-create", json=DRAFT, headers=ALICE, timeout=10) as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: stage"
        time.sleep(1.5)  # three times the patience with a connection that is not there yet
        for url, _ in twins:
            with control(url) as client:
                client.post("/clock", json={"advance": 60}).raise_for_status()
        assert "event: done" in list(lines)


def test_a_lost_answer_is_lost_and_no_502(balancer: str, twins: list[Twin]) -> None:
    for url, _ in twins:
        with control(url) as client:
            lost = {"name": "lost", "match": {"operation": "getWallet"}, "do": {"drop": "before"}}
            client.put("/faults", json=[lost]).raise_for_status()
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{balancer}/api/v1/wallet", headers=ALICE, trust_env=False)


def test_urls_in_answers_lead_through_the_balancer(balancer: str) -> None:
    card = httpx2.get(f"{balancer}/.well-known/agent.json", trust_env=False).json()
    assert card["url"].startswith(balancer)


def test_when_a_twin_is_gone_the_other_answers_for_it(balancer: str, twins: list[Twin]) -> None:
    _, first = twins[0]
    first.kill()
    first.wait()
    assert {seed_at(balancer) for _ in range(4)} == {2}
