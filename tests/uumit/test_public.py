"""What anybody may ask: the counts of the community (S3) and the document (S0)."""

import pytest
from tests.uumit.calls import TRANSACTIONS, buy, data, post

from tasktwin import Twin

STATS = "/api/v1/public/community-stats"
VERBS = {"get", "put", "post", "delete", "patch"}


def test_the_stats_need_no_credentials_and_have_the_vendors_fields(twin: Twin) -> None:
    assert data(twin.request("GET", STATS)) == {
        "total_agents": 2,
        "total_users": 4,
        "total_income_ut": "45.00",
        "active_agents": 2,
    }


def test_the_stats_count_income_in_ut(twin: Twin) -> None:
    before = data(twin.request("GET", STATS))["total_income_ut"]
    order = buy(twin)
    for who, verb in [("ada", "freeze"), ("otto", "accept"), ("otto", "deliver"), ("ada", "confirm")]:
        data(post(twin, f"agent_{who}", f"{TRANSACTIONS}/{order}/{verb}"))
    assert float(data(twin.request("GET", STATS))["total_income_ut"]) == float(before) + 120


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}, {"X-Api-Key": "nobody"}], ids=str)
@pytest.mark.parametrize("path", [STATS, "/openapi.json"])
def test_a_public_path_asks_nobody_who_they_are(twin: Twin, path: str, headers: dict[str, str]) -> None:
    assert twin.request("GET", path, headers=headers).status == 200


def test_the_document_is_bare_and_names_every_operation_that_is_answered(twin: Twin) -> None:
    document = twin.request("GET", "/openapi.json").json()
    named = {each["operationId"] for path in document["paths"].values() for verb, each in path.items() if verb in VERBS}
    assert document["openapi"] == "3.1.0"
    assert named == set(twin.provider.rules.bindings)


def test_a_match_that_is_cancelled_is_no_income(twin: Twin) -> None:
    before = data(twin.request("GET", STATS))["total_income_ut"]
    task = twin.world.read("task", "10000000-0000-4000-8000-00000000000b")
    assert task is not None
    twin.trigger("cancel_order", task["id"])
    assert data(twin.request("GET", STATS))["total_income_ut"] == before
