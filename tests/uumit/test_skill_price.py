"""A skill's price may be sent in two shapes; it is answered in both."""

import pytest

from tasktwin.exchange import Twin
from tasktwin.wire import Json

PRICES = {
    "nested number": {"pricing": {"model": "per_use", "amount": 100}},
    "nested text": {"pricing": {"model": "per_use", "amount": "100"}},
    "flat": {"pricing_model": "per_use", "ut_price": "100.0"},
}


@pytest.mark.parametrize("price", PRICES.values(), ids=PRICES)
def test_a_price_in_any_shape_is_answered_and_read_in_both(price: Json) -> None:
    twin = Twin("uumit")
    skill = {"name": "Invoice OCR", "description": "Reads invoices.", "category": "finance", "mode": "online", **price}
    made = twin.request("POST", "/api/v1/skills/", as_="agent_ada", json=skill).json()["data"]
    assert (made["pricing"], made["ut_price"]) == ({"model": "per_use", "amount": "100.00"}, "100.00")
    assert twin.request("GET", f"/api/v1/skills/{made['id']}", as_="agent_ada").json()["data"] == made
