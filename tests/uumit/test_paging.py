"""The envelope around every answer, lists in pages, and the slash at the end of a path."""

import pytest
from tests.uumit.calls import INVALID, NOT_FOUND, SKILLS, TASKS, TRANSACTIONS, WALLET, Data, data, get, make_task, told

from tasktwin import Twin

NOW = 1_767_225_600
LISTS = [
    f"{TASKS}/",
    f"{TASKS}/hall",
    f"{TASKS}/applications/mine",
    f"{TASKS}/10000000-0000-4000-8000-000000000009/applications",
    f"{TASKS}/10000000-0000-4000-8000-000000000009/recommendations",
    f"{SKILLS}/",
    f"{SKILLS}/hall",
    "/api/v1/capabilities",
    TRANSACTIONS,
    f"{WALLET}/transactions",
]
ENVELOPES = {
    "success": (f"{WALLET}/", {}, 200),
    "refusal": (f"{TASKS}/nothing", {}, 404),
    "no credentials": (f"{WALLET}/", {"X-Api-Key": ""}, 401),
    "no such path": ("/api/v1/nothing", {}, 404),
    "a bad parameter": (f"{TASKS}/?page=0", {}, 422),
}
PAGES = {
    "first of three": (1, 2, 2, True),
    "second of three": (2, 2, 2, True),
    "last, not full": (3, 2, 1, False),
    "beyond the last": (4, 2, 0, False),
    "all on one": (1, 5, 5, False),
    "one short of all": (1, 4, 4, True),
    "one a page, the last": (5, 1, 1, False),
    "the largest page": (1, 100, 5, False),
    "far beyond": (1_000_000, 100, 0, False),
}
BAD = [
    "page=0",
    "page=-1",
    "page=two",
    "page=1.5",
    "page=1000001",
    "page_size=0",
    "page_size=101",
    "page_size=",
    "page=1_0",
]


@pytest.mark.parametrize(("path", "headers", "status"), ENVELOPES.values(), ids=ENVELOPES)
def test_every_answer_has_the_four_fields(twin: Twin, path: str, headers: dict[str, str], status: int) -> None:
    answer = twin.request("GET", path, headers=headers, as_="agent_ada")
    said = answer.json()
    assert answer.status == status
    assert list(said) == ["code", "message", "data", "timestamp"]
    assert (said["code"] == 0) == (status == 200)
    assert said["timestamp"] == NOW
    assert (said["data"] is None) == (status != 200)


def test_success_is_code_zero_and_the_word_success(twin: Twin) -> None:
    said = twin.request("GET", WALLET, as_="agent_ada").json()
    assert (said["code"], said["message"]) == (0, "success")


def test_the_timestamp_follows_the_clock_in_whole_seconds(twin: Twin) -> None:
    twin.advance(90.9)
    assert twin.request("GET", WALLET, as_="agent_ada").json()["timestamp"] == NOW + 90


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_pages_of_twenty_from_one(twin: Twin, path: str) -> None:
    page = data(get(twin, "agent_ada", path))
    assert list(page) == ["items", "total", "page", "page_size", "has_more"]
    assert (page["page"], page["page_size"]) == (1, 20)
    assert page["total"] == len(page["items"])
    assert page["has_more"] is False


@pytest.fixture
def five(twin: Twin) -> list[str]:
    """Five tasks that Ada has just closed, newest first."""
    keys = [make_task(twin, "agent_ada", title=f"Task {n}", bounty_amount="1") for n in range(5)]
    for key in keys:
        assert twin.request("POST", f"{TASKS}/{key}/close", as_="agent_ada").status == 200
    return keys[::-1]


@pytest.mark.parametrize(("page", "size", "held", "more"), PAGES.values(), ids=PAGES)
def test_a_page_says_what_it_holds_and_what_is_left(
    twin: Twin, five: list[str], page: int, size: int, held: int, *, more: bool
) -> None:
    found = data(get(twin, "agent_ada", TASKS, status="closed", page=page, page_size=size))
    assert [item["id"] for item in found["items"]] == five[(page - 1) * size :][:held]
    assert (found["total"], found["page"], found["page_size"], found["has_more"]) == (5, page, size, more)


@pytest.mark.parametrize("query", BAD)
@pytest.mark.parametrize("path", [TASKS, f"{TASKS}/hall", f"{WALLET}/transactions"])
def test_a_page_that_cannot_be_is_refused(twin: Twin, path: str, query: str) -> None:
    assert told(twin.request("GET", f"{path}?{query}", as_="agent_ada")) == INVALID


@pytest.mark.parametrize("status", ["draft", "open", "matched", "closed", "cancelled", "expired"])
def test_a_list_can_be_of_one_status(twin: Twin, status: str) -> None:
    found = data(get(twin, "agent_ada", TASKS, status=status))
    assert {item["status"] for item in found["items"]} <= {status}
    everything = data(get(twin, "agent_ada", TASKS))["items"]
    assert found["total"] == sum(item["status"] == status for item in everything)


def test_an_unknown_status_is_refused(twin: Twin) -> None:
    assert told(get(twin, "agent_ada", TASKS, status="pending")) == INVALID


SEARCHES: dict[str, tuple[Data, set[str]]] = {
    "a word of the title in any case": ({"keyword": "INVOICES"}, {"Extract fields from 500 invoices"}),
    "a word of the description": ({"keyword": "json"}, {"Extract fields from 500 invoices"}),
    "exactly this category": ({"category": "data"}, {"Label 2,000 product photos"}),
    "part of a category": ({"category": "dat"}, set()),
    "nowhere": ({"keyword": "zebra"}, set()),
    "offline": ({"mode": "offline"}, set()),
    "another status": ({"status": "matched"}, set()),
    "two at once": ({"keyword": "one", "category": "data"}, {"Label 2,000 product photos"}),
}


@pytest.mark.parametrize(("query", "titles"), SEARCHES.values(), ids=SEARCHES)
def test_the_hall_can_be_searched(twin: Twin, query: Data, titles: set[str]) -> None:
    page = data(get(twin, "agent_otto", f"{TASKS}/hall", **query))
    assert {item["title"] for item in page["items"]} == titles
    assert page["total"] == len(titles)


READS = [
    *LISTS,
    f"{WALLET}/",
    "/api/v1/capabilities/cap_ocr_invoice_v1",
    "/api/v1/public/community-stats",
    "/openapi.json",
]


@pytest.mark.parametrize("path", READS)
def test_a_slash_at_the_end_makes_no_difference(twin: Twin, path: str) -> None:
    bare = path.rstrip("/")
    one, other = (twin.request("GET", each, as_="agent_ada") for each in (bare, f"{bare}/"))
    assert one.status == 200
    assert one.content == other.content


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TASKS, {"title": "t", "description": "d", "bounty_amount": 1, "delivery_hours": 1}),
        (TRANSACTIONS, {"capability_id": "cap_ocr_invoice_v1"}),
        (f"{TASKS}/10000000-0000-4000-8000-000000000009/close", None),
        ("/a2a", {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": "x"}}),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_writes_take_the_slash_too(twin: Twin, path: str, body: object, slash: str) -> None:
    assert twin.request("POST", path + slash, json=body, as_="agent_ada").status == 200


def test_a_path_with_two_slashes_is_another_one(twin: Twin) -> None:
    assert told(twin.request("GET", f"{TASKS}//", as_="agent_ada")) == NOT_FOUND
