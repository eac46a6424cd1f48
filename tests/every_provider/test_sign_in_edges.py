"""Who is not let in, everywhere and by every way: each provider's own code and body, and nothing changes."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import TypeAlias

import pytest

from tasktwin import Twin, load
from tasktwin.behaviour.signed import sign
from tasktwin.contract import Operation
from tasktwin.exchange.twin import Answer
from tasktwin.state import Query
from tasktwin.wire import Json

Headers: TypeAlias = dict[str, str]
Told: TypeAlias = tuple[int, Json]

AT = "2026-05-12T09:30:00Z"
NOW = int(datetime.fromisoformat(AT).timestamp())
NOBODY = "99999999-9999-4999-8999-999999999999"

provider_of = cache(load)


def make_twin(name: str) -> Twin:
    return Twin(provider_of(name), now=AT, clock="frozen")


def kept(twin: Twin) -> Json:
    """All that a refusal must leave as it is: rows, and what is due next."""
    store = twin.world.store
    rows = {name: list(store.find(Query(name))) for name in twin.provider.rules.collections}
    return rows, store.next_due(), store.sizes()


def bearer(credential: str) -> Headers:
    return {"Authorization": f"Bearer {credential}"}


def told(answer: Answer) -> Told:
    """Status and body; of what is no JSON the bytes."""
    plain = not answer.content or not answer.headers["content-type"].endswith("json")
    return answer.status, answer.content if plain else answer.json()


# ── how each provider says it ────────────────────────────────────────────────────────────────────────────────────────


def uumit(status: int, code: int, message: str, data: Json = None) -> Told:
    return status, {"code": code, "message": message, "data": data, "timestamp": NOW}


def unauthenticated(message: str, data: Json = None) -> Told:
    return uumit(401, 1002, f"authentication failed: {message}", data)


def aitasker(status: int, detail: str) -> Told:
    return status, {"detail": detail}


def posthog(status: int, code: str, detail: str, kind: str = "authentication_error") -> Told:
    return status, {"type": kind, "code": code, "detail": detail, "attr": None}


ALICE, ADA = "b0000000-0000-4000-8000-0000000000b1", "a0000000-0000-4000-8000-0000000000a1"
SIGNING_KEY = provider_of("uumit").data["sign_in"][1]["look_ups"][0]["jwt"]["key"]
AGENT = {"X-Api-Key": "uuagent_sk_demo", "X-Platform-User-Id": ADA}


def jwt(key: str = SIGNING_KEY, algorithm: str = "HS256", **claims: Json) -> Headers:
    return bearer(sign({"sub": ALICE, "exp": NOW + 60, **claims}, key, algorithm))


def person(*, key: str = SIGNING_KEY, algorithm: str = "HS256", **claims: Json) -> Headers:
    return jwt(key, algorithm, aud="authenticated", **claims)


U_NOTHING = unauthenticated("send ApiKey and PlatformUser or Bearer")
U_TOKEN = unauthenticated("the credential Bearer is not known", "Bearer")
U_KEY = uumit(401, 1006, "invalid API key: the credential ApiKey is not known", "ApiKey")
U_LINK = uumit(403, 1007, "user not bound to platform: the credential PlatformUser is not known", "PlatformUser")
A_NOTHING = aitasker(401, "Not authenticated")
A_KEY = aitasker(401, "Invalid API key")
A_EXPIRED = aitasker(401, "Invalid token: the token has expired")
P_NOTHING = posthog(403, "not_authenticated", "Authentication credentials were not provided.")
P_KEY = posthog(403, "authentication_failed", "Personal API key found in request Authorization header is invalid.")

Edges: TypeAlias = dict[str, tuple[Headers, Told]]

EVERYWHERE: dict[str, Edges] = {
    "uumit": {
        "nothing": ({}, U_NOTHING),
        "another scheme": ({"Authorization": "Basic dTpw"}, U_NOTHING),
        "an unknown token": (bearer("nobody"), U_TOKEN),
        "an expired token": (jwt(exp=NOW), unauthenticated("the token has expired")),
        "an unknown key": ({**AGENT, "X-Api-Key": "nobody"}, U_KEY),
        "a user of another platform": ({**AGENT, "X-Api-Key": "uuagent_sk_other"}, U_LINK),
    },
    "aitasker": {
        "nothing": ({}, A_NOTHING),
        "another scheme": ({"Authorization": "Basic dTpw"}, A_NOTHING),
        "an unknown key": (bearer("aitk_live_nobody"), A_KEY),
        "a revoked key": (bearer("aitk_live_revoked"), A_KEY),
        "an expired token": (person(exp=NOW), A_EXPIRED),
    },
    "posthog": {
        "nothing": ({}, P_NOTHING),
        "another scheme": ({"Authorization": "Basic dTpw"}, P_NOTHING),
        "an unknown key": (bearer("phx_nobody"), P_KEY),
    },
}

MORE: dict[str, Edges] = {
    "uumit": {
        "an empty header": ({"Authorization": ""}, U_NOTHING),
        "a word alone": ({"Authorization": "Bearer "}, U_NOTHING),
        "a token alone": ({"Authorization": "human-alice-token"}, U_NOTHING),
        "a token behind another word": ({"Authorization": "Token human-alice-token"}, U_NOTHING),
        "a token and more": (bearer("human-alice-token x"), U_TOKEN),
        "a key without its user": ({"X-Api-Key": "uuagent_sk_demo"}, unauthenticated("the credential PlatformUser is missing")),
        "a user without a key": ({"X-Platform-User-Id": ADA}, U_NOTHING),
        "a suspended platform": ({**AGENT, "X-Api-Key": "uuagent_sk_suspended"}, U_KEY),
        "a person behind a key": ({**AGENT, "X-Platform-User-Id": ALICE}, U_LINK),
        "nobody behind a key": ({**AGENT, "X-Platform-User-Id": NOBODY}, U_LINK),
        "an unknown key beside a good token": ({**jwt(), "X-Api-Key": "nobody", "X-Platform-User-Id": ADA}, U_KEY),
        "not yet valid": (jwt(nbf=NOW + 1), unauthenticated("the token is not valid yet")),
        "another signing key": (jwt("x" * 64), unauthenticated("the token's signature does not fit")),
        "another algorithm": (jwt(algorithm="HS512"), unauthenticated("the token is not signed with HS256")),
        "unsigned": (jwt(algorithm="none"), unauthenticated("the token is not signed with HS256")),
        "three parts of nothing": (bearer("a.b.c"), unauthenticated("the token cannot be read")),
        "an end that is no time": (jwt(exp="soon"), unauthenticated("the token's exp is no number of seconds")),
        "a withdrawn token": (jwt(jti="withdrawn"), unauthenticated("the credential Bearer was withdrawn", "Bearer")),
        "a token of nobody": (jwt(sub=NOBODY), U_TOKEN),
        "a token for another audience": (jwt(aud="shop"), unauthenticated("the token is of another issuer, or for another audience")),
    },
    "aitasker": {
        "an empty header": ({"Authorization": ""}, A_NOTHING),
        "a word alone": ({"Authorization": "Bearer "}, A_NOTHING),
        "a key alone": ({"Authorization": "aitk_live_poster"}, A_NOTHING),
        "a key behind another word": ({"Authorization": "Token aitk_live_poster"}, A_NOTHING),
        "a key and more": (bearer("aitk_live_poster x"), A_KEY),
        "a developer's key": (bearer("ait_developer"), A_KEY),
        "the key's beginning": (bearer("aitk_live_poste"), A_KEY),
        "an expired token": (person(exp=NOW), A_EXPIRED),
        "a token not yet valid": (person(nbf=NOW + 1), aitasker(401, "Invalid token: the token is not valid yet")),
        "another signing key": (person(key="x" * 64), aitasker(401, "Invalid token: the token's signature does not fit")),
        "unsigned": (person(algorithm="none"), aitasker(401, "Invalid token: the token is not signed with HS256")),
        "a token for nobody in particular": (jwt(), aitasker(401, "Invalid token: the token is of another issuer, or for another audience")),
    },
    "posthog": {
        "an empty header": ({"Authorization": ""}, P_NOTHING),
        "a word alone": ({"Authorization": "Bearer "}, P_NOTHING),
        "a key alone": ({"Authorization": "phx_ada_all"}, P_NOTHING),
        "a key behind another word": ({"Authorization": "Token phx_ada_all"}, P_NOTHING),
        "a key and more": (bearer("phx_ada_all x"), P_KEY),
        "an unknown key that the query would mend": (bearer("phx_nobody"), P_KEY),
        "a key for another subject": (bearer("phx_ada_insights"), posthog(403, "permission_denied", "API key missing required scope 'task:read'")),
        "a key for another project": (bearer("phx_ada_beta"), posthog(403, "permission_denied", "API key does not have access to the requested project: ID 1.")),
    },
}  # fmt: skip

VALUES: dict[str, dict[str, str]] = {
    "uumit": {
        "task_id": "10000000-0000-4000-8000-000000000001",
        "app_id": "30000000-0000-4000-8000-000000000001",
        "skill_id": "20000000-0000-4000-8000-000000000003",
        "cap_id": "cap_ocr_invoice_v1",
        "tx_id": "40000000-0000-4000-8000-000000000001",
    },
    "aitasker": {
        "task_id": "10000000-0000-4000-8000-000000000005",
        "bid_id": "30000000-0000-4000-8000-000000000001",
    },
    "posthog": {
        "project_id": "1",
        "task_id": "10000000-0000-4000-8000-000000000003",
        "run_id": "20000000-0000-4000-8000-000000000004",
    },
}
"""Rows of the first demo caller, by the name of the parameter that leads to them."""

READS = {"uumit": "listTasks", "aitasker": "listTasks", "posthog": "listTasks"}


def path_of(name: str, operation: Operation) -> str:
    path = operation.path
    for parameter, value in VALUES[name].items():
        path = path.replace(f"{{{parameter}}}", value)
    return path


def secured(name: str) -> Iterator[Operation]:
    return (each for each in provider_of(name).rules.contract.operations.values() if each.security)


# ── strangers to the provider ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "operation", "headers", "expected"),
    [
        pytest.param(name, operation, *edge, id=f"{name}-{operation.id}-{label}")
        for name, edges in EVERYWHERE.items()
        for operation in secured(name)
        for label, edge in edges.items()
    ],
)
def test_no_operation_lets_a_stranger_in(name: str, operation: Operation, headers: Headers, expected: Told) -> None:
    twin = make_twin(name)
    before = kept(twin)
    assert told(twin.request(operation.method, path_of(name, operation), headers=headers)) == expected
    assert kept(twin) == before


@pytest.mark.parametrize(
    ("name", "headers", "expected"),
    [pytest.param(name, *edge, id=f"{name}-{label}") for name, edges in MORE.items() for label, edge in edges.items()],
)
def test_what_is_sent_wrongly_is_told_in_the_providers_words(name: str, headers: Headers, expected: Told) -> None:
    twin = make_twin(name)
    read = provider_of(name).rules.contract.operations[READS[name]]
    assert told(twin.request("GET", path_of(name, read), headers=headers)) == expected


WORDS = {
    "uumit": "human-alice-token",
    "aitasker": "aitk_live_poster",
    "posthog": "phx_ada_all",
}


@pytest.mark.parametrize(("name", "credential"), WORDS.items(), ids=WORDS)
@pytest.mark.parametrize("word", ["bearer ", "BEARER ", "Bearer  "], ids=["lower", "upper", "two spaces"])
def test_the_word_before_a_credential_may_be_spelled_otherwise(name: str, credential: str, word: str) -> None:
    read = provider_of(name).rules.contract.operations[READS[name]]
    answer = make_twin(name).request("GET", path_of(name, read), headers={"Authorization": word + credential})
    assert answer.status == 200


def test_a_key_that_was_deleted_is_unknown() -> None:
    twin = make_twin("posthog")
    twin.world.store.delete("api_key", "40000000-0000-4000-8000-000000000001")
    assert told(twin.request("GET", "/api/projects/1/tasks/", headers=bearer("phx_ada_all"))) == P_KEY


PLACES = {
    "query": ({"params": {"personal_api_key": "phx_nobody"}}, "request query string"),
    "body": ({"json": {"personal_api_key": "phx_nobody"}}, "request body"),
    "header before body": (
        {"json": {"personal_api_key": "phx_ada_all"}, "headers": bearer("phx_nobody")},
        "request Authorization header",
    ),
}


@pytest.mark.parametrize(("sent", "place"), PLACES.values(), ids=PLACES)
def test_a_wrong_key_is_told_with_its_place(sent: dict[str, Json], place: str) -> None:
    answer = make_twin("posthog").request("POST", "/api/projects/1/tasks/summaries/", **sent)
    assert told(answer) == posthog(403, "authentication_failed", f"Personal API key found in {place} is invalid.")


# ── scopes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def lacking(name: str, scope: str) -> Told:
    if name == "posthog":
        return posthog(403, "permission_denied", f"API key missing required scope '{scope}'")
    return aitasker(403, f"the credential lacks the scope {scope}")


SCOPED = {
    "aitasker": {"read": "tasks:read", "write": "tasks:write"},
    "posthog": {"read": "task:read", "write": "task:write"},
}
READERS = {"aitasker": "reader", "posthog": "ada_reader"}
NO_SCOPES = {"aitasker": bearer("aitk_live_agents"), "posthog": bearer("phx_ada_insights")}
NEEDS = [
    pytest.param(name, operation, scope, id=f"{name}-{operation.id}")
    for name in SCOPED
    for operation in secured(name)
    for scope in {scope for each in operation.security for _, scopes in each for scope in scopes}
]


@pytest.mark.parametrize(("name", "operation", "scope"), NEEDS)
def test_a_key_without_any_of_the_scopes_is_refused(name: str, operation: Operation, scope: str) -> None:
    twin = make_twin(name)
    before = kept(twin)
    answer = twin.request(operation.method, path_of(name, operation), headers=NO_SCOPES[name])
    assert told(answer) == lacking(name, scope)
    assert kept(twin) == before


@pytest.mark.parametrize(("name", "operation", "scope"), NEEDS)
def test_a_key_that_may_read_is_refused_exactly_where_something_is_written(
    name: str, operation: Operation, scope: str
) -> None:
    twin = make_twin(name)
    before = kept(twin)
    answer = twin.request(operation.method, path_of(name, operation), as_=READERS[name])
    assert (told(answer) == lacking(name, scope)) is (scope == SCOPED[name]["write"])
    assert kept(twin) == before


# ── somebody else's ──────────────────────────────────────────────────────────────────────────────────────────────────

NOT_FOUND = {
    "uumit task": uumit(404, 1004, "resource not found: there is no such task"),
    "uumit skill": uumit(404, 1004, "resource not found: there is no such skill"),
    "aitasker": aitasker(404, "Task not found"),
    "posthog": posthog(404, "not_found", "Not found.", "invalid_request"),
    "posthog run": posthog(404, "not_found", "Task not found", "invalid_request"),
}


def theirs(role: str) -> Told:
    return uumit(403, 1003, f"insufficient permissions: only {role} may do this")


SENT: dict[str, Json] = {
    "publishTaskDraft": {"delivery_hours": 24},
    "reuseTask": {"delivery_hours": 24},
    "pushSkill": {"skill_id": "20000000-0000-4000-8000-000000000003"},
    "selectSkill": {"skill_id": "20000000-0000-4000-8000-000000000003"},
    "submitApplication": {"skill_id": "20000000-0000-4000-8000-000000000003"},
    "setPresence": {"device_id": "30000000-0000-4000-8000-000000000003"},
    "clearPresence": {"device_id": "30000000-0000-4000-8000-000000000003"},
    "setRunOutput": {"output": {}},
    "appendRunLog": {"entries": [{}]},
    "relayRunMessage": {"text": "Hello"},
    "sendRunCommand": {"jsonrpc": "2.0", "method": "cancel", "params": {}, "id": 1},
    "addRunArtifacts": {"artifacts": [{"name": "a.txt", "type": "output", "content": "a"}]},
    "presignRunArtifact": {"storage_path": "x"},
    "downloadRunArtifact": {"storage_path": "x"},
    "prepareRunArtifacts": {"artifacts": [{"name": "a.txt", "type": "output", "size": 1}]},
    "finalizeRunArtifacts": {"artifacts": [{"id": "x", "name": "a.txt", "type": "output", "storage_path": "x"}]},
    "prepareStagedArtifacts": {"artifacts": [{"name": "a.txt", "type": "user_attachment", "size": 1}]},
    "finalizeStagedArtifacts": {
        "artifacts": [{"id": "x", "name": "a.txt", "type": "user_attachment", "storage_path": "x"}]
    },
}


def body_of(operation: Operation) -> Json:
    return SENT.get(operation.id, {} if operation.method in ("POST", "PUT", "PATCH") else None)


STRANGERS = {"aitasker": "other", "posthog": "ben"}


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        pytest.param(name, operation, id=f"{name}-{operation.id}")
        for name in STRANGERS
        for operation in secured(name)
        if "{task_id}" in operation.path
    ],
)
def test_another_persons_task_is_not_there(name: str, operation: Operation) -> None:
    twin = make_twin(name)
    before = kept(twin)
    answer = twin.request(operation.method, path_of(name, operation), json=body_of(operation), as_=STRANGERS[name])
    assert told(answer) in (NOT_FOUND[name], NOT_FOUND.get(f"{name} run"))
    assert kept(twin) == before


OPEN_TO_ALL = {"getTask", "submitApplication", "getCapability", "getSkill"}
"""What the other callers of one's own side may do with a task, and what belongs to nobody alone."""

