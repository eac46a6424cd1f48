"""Who sees and does what in AITasker, in which order a request is refused, and what every answer carries."""

import pytest
from tests.aitasker.buyer import CALLS, DRAFTS, MIN, SEEDED, TASKS, UNKNOWN, fault, patch, rows

from tasktwin.exchange.twin import Twin
from tasktwin.wire import Json

# ── whose tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("method", "action"), CALLS, ids=[f"{method} {action or '/'}" for method, action in CALLS])
@pytest.mark.parametrize(("key", "status"), [("another's", 404), (UNKNOWN, 404), ("zzz", 422)])
def test_another_persons_task_is_as_if_it_were_not_there(
    twin: Twin, method: str, action: str, key: str, status: int
) -> None:
    path = f"{TASKS}/{SEEDED.get(key, key)}{action}"
    answer = twin.request(method, path, json={} if method == "PATCH" else None, as_="poster")
    assert answer.status == status
    assert answer.status == 422 or "not found" in answer.json()["detail"]


def test_a_list_has_only_ones_own_tasks_newest_first(twin: Twin) -> None:
    found = twin.request("GET", TASKS, as_="poster").json()
    assert {each["id"] for each in found} == set(SEEDED.values()) - {SEEDED["another's"]}
    assert [each["created_at"] for each in found] == sorted((each["created_at"] for each in found), reverse=True)
    assert [each["id"] for each in twin.request("GET", TASKS, as_="other").json()] == [SEEDED["another's"]]


@rows(
    [
        ("status=open", {"status": "open"}, ["open"]),
        ("status unknown", {"status": "nope"}, []),
        ("status empty", {"status": ""}, []),
        ("category", {"category": "graphics-design"}, ["draft", "cancelled"]),
        ("status and category", {"category": "graphics-design", "status": "draft"}, ["draft"]),
        ("limit", {"limit": 2}, ["open", "matching"]),
        ("limit lenient", {"limit": "+2.0"}, ["open", "matching"]),
        ("limit and offset", {"limit": 2, "offset": 2}, ["prototyping", "review"]),
        ("offset beyond the end", {"offset": 99999999999999999999}, []),
        ("unknown key", {"sort": "x", "limit": 1}, ["open"]),
    ]
)
def test_a_list_is_filtered_and_cut(twin: Twin, sent: Json, expected: list[str]) -> None:
    answer = twin.request("GET", TASKS, params=sent, as_="poster")
    assert [each["id"] for each in answer.json()] == [SEEDED[state] for state in expected]


@rows(
    [
        ("limit 0", {"limit": 0}, ("greater_than_equal", {"ge": 1})),
        ("limit 101", {"limit": 101}, ("less_than_equal", {"le": 100})),
        ("limit text", {"limit": "abc"}, ("int_parsing", None)),
        ("offset -1", {"offset": -1}, ("greater_than_equal", {"ge": 0})),
    ]
)
def test_a_list_refuses(twin: Twin, sent: Json, expected: Json) -> None:
    assert fault(twin.request("GET", TASKS, params=sent, as_="poster")) == expected


