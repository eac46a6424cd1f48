"""Twins that share their worlds are held against one that shares with nobody: whatever is asked, they answer alike.

Requests come one after the other to either twin, or several at once to one that was stopped; what comes meanwhile to the other
is answered before. Of what comes at once the control plane's is answered first; else all is answered in the order it came in.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.front import ADA, ALICE, ALICES_TASK, BOB, OTTO, TASK, TASKS, Reply, serving
from tests.server.several import address
from tests.server.stopped import Asked, Twin
from tests.uumit.calls import seeded

_NUMBERS = count(1)
WORLDS = "ABC"
"""Each example has so many worlds. In a request ``@A`` is one's name, and ``@LAST`` the task that was made last in its own."""

PENDING = seeded(4, 1)
"""A transaction: Ada's, who buys from Otto."""

CONTROL = "/_tasktwin"


def asking(*requests: Asked) -> st.SearchStrategy[Asked]:
    """One of these requests."""
    return st.sampled_from(requests)


def get(*targets: str, who: dict[str, str] = ALICE) -> st.SearchStrategy[Asked]:
    """A read of one of these."""
    return asking(*[("GET", target, None, who) for target in targets])


def control(method: str, path: str, *bodies: Any) -> st.SearchStrategy[Asked]:
    """A request to the control plane, with one of these bodies."""
    return asking(*[(method, CONTROL + path, body, {}) for body in bodies or (None,)])


