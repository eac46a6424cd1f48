"""Signed tokens that the control plane makes, and what the API says to them."""

import jwt
import pytest
from tests.server.front import ALICES_TASK, TASKS, World, ask, assert_problem, serving

from tasktwin.wire import Json, dumps

ALICE = "b0000000-0000-4000-8000-0000000000b1"
ADA = "a0000000-0000-4000-8000-0000000000a1"
WALLET = "/api/v1/wallet/"
NOW = 1_767_225_600
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def still(world: World) -> World:
    """A world whose clock stands still at the beginning of 2026."""
    begin = {"name": world.name, "now": "2026-01-01T00:00:00Z", "mode": "frozen"}
    assert ask(world.origin, "POST", "/_tasktwin/worlds", JSON, dumps(begin)).status == 201
    return world


def token(world: World, **asked: Json) -> Json:
    answer = world.control.post("/tokens", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_token_says_who_it_is_and_when_it_ends_by_the_worlds_clock(still: World) -> None:
    made = token(still, principal="human_alice")
    assert jwt.decode(made["token"], options={"verify_signature": False}) == made["claims"]
    assert made["claims"] == {"sub": ALICE, "iat": NOW, "exp": NOW + 3600}
    assert made["expires_at"] == "2026-01-01T01:00:00Z"
    assert made["headers"] == {"Authorization": f"Bearer {made['token']}"}
    assert token(still, principal="human_alice") == made


def test_a_token_lets_its_person_in_until_it_ends(still: World) -> None:
    headers = token(still, principal="human_alice", expires_in=30)["headers"]
    assert still.api.get(TASKS + ALICES_TASK, headers=headers).json()["data"]["user_id"] == ALICE
    still.control.post("/clock", json={"advance": 30})
    assert still.api.get(TASKS + ALICES_TASK, headers=headers).json()["message"].endswith("the token has expired")


WISHES: dict[str, tuple[dict[str, Json], int]] = {
    "good": ({}, 200),
    "without an end": ({"expires_in": None}, 200),
    "half a second": ({"expires_in": 0.5}, 200),
    "somebody else": ({"claims": {"sub": ADA}}, 200),
    "other claims": ({"claims": {"iss": "https://example.org", "jti": "t1", "roles": [1]}}, 200),
    "over": ({"expires_in": -1}, 401),
    "over now": ({"expires_in": 0}, 401),
    "an end of one's own": ({"claims": {"exp": NOW - 1}}, 401),
    "not yet good": ({"claims": {"nbf": NOW + 60}}, 401),
    "another key": ({"key": "other"}, 401),
    "another algorithm": ({"algorithm": "HS512"}, 401),
    "unsigned": ({"algorithm": "none"}, 401),
    "nobody": ({"claims": {"sub": "nobody"}}, 401),
    "a list for a person": ({"claims": {"sub": [ALICE]}}, 401),
    "withdrawn": ({"claims": {"jti": "withdrawn"}}, 401),
    "for another audience": ({"claims": {"aud": "shop"}}, 401),
}


@pytest.mark.parametrize(("asked", "status"), WISHES.values(), ids=WISHES)
def test_a_token_is_made_as_asked_for_and_meets_what_it_deserves(
    still: World, asked: dict[str, Json], status: int
) -> None:
    made = token(still, principal="human_alice", **asked)
    assert still.api.get(WALLET, headers=made["headers"]).status_code == status


@pytest.mark.parametrize("exp", ["soon", None, True, 1e300], ids=["text", "null", "true", "no date"])
def test_an_end_that_is_no_time_is_not_told_as_one(still: World, exp: Json) -> None:
    assert token(still, principal="human_alice", claims={"exp": exp})["expires_at"] is None


REFUSED: dict[str, tuple[dict[str, Json], int, str]] = {
    "an unknown caller": ({"principal": "nobody"}, 404, "known are human_alice"),
    "an unknown key": ({"who": "human_alice"}, 400, "/who"),
    "an unknown algorithm": ({"algorithm": "RS256"}, 400, "/algorithm"),
    "an end beyond all time": ({"expires_in": 1e12}, 400, "/expires_in"),
    "claims that are no object": ({"claims": []}, 400, "/claims"),
    "a key that cannot sign": (
        {"key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"},
        400,
        "cannot be signed",
    ),
}


@pytest.mark.parametrize(("asked", "status", "told"), REFUSED.values(), ids=REFUSED)
def test_a_wish_that_cannot_be_met_is_refused(world: World, asked: dict[str, Json], status: int, told: str) -> None:
    assert told in assert_problem(world.control.post("/tokens", json=asked), status)["detail"]


def test_a_token_is_of_its_worlds_time(still: World, origin: str) -> None:
    made = token(still, principal="human_alice")
    assert ask(origin, "GET", WALLET, made["headers"]).status == 401  # the default world is in the present


def test_making_tokens_changes_nothing(still: World) -> None:
    before = still.evidence()
    token(still, principal="human_alice")
    assert still.evidence() == before
    assert still.entries() == []


def test_the_journal_does_not_keep_a_token(still: World) -> None:
    made = token(still, principal="human_alice")
    still.api.get(WALLET, headers=made["headers"])
    assert made["token"] not in still.control.get("/journal").text


def test_a_provider_without_signed_tokens_says_so() -> None:
    with serving("posthog", "--quiet") as (url, _process):
        body = b'{"principal": "ada"}'
        answer = ask(url, "POST", "/_tasktwin/tokens", JSON, body)
        assert "takes no signed tokens" in assert_problem(answer, 409)["detail"]