ROLES = {
    "withdrawApplication": "applicant",
    "getTransaction": "buyer or seller",
    "freezeTransaction": "buyer",
    "confirmTransaction": "buyer",
    "cancelTransaction": "buyer",
    "acceptTransaction": "seller",
    "rejectTransaction": "seller",
    "deliverTransaction": "seller",
}
BY_ID = [each for each in secured("uumit") if "{" in each.path]
TASKS_BY_ID = [each for each in BY_ID if "{task_id}" in each.path or "{skill_id}" in each.path]


@pytest.mark.parametrize("operation", [pytest.param(each, id=each.id) for each in BY_ID if each.id not in OPEN_TO_ALL])
def test_what_belongs_to_others_is_theirs_to_change(operation: Operation) -> None:
    twin = make_twin("uumit")
    who = "human_alice" if operation.id == "withdrawApplication" else "human_bob"
    before = kept(twin)
    answer = twin.request(operation.method, path_of("uumit", operation), json=body_of(operation), as_=who)
    assert told(answer) == theirs(ROLES.get(operation.id, "poster"))
    assert kept(twin) == before


@pytest.mark.parametrize("who", ["agent_ada", "agent_otto"])
@pytest.mark.parametrize("operation", [pytest.param(each, id=each.id) for each in TASKS_BY_ID])
def test_what_belongs_to_the_other_side_is_not_there(operation: Operation, who: str) -> None:
    twin = make_twin("uumit")
    before = kept(twin)
    body = {"skill_id": "20000000-0000-4000-8000-000000000004"} if "Skill" in operation.id else body_of(operation)
    answer = twin.request(operation.method, path_of("uumit", operation), json=body, as_=who)
    assert told(answer) == NOT_FOUND["uumit skill" if operation.id == "getSkill" else "uumit task"]
    assert kept(twin) == before


def test_a_signed_token_has_the_tasks_of_its_person() -> None:
    twin = make_twin("aitasker")
    seen = {
        sub: {each["user_id"] for each in twin.request("GET", "/api/v1/tasks", headers=person(sub=sub)).json()}
        for sub in ("b0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002", NOBODY)
    }
    assert seen == {sub: {sub} - {NOBODY} for sub in seen}


SIDES = {"in the body": ({"owner_type": "agent"}, ""), "in the query": ({}, "?owner_type=agent")}


@pytest.mark.parametrize(("more", "query"), SIDES.values(), ids=SIDES)
def test_a_signed_token_does_not_change_sides(more: dict[str, Json], query: str) -> None:
    body = {"title": "Read", "description": "All.", "bounty_amount": "1.00", "delivery_hours": 24, **more}
    made = make_twin("uumit").request("POST", f"/api/v1/tasks/{query}", json=body, headers=jwt(owner_type="agent"))
    assert made.json()["data"]["owner_type"] == "human"
