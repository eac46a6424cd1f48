"""The agent card: public, bare, of the shape that D-card's English page shows, and leading to the twin itself."""

import httpx2
import pytest
from tests.conftest import Serve
from tests.server.front import ADA
from tests.uumit.calls import seeded
from tests.uumit.streams import schema

from tasktwin import Twin

CARD = "/.well-known/agent.json"


@pytest.mark.parametrize("headers", [{}, {"X-Api-Key": "nobody"}, ADA], ids=["nobody", "a wrong key", "Ada"])
def test_anybody_reads_the_bare_card(twin: Twin, headers: dict[str, str]) -> None:
    answer = twin.request("GET", CARD, headers=headers)
    card = answer.json()
    assert answer.status == 200
    schema("AgentCard").validate(card)
    assert (card["name"], card["protocol"], card["version"]) == ("UUAgent Platform", "a2a/1.0", "1.0.0")
    assert card["capabilities"] == {"streaming": True, "pushNotifications": False, "stateTransitionHistory": False}
    assert card["authentication"] == {"schemes": ["apiKey"], "apiKey": {"headerName": "X-Api-Key"}}
    assert [(skill["id"], skill["deliveryMode"]) for skill in card["skills"]] == [("task_publish", "async")]


@pytest.mark.parametrize("prefix", ["", "/_tasktwin/worlds/card/api"], ids=["at the root", "in a world by its path"])
@pytest.mark.parametrize("query", ["", "?a=/.well-known/b"], ids=["plain", "with a query"])
def test_the_card_leads_to_the_agent_endpoint_of_the_same_world(serve: Serve, prefix: str, query: str) -> None:
    base = serve("uumit") + prefix
    with httpx2.Client(verify=False) as client:
        url = client.get(f"{base}{CARD}{query}").json()["url"]
        request = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": seeded(4, 1)}}
        answer = client.post(f"{url}/a2a", json=request, headers=ADA)
    assert url == base
    assert answer.json()["result"]["status"]["state"] == "submitted"