def subscribe(**head: str) -> Asked:
    """All that is to be told of a transaction by now."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/sendSubscribe", "params": {"id": PENDING}}
    return "POST", "/a2a", body, {**ADA, "Prefer": "stream=bounded", **head}


API = st.one_of(
    get("/api/v1/wallet", f"{TASKS}?page_size=100", f"{TASKS}@LAST"),
    get("/api/v1/wallet", f"{TASKS}@LAST", who=ADA),
    asking(*[("POST", TASKS, {**TASK, "title": title}, who) for title in ("a", "") for who in (ALICE, ADA)]),
    asking(*[("POST", TASKS, TASK, {**ADA, "Idempotency-Key": key}) for key in "kl"]),
    asking(*[("POST", f"{TASKS}@LAST/{act}", {}, ALICE) for act in ("cancel", "publish", "close")]),
    asking(("POST", f"{TASKS}@LAST/applications", {"skill_id": seeded(2, 2)}, BOB)),
    asking(
        *[
            ("POST", f"/api/v1/transactions/{PENDING}/{act}", None, who)
            for act, who in (("freeze", ADA), ("accept", OTTO), ("deliver", OTTO), ("cancel", ADA))
        ]
    ),
    asking(subscribe(), subscribe(**{"Last-Event-ID": "0"})),
)

ORDERS: list[list[dict[str, Any]]] = [
    [{"match": {"probability": 0.5}, "do": {"status": 503}}],
    [{"match": {"operation": "createTask", "times": 2, "after": 1}, "do": {"status": 429}}],
    [{"match": {"method": "GET"}, "do": {"body": "truncate"}}, {"match": {"times": 1}, "do": {"drop": "after"}}],
]
"""Trouble."""

ONE_WORLD = st.one_of(
    control("POST", "/reset"),
    control("POST", "/clock", *[{"advance": seconds} for seconds in (1, 20, 3_600, 90_000, 270_000)]),
    control("POST", "/clock", {"now": "2026-05-01T00:00:00Z"}, {"now": "2026-04-01T00:00:00Z"}),
    control("POST", "/snapshots", {"name": "s"}, {"name": "t"}, None),
    control("POST", "/snapshots/s/restore"),
    control("POST", "/snapshots/t/restore"),
    control("PUT", "/limits", *[{"mode": mode} for mode in ("on", "off", "count")]),
    control("PUT", "/limits", *[{"leave": left, "limit": "minute"} for left in (0, 2)]),
    control("PUT", "/faults", *ORDERS),
    control("DELETE", "/faults"),
    control("DELETE", "/journal"),
    control("DELETE", "/state/task/@LAST"),
    control("POST", "/events/expire", {"id": "@LAST"}, {"id": ALICES_TASK}),
)

ALL_WORLDS = st.one_of(
    asking(*[("DELETE", f"{CONTROL}/worlds/@{name}", None, {}) for name in WORLDS]),
    control("POST", "/worlds", *[{"name": f"@{name}"} for name in WORLDS]),
    control("POST", "/worlds", {"name": "@B", "seed": 7, "limits": "on", "faults": ORDERS[0]}),
    control("POST", "/worlds", {"name": "@C", "now": "2026-06-01T00:00:00Z"}),
    control(
        "POST", "/worlds", {"name": "@B", "from": "@A"}, {"name": "@C", "from": "@B"}, {"name": "@A", "from": "@C"}
    ),
    control("POST", "/worlds", *[{"name": f"@{name}", "from": "s"} for name in "BC"]),
    asking(*[("GET", f"{CONTROL}/worlds/@{name}", None, {}) for name in WORLDS]),
    control("GET", "/worlds"),
)

_SEEN = "state clock coverage faults limits lifecycles snapshots state/task state/purse"
SEEN = [f"{CONTROL}/{path}" for path in _SEEN.split()]
"""What the control plane tells of a world."""

REQUESTS = st.one_of(API, API, ONE_WORLD, ALL_WORLDS, asking(*[("GET", target, None, {}) for target in SEEN]))
SENT = st.tuples(st.sampled_from("AAABC"), REQUESTS)


class Step(NamedTuple):
    """What is asked of one twin ``at_once``, and of the other ``before``. ``which`` is the one."""

    which: int
    before: list[tuple[str, Asked]]
    at_once: list[tuple[str, Asked]]


STEPS = st.builds(
    Step,
    st.integers(0, 1),
    st.one_of(st.just([]), st.lists(SENT, max_size=2)),
    st.one_of(st.lists(SENT, min_size=1, max_size=1), st.lists(SENT, min_size=1, max_size=4)),
)


class Trio:
    """Two twins that share, and one that does not, all asked the same; ``worlds`` by letter."""

    def __init__(self, shared: list[Twin], alone: Twin) -> None:
        self.shared, self.alone = shared, alone
        number = next(_NUMBERS)
        self.worlds = {letter: f"like-{number}-{letter}" for letter in WORLDS}
        self.last = dict.fromkeys(WORLDS, ALICES_TASK)

    def take(self, step: Step) -> None:
        """Have both asked, and hold the answers against each other."""
        at_once = [(each, self._named(*each)) for each in sorted(step.at_once, key=_place)]
        before = [(each, self._named(*each)) for each in step.before]
        own, other = self.shared[step.which], self.shared[1 - step.which]
        is_alone = not before and len(at_once) == 1
        if not is_alone:
            own.stop(len(at_once))
        for _, (world, asked) in at_once:
            own.send(world, asked)
        try:
            answers = [_ask(other, *sent) for _, sent in before]
        finally:
            if not is_alone:
                own.go_on()
        answers += [
            _told(found, world, asked, own) for found, (_, (world, asked)) in zip(own.heard(), at_once, strict=True)
        ]
        for (each, sent), answer in zip(before + at_once, answers, strict=True):
            expected = _ask(self.alone, *sent)
            assert answer == expected, (sent, answer, expected)
            self._remember(*each, expected)

    def compare(self, letter: str) -> None:
        """All that is told of a world is the same, wherever one asks."""
        name = self.worlds[letter]
        for target in (*SEEN, f"{CONTROL}/journal", f"{CONTROL}/worlds/{name}", f"{CONTROL}/worlds"):
            first, second, expected = [
                _ask(twin, name, ("GET", target, None, {})) for twin in (*self.shared, self.alone)
            ]
            assert first == expected, (target, first, expected)
            assert second == expected, (target, second, expected)

    def end(self) -> None:
        """Leave nothing behind."""
        for name in self.worlds.values():
            for twin in (self.shared[0], self.alone):
                _ask(twin, name, ("DELETE", f"{CONTROL}/worlds/{name}", None, {}))

    def _named(self, letter: str, asked: Asked) -> tuple[str, Asked]:
        method, target, body, head = asked
        said = json.dumps([target, body]).replace("@LAST", self.last[letter])
        for each, name in self.worlds.items():
            said = said.replace(f"@{each}", name)
        target, body = json.loads(said)
        return self.worlds[letter], (method, target, body, head)

    def _remember(self, letter: str, asked: Asked, answer: Any) -> None:
        if asked[:2] == ("POST", TASKS) and answer and answer[0] == 200:
            self.last[letter] = json.loads(answer[1])["data"]["id"]


def _place(sent: tuple[str, Asked]) -> int:
    """When it is answered of what comes at once: a stream tells what the others did."""
    target = sent[1][1]
    return 0 if target.startswith(CONTROL) else 2 if target == "/a2a" else 1


def _ask(twin: Twin, world: str, asked: Asked) -> Any:
    twin.send(world, asked)
    (found,) = twin.heard()
    return _told(found, world, asked, twin)


def _told(found: list[Reply], world: str, asked: Asked, twin: Twin) -> Any:
    """What an answer says, wherever it comes from; nothing if the connection was cut.

    Of all worlds it is those of the example, and of the journal how it is numbered and what stands in it, in any order.
    """
    if not found:
        return None
    (reply,) = found
    body = reply.body.replace(twin.url.removeprefix("http://").encode(), b"")
    head = {name: value for name, value in reply.headers.items() if name not in ("date", "content-length")}
    if asked[:2] == ("GET", f"{CONTROL}/worlds"):
        listed = {each["name"]: each for each in json.loads(body)["worlds"]}
        body = json.dumps([listed.get(f"{world.rpartition('-')[0]}-{letter}") for letter in WORLDS]).encode()
    if asked[:2] == ("GET", f"{CONTROL}/journal"):
        entries = json.loads(body)["entries"]
        for each in entries:
            del each["seconds"]
        numbers = [each.pop("number") for each in entries]
        body = json.dumps([numbers, sorted(map(json.dumps, entries))]).encode()
    return reply.status, body, head


@pytest.fixture(scope="module")
def twins() -> Iterator[list[Twin]]:
    """Two that share, and one that does not."""
    frozen = ("--quiet", "--now", "2026-04-09T08:00:00Z", "--clock", "frozen")
    store = address()
    with contextlib.ExitStack() as stack:
        served = [
            stack.enter_context(serving("uumit", "--store", each, *frozen, errors=sys.stderr))
            for each in (store, store, "memory")
        ]
        yield [Twin(url, process) for url, process in served]


@given(steps=st.lists(STEPS, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_those_that_share_answer_as_one_that_does_not(twins: list[Twin], steps: list[Step]) -> None:
    trio = Trio(twins[:2], twins[2])
    try:
        for step in steps:
            trio.take(step)
        for letter in WORLDS:
            trio.compare(letter)
    finally:
        trio.end()


HELD: Asked = ("POST", TASKS, TASK, {**ADA, "Idempotency-Key": "k"})
SLOW = [{"match": {"operation": "createTask", "times": 1}, "do": {"delay": 0.5}}]


@given(
    which=st.integers(0, 1),
    meanwhile=st.lists(st.tuples(st.integers(0, 1), st.one_of(st.just(HELD), API, ONE_WORLD)), max_size=3),
)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_key_is_held_as_by_one_that_does_not_share(
    twins: list[Twin], which: int, meanwhile: list[tuple[int, Asked]]
) -> None:
    trio = Trio(twins[:2], twins[2])
    try:
        trio.take(Step(0, [], [("A", ("POST", f"{CONTROL}/snapshots", {"name": "s"}, {}))]))
        trio.take(Step(0, [], [("A", ("PUT", f"{CONTROL}/faults", SLOW, {}))]))
        slow = [Twin(each.url, each.process) for each in (twins[which], twins[2])]
        for twin in slow:
            twin.send(trio.worlds["A"], HELD)
        late = time.monotonic() + 5
        for twin in twins:
            while b'"struck":1' not in _ask(twin, trio.worlds["A"], ("GET", f"{CONTROL}/faults", None, {}))[1]:
                assert time.monotonic() < late
        for through, asked in meanwhile:
            trio.take(Step(through, [], [("A", asked)]))
        answer, expected = [_told(twin.heard()[0], trio.worlds["A"], HELD, twin) for twin in slow]
        assert answer == expected
        trio.compare("A")
    finally:
        trio.end()
