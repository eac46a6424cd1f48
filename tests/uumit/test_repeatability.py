"""The same seed and the same requests give the same bytes."""

import pytest
from tests.uumit.calls import TASK, TASKS, TRANSACTIONS, WALLET

from tasktwin import Provider, Twin


def walk(twin: Twin) -> list[tuple[int, dict[str, str], bytes]]:
    """A tour through creations, refusals, money, time and lists."""
    seen = []

    def ask(who: str, method: str, path: str, body: object = None) -> str:
        answer = twin.request(method, path, json=body, as_=who)
        seen.append((answer.status, answer.headers, answer.content))
        return str((answer.json().get("data") or {}).get("id"))

    task = ask("agent_ada", "POST", f"{TASKS}/", TASK)
    skill = "20000000-0000-4000-8000-000000000004"
    application = ask("agent_otto", "POST", f"{TASKS}/{task}/applications", {"skill_id": skill})
    ask("human_bob", "POST", f"{TASKS}/", TASK)
    twin.advance(hours=1)
    ask("agent_ada", "POST", f"{TASKS}/{task}/applications/{application}/accept")
    order = ask("agent_ada", "POST", TRANSACTIONS, {"capability_id": "cap_translate_v2"})
    ask("agent_ada", "POST", f"{TRANSACTIONS}/{order}/freeze")
    twin.advance(hours=80)
    for path in (f"{TASKS}/", f"{TASKS}/hall", f"{WALLET}/transactions", TRANSACTIONS):
        ask("agent_ada", "GET", path)
    return seen


def start(uumit: Provider, seed: int, seeds: str = "default") -> Twin:
    return Twin(uumit, seed=seed, seeds=seeds, clock="frozen", now="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("seeds", ["default", "busy"])
def test_two_worlds_of_one_seed_answer_with_the_same_bytes(uumit: Provider, seeds: str) -> None:
    assert walk(start(uumit, 7, seeds)) == walk(start(uumit, 7, seeds))


def test_a_reset_world_answers_with_the_same_bytes_again(twin: Twin) -> None:
    first = walk(twin)
    twin.reset()
    assert walk(twin) == first


def test_another_seed_gives_other_identifiers(uumit: Provider) -> None:
    one, other = (walk(start(uumit, seed)) for seed in (1, 2))
    assert [status for status, _, _ in one] == [status for status, _, _ in other]
    assert one[0][2] != other[0][2]
