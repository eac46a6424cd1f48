"""Callers who are recognised by what they send, and what makes them strangers again."""

import pytest

from tasktwin import Twin
from tasktwin.state import Query

ME = "/api/v1/wallet/"
KEY = {"X-Api-Key": "uuagent_sk_demo", "X-Platform-User-Id": "a0000000-0000-4000-8000-0000000000a1"}
TOKEN = {"Authorization": "Bearer human-alice-token"}


@pytest.fixture
def twin() -> Twin:
    return Twin("uumit", now="2026-01-01T00:00:00Z", clock="frozen")


def who(twin: Twin, headers: dict[str, str]) -> str:
    twin.request("GET", ME, headers=headers)
    return twin.journal.entries()[-1].principal.partition(":")[0]


def drop(twin: Twin, collection: str) -> None:
    store = twin.world.store
    for row in store.find(Query(collection)):
        store.delete(collection, row["id"])


@pytest.mark.parametrize(
    ("headers", "collection"),
    [(TOKEN, "token"), (KEY, "platform_user"), (KEY, "platform")],
    ids=["token", "link", "key"],
)
def test_a_known_caller_is_a_stranger_once_the_row_is_gone(
    twin: Twin, headers: dict[str, str], collection: str
) -> None:
    assert twin.request("GET", ME, headers=headers).status == 200
    drop(twin, collection)
    assert twin.request("GET", ME, headers=headers).status in {401, 403}


def test_the_key_wins_over_a_token_that_is_known_already(twin: Twin) -> None:
    assert [who(twin, sent) for sent in (TOKEN, KEY, TOKEN | KEY, TOKEN)] == ["human", "agent", "agent", "human"]


def test_half_a_pair_of_credentials_is_refused_after_the_whole_was_known(twin: Twin) -> None:
    assert twin.request("GET", ME, headers=KEY).status == 200
    assert twin.request("GET", ME, headers={"X-Api-Key": KEY["X-Api-Key"]}).status == 401


def test_a_caller_is_known_however_the_word_before_the_token_is_spelled(twin: Twin) -> None:
    assert [who(twin, {"Authorization": f"{word} human-alice-token"}) for word in ("Bearer", "bearer")] == ["human"] * 2


def test_credentials_of_another_world_are_looked_up_anew(twin: Twin) -> None:
    assert who(twin, TOKEN) == "human"
    drop(twin, "token")
    twin.reset()
    assert who(twin, TOKEN) == "human"
