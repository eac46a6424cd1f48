"""Idempotency of a twin that forgets, mixes up or half keeps its keys."""

import asyncio
import json
from dataclasses import replace

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, deployed, judged, plainly, rules

from tasktwin.suite.protocol import idempotency

KEY = "idempotency-key"


async def slowly(asked: Asked, twin: Twin) -> Answer:
    await asyncio.sleep(0.03)
    return await twin(asked)


def without_key(asked: Asked) -> Asked:
    return replace(asked, headers={name: value for name, value in asked.headers.items() if name != KEY})


async def forgets(asked: Asked, twin: Twin) -> Answer:
    return await twin(without_key(asked))


def remembers(*parts: str, slow: bool = False) -> Fault:
    """Keeps answers by the key and these parts of a request alone; if ``slow``, only some time after they were given."""
    kept: dict[tuple[str, ...], Answer] = {}

    async def fault(asked: Asked, twin: Twin) -> Answer:
        if KEY not in asked.headers:
            return await twin(asked)
        known = {"path": asked.path, "caller": asked.caller, "body": asked.body.decode()}
        mark = (asked.headers[KEY], *(known[part] for part in parts))
        if mark in kept:
            return kept[mark]
        if slow:
            await asyncio.sleep(0.02)
        answer = await twin(without_key(asked))
        if answer[0] < 300:
            kept[mark] = answer
        return answer

    return fault


def keeps_what_was_read() -> Fault:
    """Keeps a key only if somebody was there to take the answer."""
    kept: dict[tuple[str, ...], Answer] = {}

    async def fault(asked: Asked, twin: Twin) -> Answer:
        mark = (asked.headers.get(KEY, ""), asked.path, asked.caller, asked.body.decode())
        if not mark[0] or mark in kept:
            return kept.get(mark) or await twin(asked)
        answer = await twin(without_key(asked))
        if answer[0] < 300:
            kept[mark] = answer
        await asyncio.sleep(0.01)
        if asked.gone.is_set():
            kept.pop(mark, None)
        return answer

    return fault


@pytest.mark.parametrize("fault", [plainly, slowly], ids=["fast", "slow"])
def test_a_correct_deployment_keeps_its_keys(fault: Fault) -> None:
    with deployed("uumit", fault) as url:
        run = judged("uumit", url, idempotency, "create*", "closeTask", "freeze*")
    assert not list(run.findings)
    assert run.units


@pytest.mark.parametrize("provider", ["aitasker", "posthog"])
def test_a_correct_deployment_without_keys_does_what_http_says(provider: str) -> None:
    with deployed(provider) as url:
        assert not list(judged(provider, url, idempotency).findings)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (forgets, "idempotency.effect"),
        (remembers("path", "caller", "body", slow=True), "idempotency.effect-at-once"),
        (remembers("path", "caller"), "idempotency.payload"),
        (remembers("path", "body"), "idempotency.caller"),
        (remembers("caller"), "idempotency.operation"),
        (keeps_what_was_read(), "idempotency.effect-after-loss"),
    ],
    ids=["forgotten", "at once", "any payload", "any caller", "any operation", "unread"],
)
def test_a_key_that_is_not_kept_as_it_should_is_a_failure(fault: Fault, rule: str) -> None:
    with deployed("uumit", fault) as url:
        run = judged("uumit", url, idempotency, "createTask", "createSkill")
    assert rule in rules(run)


def test_a_key_that_is_kept_too_long_is_a_note() -> None:
    with deployed("uumit", remembers("path", "caller", "body")) as url:
        run = judged("uumit", url, idempotency, "createSkill")
    assert {each.severity for each in run.findings if each.rule == "idempotency.kept"} == {"note"}


def test_the_script_uses_a_new_key_each_time() -> None:
    with deployed("uumit", forgets) as url:
        run = judged("uumit", url, idempotency, "createTask")
    found = next(each for each in run.findings if each.rule == "idempotency.effect")
    assert "key1=key-$$-$RANDOM" in found.script
    assert found.script.count('Idempotency-Key: \'"$key1"') == 2


def test_a_second_put_that_changes_something_is_a_failure() -> None:
    seen: set[tuple[str, bytes]] = set()

    async def fault(asked: Asked, twin: Twin) -> Answer:
        mark = (asked.world + asked.path, asked.body)
        if asked.method == "PUT" and mark in seen:
            body = {**asked.json, "title": asked.json["title"] + "!"}
            return await twin(replace(asked, body=json.dumps(body).encode()))
        seen.add(mark)
        return await twin(asked)

    with deployed("posthog", fault) as url:
        assert "standard.idempotent" in rules(judged("posthog", url, idempotency, "updateTask"))