# ── callers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", ["aitk_live_poster", "aitk_test_poster", "person-session"], ids=["live", "test", "jwt"])
def test_keys_of_both_prefixes_and_a_persons_token_are_taken(twin: Twin, key: str) -> None:
    headers = {"Authorization": f"bearer  {key}"}
    assert twin.request("POST", TASKS, json=MIN, headers=headers).status == 201


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dTpw", "Token x", "aitk_live_poster"])
def test_a_request_without_a_bearer_token_is_not_authenticated(twin: Twin, value: str) -> None:
    answer = twin.request("GET", TASKS, headers={"Authorization": value})
    assert (answer.status, answer.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.parametrize("key", ["aitk_live_nobody", "aitk_live_revoked", "ait_developer", "aitk_live_poster2"])
def test_an_unknown_or_revoked_key_is_refused(twin: Twin, key: str) -> None:
    answer = twin.request("GET", TASKS, headers={"Authorization": f"Bearer {key}"})
    assert (answer.status, answer.json()) == (401, {"detail": "Invalid API key"})


@pytest.mark.parametrize(("method", "action"), CALLS, ids=[f"{method} {action or '/'}" for method, action in CALLS])
def test_a_read_only_key_reads_and_nothing_else(twin: Twin, method: str, action: str) -> None:
    path = f"{TASKS}/{SEEDED['review']}{action}"
    answer = twin.request(method, path, json={} if method == "PATCH" else None, as_="reader")
    assert answer.status == (200 if method == "GET" else 403)


@pytest.mark.parametrize("path", [TASKS, DRAFTS])
def test_a_read_only_key_makes_nothing(twin: Twin, path: str) -> None:
    answer = twin.request("POST", path, json=MIN, as_="reader")
    assert (answer.status, answer.json()) == (403, {"detail": "the credential lacks the scope tasks:write"})


def test_an_agent_managers_key_is_not_for_tasks(twin: Twin) -> None:
    headers = {"Authorization": "Bearer aitk_live_agents"}
    assert twin.request("GET", TASKS, headers=headers).status == 403
    assert twin.request("GET", "/api/v1/categories", headers=headers).status == 200


# ── order, routes, rate limits ──────────────────────────────────────────────────────────────────────────────────────────


@rows(
    [
        ("malformed: fastapi", b"{", (422, "json_invalid")),
        ("not utf-8: fastapi", b"\xff", (400, None)),
        ("invalid: fastapi", b"{}", (401, None)),
        ("absent: fastapi", b"", (401, None)),
    ]
)
def test_a_body_without_a_token(twin: Twin, sent: bytes, expected: Json) -> None:
    answer = twin.request("POST", TASKS, content=sent, headers={"Content-Type": "application/json"})
    detail = answer.json()["detail"]
    assert (answer.status, None if isinstance(detail, str) else detail[0]["type"]) == expected


def test_faults_of_the_path_come_before_those_of_the_body_in_one_list(twin: Twin) -> None:
    answer = patch(twin, {"budget_usd": 2, "title": 5}, "zzz")
    places = [["path", "task_id"], ["body", "title"], ["body", "budget_usd"]]
    assert (answer.status, [each["loc"] for each in answer.json()["detail"]]) == (422, places)


@pytest.mark.parametrize("path", [TASKS, f"{TASKS}/{SEEDED['open']}", "/api/v1/nope", "/health"])
def test_a_trailing_slash_is_redirected_where_there_is_something(twin: Twin, path: str) -> None:
    answer = twin.request("GET", f"{path}/?limit=5")
    if path == "/api/v1/nope":
        assert (answer.status, answer.json()) == (404, {"detail": "Not Found"})
    else:
        assert (answer.status, answer.headers["location"]) == (307, f"http://localhost{path}?limit=5")


def test_a_wrong_method_is_refused(twin: Twin) -> None:
    answer = twin.request("DELETE", TASKS)
    assert (answer.status, answer.json()) == (405, {"detail": "Method Not Allowed"})


ANSWERS: list[tuple[str, str, str, int]] = [
    ("GET", TASKS, "poster", 200), ("POST", TASKS, "poster", 422), ("GET", TASKS, "", 401),
    ("GET", f"{TASKS}/zzz", "poster", 422), ("GET", f"{TASKS}/{UNKNOWN}", "poster", 404), ("GET", "/nope", "", 404),
    ("GET", f"{TASKS}/", "", 307), ("DELETE", TASKS, "", 405), ("POST", f"{TASKS}/{SEEDED['open']}/publish", "poster", 409),
    ("POST", f"{TASKS}/{SEEDED['open']}/cancel", "reader", 403), ("GET", "/api/v1/categories", "poster", 200),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "who", "status"),
    [pytest.param(*each, id=f"{each[3]} {each[0]} {each[1]}") for each in ANSWERS],
)
def test_every_answer_tells_the_rate_limit(twin: Twin, method: str, path: str, who: str, status: int) -> None:
    answer = twin.request(method, path, as_=who)
    assert answer.status == status
    limit, left = (int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining"))
    assert limit - left == 1


@rows(
    [
        ("POST /api/v1/tasks: stated", ("POST", TASKS), 60),
        ("reads of tasks: stated", ("GET", f"{TASKS}/{SEEDED['open']}"), 300),
        ("most paths: stated", ("GET", "/api/v1/categories"), 300),
        ("webhooks: stated", ("POST", "/api/v1/webhooks"), 100),
        ("brief/generate: stated", ("POST", "/api/v1/brief/generate"), 10),
        ("brief/suggestions: stated", ("POST", "/api/v1/brief/suggestions"), 60),
        ("signature/tagline: stated", ("POST", "/api/v1/signature/tagline"), 10),
        ("signature/scrape-website: stated", ("POST", "/api/v1/signature/scrape-website"), 5),
    ]
)
def test_the_limit_of_a_path_counts_down_for_all_keys_of_an_address(twin: Twin, sent: Json, expected: int) -> None:
    left = []
    for who in ("poster", "other", ""):
        answer = twin.request(*sent, as_=who)
        left.append((int(answer.headers["X-RateLimit-Limit"]), int(answer.headers["X-RateLimit-Remaining"])))
    assert left == [(expected, expected - n) for n in (1, 2, 3)]


def test_the_count_begins_again_with_the_next_window(twin: Twin) -> None:
    for _ in range(3):
        twin.request("GET", TASKS, as_="poster")
    twin.advance(60)
    assert twin.request("GET", TASKS, as_="poster").headers["X-RateLimit-Remaining"] == "299"


@pytest.mark.parametrize("path", ["/health", "/openapi.json"])
def test_what_is_exempt_needs_no_key_and_counts_nothing(twin: Twin, path: str) -> None:
    answer = twin.request("GET", path)
    assert (answer.status, "X-RateLimit-Limit" in answer.headers) == (200, False)


def test_the_categories_are_those_that_the_client_reads(twin: Twin) -> None:
    answer = twin.request("GET", "/api/v1/categories", as_="poster").json()
    found = {each["slug"]: each["task_types"] for each in answer["categories"]}
    assert len(found) == 7
    assert {"blog-post", "article", "copywriting"} <= set(found["writing-translation"])
    assert {"data-analysis", "spreadsheet"} <= set(found["data"])
    assert twin.request("GET", "/api/v1/categories").status == 401
