"""Callers who are recognised by what they send, and what makes them strangers again."""

from pathlib import Path

import pytest
from tests.provider.small import edited, write

from tasktwin import Twin
from tasktwin.behaviour.signed import sign
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


# ── signed tokens ────────────────────────────────────────────────────────────────────────────────────────────────────

NOW = 1_767_225_600
SIGNING_KEY = "a development key of tasktwin that stands here for all to read and protects nothing"
ALICE = "b0000000-0000-4000-8000-0000000000b1"


def bearer(**claims: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign({'sub': ALICE, **claims}, SIGNING_KEY, 'HS256')}"}


@pytest.mark.parametrize(
    "path", [ME, "/api/v1/tasks/10000000-0000-4000-8000-000000000001"], ids=["list", "kept answer"]
)
def test_a_token_is_taken_until_the_worlds_clock_reaches_its_end(twin: Twin, path: str) -> None:
    token = bearer(exp=NOW + 60)
    seen = []
    for seconds in (0, 0, 59.999, 0.001, 0):
        twin.advance(seconds)
        seen.append(twin.request("GET", path, headers=token).status)
    assert seen == [200, 200, 200, 401, 401]


def test_a_token_is_taken_once_the_worlds_clock_reaches_its_beginning(twin: Twin) -> None:
    token = bearer(nbf=NOW + 60)
    assert twin.request("GET", ME, headers=token).status == 401
    twin.advance(60)
    assert twin.request("GET", ME, headers=token).status == 200


def test_a_token_is_the_same_caller_as_the_demo_caller(twin: Twin) -> None:
    sent = {**bearer(), "Idempotency-Key": "k1"}
    body = {"title": "Read", "description": "All of it.", "bounty_amount": "1.00", "delivery_hours": 24}
    first = twin.request("POST", "/api/v1/tasks/", json=body, headers=sent).json()
    again = twin.request("POST", "/api/v1/tasks/", json=body, headers={**TOKEN, "Idempotency-Key": "k1"}).json()
    assert first["data"]["id"] == again["data"]["id"]


@pytest.mark.parametrize(
    ("collection", "row"),
    [
        ("withdrawn_token", {"id": "w1", "jti": "t1"}),
        ("user", {"id": ALICE, "nickname": "Alice", "active": False, "suspended": True}),
    ],
    ids=["withdrawn", "suspended"],
)
def test_a_good_token_is_refused_once_the_rows_say_so(twin: Twin, collection: str, row: dict[str, object]) -> None:
    task = "/api/v1/tasks/10000000-0000-4000-8000-000000000001"
    assert twin.request("GET", task, headers=bearer(jti="t1")).status == 200
    twin.world.store.put(collection, str(row["id"]), row)
    assert twin.request("GET", task, headers=bearer(jti="t1")).json()["code"] == 1002


ONLY_SIGNED = f"""look_ups:
      - {{as: token, scheme: Bearer, unknown: bad_credential, jwt: {{key: {SIGNING_KEY}, algorithms: [HS512], claims: {{sub: $principal#/user}}, lasts: 1h, leeway: 10s, expired: twice, early: wrong_state}}}}
    principal: {{name: $token#/sub, user: $token#/sub}}"""
SECRET = """look_ups:
      - {as: token, scheme: Bearer, collection: token, where: {secret: $credential}, unknown: bad_credential}
    principal: {name: "{$token#/user}", user: $token#/user}"""


@pytest.fixture
def signed_only(tmp_path: Path) -> Twin:
    """Jobs whose callers all need a signed token."""
    return Twin(str(write(tmp_path, edited("provider.yaml", SECRET, ONLY_SIGNED))), now="2026-01-01T00:00:00Z")


CREDENTIALS: dict[str, tuple[str, str]] = {
    "no token": ("ann-token", "bad_credential"),
    "another algorithm": (sign({"sub": "ann"}, SIGNING_KEY, "HS256"), "bad_credential"),
    "within the leeway": (sign({"sub": "ann", "exp": NOW - 9}, SIGNING_KEY, "HS512"), ""),
    "expired": (sign({"sub": "ann", "exp": NOW - 99}, SIGNING_KEY, "HS512"), "twice"),
    "early": (sign({"sub": "ann", "nbf": NOW + 99}, SIGNING_KEY, "HS512"), "wrong_state"),
}


@pytest.mark.parametrize(("credential", "kind"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_a_provider_names_its_own_refusals_of_tokens(signed_only: Twin, credential: str, kind: str) -> None:
    answer = signed_only.request("GET", "/jobs", headers={"Authorization": f"Bearer {credential}"})
    assert answer.json().get("error", "") == kind
    assert signed_only.journal.entries()[-1].principal == ("" if kind else "ann")
