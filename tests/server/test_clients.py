"""The report on clients: who copes is told so, who does not is told so too, each with the entries that show it."""

from html.parser import HTMLParser
from typing import Any

import pytest
from tests.server.clients import Client, Polite, Rude, await_closings
from tests.server.front import ALICE, ALICES_TASK, BOB, TASKS, World

from tasktwin.wire import Json

ANY_TASK = {"operation": "getTask"}
POINTS: dict[str, tuple[str, str, list[Json]]] = {
    "Retry-After": (
        "waits out Retry-After",
        "come_back",
        [{"name": "busy", "match": {**ANY_TASK, "times": 2}, "do": {"status": 503, "retry_after": 5}}],
    ),
    "back-off": ("backs off", "insist", [{"name": "down", "match": {**ANY_TASK, "times": 3}, "do": {"status": 500}}]),
    "keys": (
        "keeps the idempotency key",
        "write",
        [{"name": "lost", "match": {"operation": "createTask", "times": 1}, "do": {"drop": "after"}}],
    ),
    "streams": (
        "resumes streams",
        "draft",
        [{"name": "torn", "match": {"times": 1}, "do": {"stream": "cut", "event": 3, "byte": 0}}],
    ),
    "pages": ("follows pages to the end", "list", []),
    "polling": (
        "polls no faster than told",
        "poll",
        [{"name": "later", "match": ANY_TASK, "do": {"status": 200, "retry_after": 5}}],
    ),
    "unknown fields": (
        "ignores unknown fields",
        "grow",
        [{"name": "grown", "match": {"operation": "createTask"}, "do": {"corrupt": "unknown-fields"}}],
    ),
    "limits": ("keeps the rate limits", "ask", []),
    "contract": ("keeps the contract", "ask", []),
}


def told(world: World) -> dict[str, Json]:
    """The report's clients by their ``User-Agent``."""
    report = world.control.get("/clients").json()
    return {each["user_agent"]: each for each in report["clients"]}


def point(client: Json, name: str) -> Json:
    (found,) = [each for each in client["points"] if each["name"] == name]
    return found


def numbers(found: Json) -> list[int]:
    """The entries that a point names."""
    return [each["number"] for finding in found["evidence"] for each in finding["entries"]]


@pytest.mark.parametrize(("name", "does", "faults"), POINTS.values(), ids=POINTS)
def test_a_polite_client_and_a_rude_one_get_opposite_verdicts_with_evidence(
    world: World, name: str, does: str, faults: list[Json]
) -> None:
    clients: list[type[Client]] = [Polite, Rude]
    for count, client in enumerate(clients, 1):
        world.control.put("/faults", json=faults)
        getattr(client(world), does)()
        await_closings(world, 2 * count if does == "draft" else 0)
    entries = {each["number"]: each for each in world.entries(limit=1000)}
    for agent, verdict in (("polite/1.0", "good"), ("rude/1.0", "bad")):
        found = point(told(world)[agent], name)
        assert found["verdict"] == verdict, found
        assert numbers(found)
        for number in numbers(found):
            assert ["user-agent", agent] in entries[number]["request"]["headers"]


def test_a_verdict_names_the_entries_their_times_and_what_was_done(world: World) -> None:
    world.control.put("/faults", json=POINTS["Retry-After"][2])
    Polite(world).come_back()
    found = point(told(world)["polite/1.0"], "waits out Retry-After")
    busy, again = [each for each in world.entries() if each["operation"] == "getTask"][:2]
    evidence = found["evidence"][0]
    assert evidence["says"].startswith("after 503 getTask was to be left alone for 5 s; it was asked again after 5.")
    assert evidence["entries"] == [{key: each[key] for key in ("number", "at")} for each in (busy, again)]


def test_a_clock_that_stands_still_proves_nothing(world: World) -> None:
    world.control.post("/clock", json={"mode": "frozen"})
    world.control.put("/faults", json=POINTS["Retry-After"][2])
    Rude(world).come_back()
    found = point(told(world)["rude/1.0"], "waits out Retry-After")
    assert (found["verdict"], "stood still" in found["says"]) == ("unseen", True)


def test_a_key_for_two_different_writes_is_bad(world: World) -> None:
    client = Polite(world)
    client.post("One", key="same")
    client.post("Two", key="same")
    found = point(told(world)["polite/1.0"], "keeps the idempotency key")
    assert (found["verdict"], "the key of another createTask" in found["says"]) == ("bad", True)


