"""UUMit broken before and behind its rules: by what stands in front of it, and by how it stores."""

import asyncio
import re
from collections.abc import Callable
from typing import TypeAlias

from starlette.middleware.gzip import GZipMiddleware
from tests.deployments.deployment import Asked, Data, Told, altered, edited, preceded, retold, stored_in, twin

from tasktwin import Provider
from tasktwin.behaviour import idempotency
from tasktwin.behaviour.rules import Idempotency
from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.verb import Call
from tasktwin.server.asgi import App
from tasktwin.state import MemoryStore, Query, Row
from tasktwin.wire import Json, dumps, loads

PAUSE = 0.03
"""Seconds that pass between a check and what rests on it."""

FREEZE = re.compile(r"/api/v1/transactions/([^/]+)/freeze/?")
ADA = "a0000000-0000-4000-8000-0000000000a1"
TASKS = ("/api/v1/tasks", "/api/v1/tasks/")


# ── races ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def race_of_freezes(provider: Provider) -> App:
    """The balance is read, then some time passes, then what is left of it is written."""
    application = twin(provider)

    async def act(asked: Asked) -> None:
        found = FREEZE.fullmatch(asked.path)
        world = application.apps[0].worlds.get(asked.world)
        row = world.read("transaction", found[1]) if found and asked.method == "POST" else None
        purse = world.read("purse", row["buyer_user_id"]) if row else None
        if row is None or purse is None:
            return
        await asyncio.sleep(PAUSE)
        if (world.read("transaction", row["id"]) or {}).get("status") == "pending_freeze":
            with world.transaction():
                world.store.put("purse", purse["id"], purse)

    return preceded(application, act)


def race_of_duplicates(provider: Provider) -> App:
    """A key is written down once its request is answered: until then nobody knows it."""
    running: set[tuple[str, ...]] = set()

    async def act(asked: Asked) -> None:
        key = asked.headers.get("idempotency-key")
        if asked.method != "POST" or key is None:
            return
        name = (asked.world, asked.path, key, asked.headers.get("authorization", ""))
        if name in running:
            asked.headers["idempotency-key"] = f"{key}-{id(asked)}"
            await asyncio.sleep(PAUSE)
            return
        running.add(name)
        await asyncio.sleep(PAUSE)
        running.discard(name)

    return preceded(twin(provider), act)


# ── idempotency ──────────────────────────────────────────────────────────────────────────────────────────────────────


def payload_ignored(provider: Provider) -> App:
    """A key is known by its name alone."""

    def fingerprint(_call: Call) -> str:
        return ""

    vars(idempotency)["_fingerprint"] = fingerprint
    return twin(provider)


def key_shared(provider: Provider) -> App:
    """Keys are kept for all callers together."""

    def name(call: Call, key: str) -> str:
        return f"{call.operation}\n{key}"

    vars(idempotency)["_name"] = name
    return twin(provider)


def key_ignored(provider: Provider) -> App:
    """The route for transactions was never told of keys."""
    find = idempotency.find_key

    def find_key(rule: Idempotency, method: str, operation: str, headers: Data, body: Json) -> str | None:
        return None if operation == "createTransaction" else find(rule, method, operation, headers, body)

    vars(idempotency)["find_key"] = find_key
    return twin(provider)


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Overlapping(MemoryStore):
    def find(self, query: Query, offset: int = 0, limit: int | None = None) -> list[Row]:
        if query.collection == "task" and offset:
            offset -= 1
        return super().find(query, offset, limit)


class _CountingAll(MemoryStore):
    def count(self, query: Query) -> int:
        return super().count(Query("transaction") if query.collection == "transaction" else query)


def pages_overlap(provider: Provider) -> App:
    """Later pages of tasks begin one row too early."""
    return stored_in(twin(provider), _Overlapping)


def total_of_all(provider: Provider) -> App:
    """The total of a list of transactions is that of the table."""
    return stored_in(twin(provider), _CountingAll)


# ── requests and answers ─────────────────────────────────────────────────────────────────────────────────────────────


def key_alone(provider: Provider) -> App:
    """The wallet asks for the platform's key only, and shows the user that it linked first."""

    async def act(asked: Asked) -> None:
        if asked.path.rstrip("/") == "/api/v1/wallet" and "x-api-key" in asked.headers:
            asked.headers.setdefault("x-platform-user-id", ADA)

    return preceded(twin(provider), act)


def three_bytes_only(provider: Provider) -> App:
    """The title's column takes no characters of four bytes."""
    failure = {"code": 9999, "message": "Incorrect string value: '\\xF0\\x9F...' for column 'title'", "data": None}

    async def act(asked: Asked) -> Told | None:
        if asked.method != "POST" or asked.path not in TASKS:
            return None
        try:
            title = loads(asked.body)["title"]
            if not any(ord(letter) > 0xFFFF for letter in title):
                return None
        except (ValueError, TypeError, KeyError):
            return None
        told = Told(500, {"content-type": "application/json"})
        told.say({**failure, "timestamp": 1_760_000_000})
        return told

    return preceded(twin(provider), act)


