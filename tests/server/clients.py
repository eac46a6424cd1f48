"""Two clients of UUMit that meet the same trouble: one copes as it should, one does not."""

import time
from typing import ClassVar

import httpx2
from tests.server.front import ALICE, ALICES_TASK, TASK, TASKS, World

from tasktwin.wire import Json

DRAFT = "/api/v1/tasks/ai-create"
WISH: dict[str, Json] = {"description": "I need a logo for my tea house. Budget: 300 CNY, in two colours."}
WHOLE = 3.0
"""Seconds that a draft takes, and a little more."""

MINUTE = 60
"""Requests that UUMit lets through in a minute."""


class Client:
    """Alice's, under its own ``User-Agent``. It waits by moving the world's clock."""

    agent: ClassVar[str]

    def __init__(self, world: World) -> None:
        self.world = world
        self.headers = {**ALICE, "User-Agent": self.agent}

    def get(self, path: str = TASKS + ALICES_TASK) -> httpx2.Response:
        """Read something."""
        return self.world.api.get(path, headers=self.headers)

    def post(self, title: str, key: str = "") -> httpx2.Response | None:
        """Create a task; ``None`` if no whole answer came."""
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        try:
            return self.world.api.post(TASKS, json={**TASK, "title": title}, headers=headers)
        except httpx2.TransportError:
            return None

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        assert self.world.control.post("/clock", json={"advance": seconds}).status_code == 200

    def page(self, number: int) -> Json:
        """A page of Alice's tasks, two on each."""
        return self.get(f"{TASKS}?page={number}&page_size=2").json()["data"]

    def read_draft(self, last: str = "") -> str:
        """Read a draft's stream until it breaks or ends: the id of the last event."""
        headers = self.headers | ({"Last-Event-ID": last} if last else {})
        try:
            with self.world.api.stream("POST", DRAFT, json=WISH, headers=headers, timeout=5) as answer:
                self.wait(WHOLE)
                for line in answer.iter_lines():
                    last = line.removeprefix("id:").strip() if line.startswith("id:") else last
        except httpx2.TransportError:
            pass
        return last


class Polite(Client):
    """Does what the documentation of every API asks for."""

    agent = "polite/1.0"

    def come_back(self) -> None:
        """Wait for as long as it is told."""
        while (answer := self.get()).status_code == 503:
            self.wait(int(answer.headers["retry-after"]))

    def insist(self) -> None:
        """Wait twice as long each time."""
        pause = 0.5
        while self.get().status_code == 500:
            self.wait(pause)
            pause *= 2

    def write(self) -> None:
        """Send a write whose answer was lost again, as the same."""
        while self.post("Once", key="once") is None:
            pass

    def draft(self) -> None:
        """Go on behind the last event that it read."""
        self.read_draft(self.read_draft())

    def list(self) -> None:
        """Read page after page while there are more."""
        number = 1
        while self.page(number)["has_more"]:
            number += 1

    def poll(self) -> None:
        """Look again after as long as it was told."""
        for _ in range(3):
            self.wait(int(self.get().headers.get("retry-after", "2")))

    def grow(self) -> None:
        """Pass over what it does not know."""
        self.post("Grown")
        self.get()

    def ask(self) -> None:
        """Ask for a few things, correctly."""
        self.get()
        self.page(1)


class Rude(Client):
    """Does what clients do that were only ever tested against a stub."""

    agent = "rude/1.0"

    def come_back(self) -> None:
        """Ask again at once."""
        while self.get().status_code == 503:
            pass

    def insist(self) -> None:
        """Ask again and again, as fast as it can."""
        for _ in range(4):
            self.get()

    def write(self) -> None:
        """Send a write whose answer was lost again, as another."""
        while self.post("Once") is None:
            pass

    def draft(self) -> None:
        """Begin anew."""
        self.read_draft()
        self.read_draft()

    def list(self) -> None:
        """Leave a page out."""
        self.page(1)
        self.page(3)

    poll = insist

    def grow(self) -> None:
        """Take an answer that it does not know for a failure."""
        self.post("Grown")
        self.post("Grown")

    def ask(self) -> None:
        """Ask for more than anybody may, and wrongly."""
        for _ in range(MINUTE + 5):
            self.get()
        self.post("")


def await_closings(world: World, count: int) -> None:
    """Wait until the twin has noticed that so many streams are closed."""
    for _ in range(100):
        if sum(each["reason"].startswith("stream closed") for each in world.entries(limit=1000)) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(world.entries(limit=20))