def test_trouble_that_was_replaced_by_other_trouble_is_still_known(world: World) -> None:
    world.control.put("/faults", json=[{"match": {"times": 1}, "do": {"drop": "after"}}])
    Rude(world).write()
    world.control.put("/faults", json=[{"do": {"status": 404}}])
    assert point(told(world)["rude/1.0"], "keeps the idempotency key")["verdict"] == "bad"


def test_stopping_early_in_a_list_is_told_and_no_fault(world: World) -> None:
    Polite(world).page(1)
    found = point(told(world)["polite/1.0"], "follows pages to the end")
    assert (found["verdict"], "up to page 1 of " in found["says"]) == ("unseen", True)


def test_a_client_is_a_caller_with_a_user_agent_and_strangers_belong_to_it(world: World) -> None:
    for headers in ({**ALICE, "User-Agent": "one"}, {**BOB, "User-Agent": "two"}, {"User-Agent": "one"}):
        world.api.get(TASKS + ALICES_TASK, headers=headers)
    clients = told(world)
    assert {agent: each["requests"] for agent, each in clients.items()} == {"one": 2, "two": 1}
    assert clients["one"]["principal"] != clients["two"]["principal"]


def test_the_report_lists_what_a_client_never_met(world: World) -> None:
    world.control.put("/faults", json=[{"name": "gone", "match": {"times": 1}, "do": {"status": 404}}])
    client = Polite(world)
    client.get()
    client.get()
    never = told(world)["polite/1.0"]["never_met"]
    assert "404" not in never["statuses"]["getTask"]
    assert "401" in never["statuses"]["getTask"]
    assert "expire" in never["transitions"]["task"]
    assert "status" not in never["faults"]
    assert "drop: after" in never["faults"]


def test_the_report_says_which_entries_it_could_judge(world: World) -> None:
    Polite(world).ask()
    world.control.delete("/journal")
    Polite(world).get()
    report = world.control.get("/clients").json()
    assert report["journal"] == {"first": 3, "last": 3, "dropped": 0, "limit": 1000}
    assert (report["world"], report["left_out"]) == (world.name, 0)
    assert report["clients"][0]["first"]["number"] == report["clients"][0]["last"]["number"] == 3


def test_a_world_that_nobody_used_has_no_clients(world: World) -> None:
    assert world.control.get("/clients").json()["clients"] == []
    assert "Nobody has asked anything" in world.control.get("/clients?format=html").text


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────

FORMATS: dict[str, tuple[str, str, str]] = {
    "curl": ("", "*/*", "application/json"),
    "a browser": ("", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
    "a browser that asks for JSON": ("?format=json", "text/html", "application/json"),
    "curl that asks for HTML": ("?format=html", "*/*", "text/html"),
}


@pytest.mark.parametrize(("query", "accept", "media"), FORMATS.values(), ids=FORMATS)
def test_people_get_a_page_and_programs_get_json(world: World, query: str, accept: str, media: str) -> None:
    answer = world.control.get(f"/clients{query}", headers={"Accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == media
    assert answer.headers["vary"] == "Accept"


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.text += data


def test_who_asked_once_has_one_entry_and_no_range_of_them(world: World) -> None:
    world.api.get(TASKS, headers=ALICE)
    page = world.control.get("/clients?format=html").text
    assert '1 request, <a href="journal?since=0&amp;limit=1">#1</a>: ' in page


def test_a_hostile_client_cannot_write_into_the_page(world: World) -> None:
    hostile = "</code><script>alert(1)</script><img src=//evil.example onerror='x'>\"&amp;"
    world.api.get(f"{TASKS}?<script>=\"'", headers={**ALICE, "User-Agent": hostile})
    world.api.post(TASKS, json={"<b>": 1, "title": "<script>"}, headers={**ALICE, "User-Agent": hostile})
    page = Page(world.control.get("/clients?format=html").text)
    assert hostile in page.text
    assert not {"script", "img", "b"} & {tag for tag, _ in page.tags}


def test_the_page_needs_nothing_from_elsewhere_and_its_links_lead_to_the_evidence(world: World) -> None:
    Rude(world).ask()
    text = world.control.get("/clients?format=html").text
    page = Page(text)
    links = [value for _, each in page.tags for key, value in each.items() if key in ("href", "src", "action")]
    assert all("//" not in each and (":" not in each or each == "data:,") for each in links)
    assert "url(" not in text
    assert "@import" not in text
    asked = world.control.get(f"/{next(each for each in links if 'since=' in each)}").json()["entries"]
    assert len(asked) == 1
    for point_told in ("keeps the rate limits", "the real API would have refused", "What it never met"):
        assert point_told in page.text
