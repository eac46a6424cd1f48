"""A client library of A2A 0.1.0 against the served market: ``pya2a``, which carries that version's reference client.

It knows neither the vendor's headers nor the vendor's parameters of ``tasks/send``; ``Buyer`` adds what its user would.
"""

import asyncio
import sys
from collections.abc import AsyncIterable, Iterator
from functools import partial
from itertools import count
from queue import Queue
from threading import Thread
from typing import Any

import httpx
import pytest
from tests.pypi import install
from tests.server.front import ADA, OTTO, World, serving
from tests.uumit.calls import TRANSACTIONS, UNKNOWN, seeded

sys.path.append(str(install("pya2a==0.1.0")))

from a2a.client import A2ACardResolver, A2AClient
from a2a.types import A2AClientHTTPError, JSONRPCRequest, SendTaskResponse, TaskState

MESSAGE = {"role": "user", "parts": [{"type": "text", "text": "Read my invoice."}]}
PARAMS, NOT_FOUND, NOT_CANCELABLE = -32602, -32001, -32002

PATIENCE = 20
"""Seconds to wait for what comes at once, unless the machine is busy."""

_NUMBERS = count(1)


class Buyer(A2AClient):  # type: ignore[misc]  # the library has no types
    """The library's client, which buys as the vendor has it: with a capability, and without a message."""

    async def buy(self, capability: str) -> Any:
        """``tasks/send`` with the vendor's parameters."""
        request = JSONRPCRequest(method="tasks/send", params={"capability_id": capability})
        return SendTaskResponse(**await self._send_request(request))


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The base URL of a served market whose time stands still."""
    with serving("uumit", "--quiet", "--clock", "frozen", "--now", "2026-01-01T00:00:00Z") as (url, _process):
        yield url


@pytest.fixture
def world(origin: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A market of its own, in which the library calls as Ada: it makes its HTTP clients itself."""
    found = World(origin, f"a2a-{next(_NUMBERS)}")
    call_with(monkeypatch, {**ADA, "Tasktwin-World": found.name})
    yield found
    found.close()


def call_with(monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]) -> None:
    for name in ("Client", "AsyncClient"):
        monkeypatch.setattr(httpx, name, partial(getattr(httpx, name), headers=headers))


@pytest.fixture
def buyer(world: World) -> Buyer:
    """Ada with the library, whose address comes from the card."""
    card = A2ACardResolver(world.origin).get_agent_card()
    return Buyer(url=f"{card.url}/a2a")


def step(world: World, order: str, verb: str, who: dict[str, str]) -> None:
    """A step of an order through REST."""
    assert world.api.post(f"{TRANSACTIONS}/{order}/{verb}", json={}, headers=who).status_code == 200


def follow(stream: AsyncIterable[Any]) -> "Queue[Any]":
    """What the library tells, as it tells it; ``None`` when the stream has ended.

    It reads without ever yielding to the event loop and without a timeout, so it gets a thread that nobody waits for.
    """
    told: Queue[Any] = Queue()

    async def read() -> None:
        async for each in stream:
            told.put(each)

    def run() -> None:
        try:
            asyncio.run(read())
        finally:
            told.put(None)

    Thread(target=run, daemon=True).start()
    return told


def test_the_card_is_one_of_a2a_0_1_0(world: World) -> None:
    card = A2ACardResolver(world.origin).get_agent_card()
    assert (card.url, card.capabilities.streaming, card.authentication.schemes) == (world.origin, True, ["apiKey"])
    assert card.skills


def test_what_is_bought_is_a_task_that_can_be_got_and_canceled(buyer: Buyer) -> None:
    task = asyncio.run(buyer.buy("cap_ocr_invoice_v1")).result
    assert task.status.state == TaskState.SUBMITTED
    assert asyncio.run(buyer.get_task({"id": task.id, "historyLength": 3})).result == task
    canceled = asyncio.run(buyer.cancel_task({"id": task.id})).result
    assert (canceled.id, canceled.status.state) == (task.id, TaskState.CANCELED)


@pytest.mark.parametrize(
    ("verb", "order", "code"),
    [
        ("get_task", UNKNOWN, NOT_FOUND),
        ("cancel_task", UNKNOWN, NOT_FOUND),
        ("cancel_task", seeded(4, 5), NOT_CANCELABLE),
    ],
)
def test_what_cannot_be_is_told_as_the_protocol_has_it(buyer: Buyer, verb: str, order: str, code: int) -> None:
    answer = asyncio.run(getattr(buyer, verb)({"id": order}))
    assert (answer.result, answer.error.code) == (None, code)


def test_a_task_as_a2a_sends_it_names_no_capability_and_is_refused(buyer: Buyer) -> None:
    error = asyncio.run(buyer.send_task({"id": "t", "message": MESSAGE})).error
    assert error.code == PARAMS
    assert "capability_id" in error.data["detail"]


def test_who_is_not_signed_in_meets_http(buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    call_with(monkeypatch, {"X-Api-Key": "wrong"})
    with pytest.raises(A2AClientHTTPError) as refused:
        asyncio.run(buyer.get_task({"id": seeded(4, 1)}))
    assert refused.value.status_code == 401


def test_what_happens_through_rest_shows_on_the_open_stream_until_the_task_is_over(world: World, buyer: Buyer) -> None:
    order = asyncio.run(buyer.buy("cap_ocr_invoice_v1")).result.id
    told = follow(buyer.send_task_streaming({"id": order, "message": MESSAGE}))
    seen = [told.get(timeout=PATIENCE)]
    for verb, who in (("freeze", ADA), ("accept", OTTO), ("deliver", OTTO), ("confirm", ADA)):
        step(world, order, verb, who)
        seen.append(told.get(timeout=PATIENCE))
    assert [each.result.status.state.value for each in seen] == [
        "submitted",
        "submitted",
        "working",
        "working",
        "completed",
    ]
    assert {each.result.id for each in seen} == {order}
    assert told.get(timeout=PATIENCE) is None


def test_a_task_that_is_over_is_told_once(buyer: Buyer) -> None:
    told = follow(buyer.send_task_streaming({"id": seeded(4, 7), "message": MESSAGE}))
    assert told.get(timeout=PATIENCE).result.status.state == TaskState.CANCELED
    assert told.get(timeout=PATIENCE) is None


def test_the_vendors_heartbeat_at_the_end_of_the_window_does_no_harm(world: World, buyer: Buyer) -> None:
    told = follow(buyer.send_task_streaming({"id": seeded(4, 1), "message": MESSAGE}))
    assert told.get(timeout=PATIENCE).result.status.state == TaskState.SUBMITTED
    world.control.post("/clock", json={"advance": 30})
    heartbeat = told.get(timeout=PATIENCE)
    assert (heartbeat.result, heartbeat.error) == (None, None)
    assert told.get(timeout=PATIENCE) is None


def test_an_error_before_the_stream_is_no_stream(buyer: Buyer) -> None:
    async def read() -> list[Any]:
        return [each async for each in buyer.send_task_streaming({"id": UNKNOWN, "message": MESSAGE})]

    with pytest.raises(A2AClientHTTPError, match="got 'application/json'"):
        asyncio.run(read())