def refusal_as_success(provider: Provider) -> App:
    """Who may not do something is told so with 200, and in words only."""

    def alter(_asked: Asked, told: Told) -> None:
        reply = told.json()
        if told.status == 403 and isinstance(reply, dict) and reply.get("code") == 1003:
            told.status = 200
            told.say({name: value for name, value in reply.items() if name != "code"})

    return altered(twin(provider), alter)


@effect()
def forget_category(step: Step) -> None:
    """The category's column is missing in the statement that writes."""
    step.set(category=(step.before or {}).get("category"))


def change_not_kept(provider: Provider) -> App:
    """A changed category is answered and not stored."""

    def change(data: Data) -> None:
        ways = data["lifecycles"]["task"]["transitions"]
        for name in ("update_draft", "update_open"):
            ways[name]["effects"] = [*ways[name].get("effects", ()), "forget_category"]

    def alter(asked: Asked, told: Told) -> None:
        if asked.method == "PUT" and told.status == 200 and b'"category"' in asked.body:
            sent = loads(asked.body)
            told.say({**told.json(), "data": {**told.json()["data"], "category": sent.get("category")}})

    return altered(twin(edited(provider, change, forget_category=forget_category)), alter)


def short_wait(provider: Provider) -> App:
    """Ten new skills a day; whoever wants more is told to wait for a second, whatever is left of the day."""

    def change(data: Data) -> None:
        del data["limits"]["minute"], data["limits"]["day"]

    def alter(_asked: Asked, told: Told) -> None:
        if told.status == 429:
            told.headers["retry-after"] = "1"

    return altered(twin(edited(provider, change), limits="on"), alter)


# ── streams and JSON-RPC ─────────────────────────────────────────────────────────────────────────────────────────────


def end_untold(provider: Provider) -> App:
    """The stream of a transaction closes as soon as it is settled, before that is told."""

    def begin(asked: Asked) -> Turn | None:
        return (
            Turn(lambda number, block: number > 0 and b'"state":"completed"' in block) if asked.path == "/a2a" else None
        )

    return retold(twin(provider), begin)


def reconnect_loses_one(provider: Provider) -> App:
    """Whoever comes back to a draft goes on one event too late."""

    def begin(asked: Asked) -> Turn | None:
        resumed = asked.path.endswith("/ai-create") and "last-event-id" in asked.headers
        return Turn(lambda number, block: number == 0 and b"event: done" not in block) if resumed else None

    return retold(twin(provider), begin)


Drops: TypeAlias = Callable[[int, bytes], bool]


class Turn:
    """Leaves out the blocks of a stream that ``drops`` says so of, by their number and text."""

    def __init__(self, drops: Drops) -> None:
        self.drops = drops
        self.number = -1

    def __call__(self, block: bytes) -> list[bytes]:
        """The block, or nothing."""
        self.number += 1
        return [] if self.drops(self.number, block) else [block]


def silent_window(data: Data) -> None:
    """The window of a subscription ends without a word."""
    lasts = data["operations"]["sendAgentRequest"]["methods"]["tasks/sendSubscribe"]["stream"]["lasts"]
    del lasts["event"], lasts["data"]
    lasts["comment"] = "bye"


def falsy_id(provider: Provider) -> App:
    """An id that Python takes for nothing comes back as null."""

    def alter(asked: Asked, told: Told) -> None:
        reply = told.json() if asked.path == "/a2a" and told.status == 200 else None
        if isinstance(reply, dict) and not reply.get("id", 1):
            told.say({**reply, "id": None})

    return altered(twin(provider), alter)


def unknown_method(provider: Provider) -> App:
    """A method that nobody knows ends in the handler of last resort."""

    def alter(asked: Asked, told: Told) -> None:
        reply = told.json() if asked.path == "/a2a" else None
        if isinstance(reply, dict) and reply.get("error", {}).get("code") == -32601:
            told.say({**reply, "error": {**reply["error"], "code": -32603, "message": "Internal error"}})

    return altered(twin(provider), alter)


# ── nothing is wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


def other_words(provider: Provider) -> App:
    """Other identifiers, other words for people, members and headers that nobody asked for."""

    def alter(asked: Asked, told: Told) -> None:
        reply = told.json()
        told.headers |= {"x-request-id": f"req-{id(asked):x}", "server": "market", "cache-control": "no-store"}
        if isinstance(reply, dict) and "code" in reply:
            words = "操作成功" if reply["code"] == 0 else f"出错了 ({reply['code']})"
            told.say({**reply, "message": words, "region": "cn-east", "api_version": 3})

    return altered(twin(provider, seed=7), alter)


def other_transport(provider: Provider) -> App:
    """Slower, packed, and with the members of objects in another order."""

    def alter(_asked: Asked, told: Told) -> None:
        reply = told.json()
        if isinstance(reply, dict):
            told.body = dumps(turned(reply))

    async def act(_asked: Asked) -> None:
        await asyncio.sleep(PAUSE)

    return GZipMiddleware(preceded(altered(twin(provider), alter), act), minimum_size=200)


def turned(value: Json) -> Json:
    """The same, with the members of all objects in the opposite order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value
