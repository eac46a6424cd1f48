"""Twenty worlds under load, over HTTP: none ever sees another's rows, clock or journal."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import httpx2
import pytest
from tests.conftest import Serve
from tests.uumit.calls import TASK, TASKS, WALLET, Data

from tasktwin import Provider

WORLDS = 20
ROUNDS = 12
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class Client:
    """One world's client: every other one names its world by the path, the others by the header."""

    def __init__(self, url: str, number: int, headers: dict[str, str]) -> None:
        self.number = number
        self.name = f"world-{number}"
        by_path = f"{url}/_tasktwin/worlds/{self.name}"
        self.api = f"{by_path}/api" if number % 2 else url
        self.control = f"{by_path}/control" if number % 2 else f"{url}/_tasktwin"
        self.http = httpx2.Client(headers=headers if number % 2 else {**headers, "Tasktwin-World": self.name})
        self.titles: list[str] = []
        self.asked = 0
        self.now = BEGINNING

    def ask(self, method: str, path: str, body: Data | None = None) -> Data:
        """Call the API: the answer is of this world and of its time."""
        answer = self.http.request(method, self.api + path, json=body)
        self.asked += 1
        assert (answer.status_code, answer.headers["tasktwin-world"]) == (200, self.name)
        said: Data = answer.json()
        assert said["timestamp"] == int(self.now.timestamp())
        return said

    def steer(self, method: str, path: str, body: Data | None = None) -> Data:
        """Call the control plane."""
        answer = self.http.request(method, self.control + path, json=body)
        answer.raise_for_status()
        said: Data = answer.json()
        return said

    def live(self, start: Barrier) -> None:
        """Make tasks, move the clock by the world's own step, and look at everything, again and again."""
        start.wait(30)
        for turn in range(ROUNDS):
            title = f"{self.name}, task {turn}"
            self.ask("POST", f"{TASKS}/", {**TASK, "title": title, "bounty_amount": self.number + 1})
            self.titles.append(title)
            seconds = 1 + self.number * 60
            self.steer("POST", "/clock", {"advance": seconds})
            self.now += timedelta(seconds=seconds)
            assert self.look() == self.due()

    def look(self) -> Data:
        """Rows, money, clock and journal, as the world tells them."""
        tasks = self.ask("GET", f"{TASKS}/hall?keyword=world-&page_size=100")["data"]["items"]
        wallet = self.ask("GET", WALLET)["data"]["ut"]
        entries = self.steer("GET", "/journal?limit=1000")["entries"]
        return {
            "titles": sorted(task["title"] for task in tasks),
            "frozen": wallet["frozen"],
            "now": self.steer("GET", "/clock")["now"],
            "worlds": {entry["world"] for entry in entries},
            "asked": len(entries),
        }

    def due(self) -> Data:
        """What they are if all of them are this world's own."""
        return {
            "titles": sorted(self.titles),
            "frozen": f"{935 + len(self.titles) * (self.number + 1)}.00",
            "now": self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "worlds": {self.name},
            "asked": self.asked,
        }


@pytest.fixture
def clients(serve: Serve, uumit: Provider) -> Iterator[list[Client]]:
    """A client for each of the worlds of one server."""
    url = serve("uumit", "--clock", "frozen", "--now", BEGINNING.isoformat())
    headers = dict(uumit.rules.principals["agent_ada"].headers)
    made = [Client(url, number, headers) for number in range(WORLDS)]
    yield made
    for client in made:
        client.http.close()


def test_parallel_worlds_never_see_each_other(clients: list[Client]) -> None:
    start = Barrier(WORLDS)
    with ThreadPoolExecutor(WORLDS) as pool:
        for done in [pool.submit(client.live, start) for client in clients]:
            done.result()
    assert [len(client.titles) for client in clients] == [ROUNDS] * WORLDS
    assert [client.look() for client in clients] == [client.due() for client in clients]


def test_the_default_world_is_untouched_by_the_others(serve: Serve, uumit: Provider) -> None:
    url = serve("uumit", "--clock", "frozen", "--now", BEGINNING.isoformat())
    headers = dict(uumit.rules.principals["agent_ada"].headers)
    with httpx2.Client(base_url=url, headers=headers) as http:
        before = http.get(f"{TASKS}/").content
        assert http.post(f"{TASKS}/", json=TASK, headers={"Tasktwin-World": "other"}).status_code == 200
        http.post("/_tasktwin/clock", json={"advance": 1e6}, headers={"Tasktwin-World": "other"}).raise_for_status()
        assert http.get(f"{TASKS}/").content == before
        assert len(http.get("/_tasktwin/journal").json()["entries"]) == 2
