"""Two applications to one task are accepted at the same moment, over HTTP: exactly one wins, and is paid once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from threading import Barrier

import httpx2
import pytest
from tests.conftest import Serve
from tests.uumit.calls import SKILLS, TASK, TASKS, WALLET, Data

from tasktwin import Provider

ROUNDS = 200
THIRD = "a0000000-0000-4000-8000-0000000000a3"
PLATFORM = "c0000000-0000-4000-8000-0000000000c1"
SKILL = {"name": "s", "description": "d", "category": "c", "mode": "online", "pricing_model": "fixed", "ut_price": 1}


class Agents:
    """Clients of three agents, one of whom the seeds do not have, each with a connection of its own."""

    def __init__(self, url: str, key: str, stack: ExitStack) -> None:
        self.control = stack.enter_context(httpx2.Client(base_url=f"{url}/_tasktwin"))
        purse = {"ut_available": "0", "ut_frozen": "0", "cash_available": "0", "cash_frozen": "0"}
        self.put("user", THIRD, {"nickname": "Third", "active": True})
        self.put("platform_user", "third", {"platform_id": PLATFORM, "user_id": THIRD})
        self.put("purse", THIRD, purse)
        users = [f"a0000000-0000-4000-8000-0000000000a{n}" for n in (1, 2, 3)]
        headers = [{"X-Api-Key": key, "X-Platform-User-Id": user} for user in users]
        clients = [stack.enter_context(httpx2.Client(base_url=url, headers=each)) for each in (*headers, headers[0])]
        self.poster, self.otto, self.third, self.poster_again = clients
        self.skills = {client: self.ask(client, f"{SKILLS}/", SKILL)["id"] for client in (self.otto, self.third)}

    def put(self, collection: str, key: str, row: Data) -> None:
        """Write a row of the world's state."""
        self.control.put(f"/state/{collection}/{key}", json=row).raise_for_status()

    def ask(self, client: httpx2.Client, path: str, body: Data | None = None) -> Data:
        """What a call that must succeed answers: a POST if there is a body, else a GET."""
        answer = client.post(path, json=body) if body else client.get(path)
        answer.raise_for_status()
        found: Data = answer.json()["data"]
        return found

    def totals(self) -> list[Decimal]:
        """What each of the three has, frozen included."""
        wallets = [self.ask(client, f"{WALLET}/") for client in (self.poster, self.otto, self.third)]
        return [Decimal(each["ut"]["total"]) for each in wallets]


@pytest.fixture
def agents(serve: Serve, uumit: Provider) -> Iterator[Agents]:
    """Three agents at a real server."""
    key = uumit.rules.principals["agent_ada"].headers["X-Api-Key"]
    with ExitStack() as stack:
        yield Agents(serve("uumit"), key, stack)


def test_of_two_acceptances_at_the_same_moment_exactly_one_wins(agents: Agents) -> None:
    start = Barrier(2)

    def accept(client: httpx2.Client, url: str) -> tuple[int, int]:
        start.wait(10)
        answer = client.post(url)
        return answer.status_code, answer.json()["code"]

    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            before = agents.totals()
            urls = offer(agents, number)
            results = [*pool.map(accept, (agents.poster, agents.poster_again), urls)]
            assert sorted(results) == [(200, 0), (409, 4001)]
            won = results.index((200, 0))
            paid = [Decimal(-1), Decimal(won == 0), Decimal(won == 1)]
            assert agents.totals() == [had + change for had, change in zip(before, paid, strict=True)]
            assert statuses(agents, urls) == (["accepted", "rejected"] if won == 0 else ["rejected", "accepted"])


def offer(agents: Agents, number: int) -> list[str]:
    """A new task for 1 UT with two applications: the addresses at which they are accepted."""
    body = {**TASK, "title": f"Round {number}", "bounty_amount": "1.00"}
    url = f"{TASKS}/{agents.ask(agents.poster, f'{TASKS}/', body)['id']}/applications"
    made = [agents.ask(client, url, {"skill_id": agents.skills[client]})["id"] for client in agents.skills]
    return [f"{url}/{key}/accept" for key in made]


def statuses(agents: Agents, urls: list[str]) -> list[str]:
    """What has become of the two applications."""
    page = agents.ask(agents.poster, urls[0].rpartition("/applications/")[0] + "/applications")
    found = {item["id"]: item["status"] for item in page["items"]}
    return [found[url.split("/")[-2]] for url in urls]
