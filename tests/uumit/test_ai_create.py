"""A draft that grows from a description: told on a stream, and then really there (S3; the events are ours)."""
# ruff: noqa: RUF001 - the punctuation of Chinese is meant

import contextlib
from collections.abc import Iterator

import httpx2
import pytest
from tests.server.front import ADA, ALICE, BOB, OTTO, World
from tests.uumit.streams import Stream, Told, advance, streaming

from tasktwin.wire import Json

TASKS, SKILLS = "/api/v1/tasks/ai-create", "/api/v1/skills/ai-create"
BOTH = {"stage": "DraftStage", "error": "ErrorEnvelope"}
SCHEMAS = {
    TASKS: {**BOTH, "": "TaskDraftEvent", "partial": "TaskField", "done": "Task"},
    SKILLS: {**BOTH, "": "SkillDraftEvent", "partial": "SkillField", "done": "Skill"},
}
ENGLISH = "I need a logo for my tea house. Budget: 300 CNY, in two colours."
CHINESE = "帮我设计一个 Logo"
STEP = 0.3
"""Seconds from one stage to the next."""

WHOLE = 2.1
"""Seconds of all seven."""


@contextlib.contextmanager
def describing(
    world: World, text: str = ENGLISH, who: dict[str, str] = ALICE, path: str = TASKS, **headers: str
) -> Iterator[Stream]:
    sent = {**who, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with streaming(world, path, {"description": text}, sent, SCHEMAS[path]) as stream:
        yield stream


def drafted(world: World, text: str = ENGLISH, who: dict[str, str] = ALICE, path: str = TASKS) -> list[Told]:
    """All that is told of a draft, from its beginning to its end."""
    with describing(world, text, who, path) as stream:
        advance(world, WHOLE)
        return stream.rest()


def refused(world: World, body: Json, **headers: str) -> tuple[int, int]:
    """Status and code of a refusal, which is in the envelope and no stream."""
    answer = world.api.post(TASKS, json=body, headers={name.replace("_", "-"): each for name, each in headers.items()})
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()["code"]


def call(world: World, method: str, path: str, who: dict[str, str] = ALICE, body: Json = None) -> httpx2.Response:
    return world.api.request(method, f"/api/v1{path}", json=body, headers=who)


def fields(events: list[Told]) -> dict[str, str]:
    """What was told field by field."""
    return {told.said["field"]: told.said["value"] for told in events if told.event == "partial"}


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_description_becomes_stages_fields_and_at_last_the_task(world: World) -> None:
    *steps, done = drafted(world)
    assert [told.said["stage"] for told in steps if told.event == "stage"] == ["understood", "drafting"]
    assert fields(steps) == {
        "title": "A logo for my tea house",
        "description": ENGLISH,
        "category": "design",
        "mode": "online",
        "bounty_amount": "300.00",
    }
    assert (done.event, done.said["status"], done.said["bounty_currency"]) == ("done", "draft", "CNY")
    assert fields(steps).items() <= done.said.items()


def test_the_pages_chinese_description_is_answered_in_chinese(world: World) -> None:
    first, second, *steps, done = drafted(world, CHINESE, ADA)
    assert [told.said["message"] for told in (first, second)] == ["已理解您的需求", "正在起草任务"]
    assert fields(steps) == {
        "title": "设计一个 Logo",
        "description": CHINESE,
        "category": "design",
        "mode": "online",
    }
    task = done.said
    assert (task["owner_type"], task["bounty_currency"], task["bounty_amount"]) == ("agent", "UT", "0.00")


def test_each_part_is_told_when_its_time_has_come_and_not_before(world: World) -> None:
    with describing(world) as stream:
        told = stream.read(1)
        for _ in range(7):
            advance(world, STEP)
            told += stream.read(1)
        assert stream.next() is None
    assert [each.event for each in told] == ["stage", "stage", *["partial"] * 5, "done"]
    assert len({each.id for each in told}) == 8


DRAFTS = {
    "a long sentence": ("Please read 40 invoices, and put number, date, total and tax into one CSV file.", {
        "title": "Read 40 invoices, and put number, date, total and tax into…", "category": "finance", "mode": "online"}),
    "a long sentence in Chinese": ("请帮我把一份四十页的技术合同翻译成英文，要求三天之内完成并且附上术语表。预算2万元。", {
        "title": "把一份四十页的技术合同翻译成英文…", "category": "translation", "bounty_amount": "20000.00"}),
    "work on site": ("上门维修电脑！今天就要。报酬：150", {
        "title": "上门维修电脑", "mode": "offline", "bounty_amount": "150.00"}),
    "a version number": ("fix a bug in v1.2 of my app", {"title": "Fix a bug in v1.2 of my app", "category": "development"}),
    "an amount with a comma": ("Write an essay for ¥1,200.50", {"category": "writing", "bounty_amount": "1200.50"}),
    "several lines": ("  Label   photos\n\n of cats. ", {"title": "Label photos", "category": "data",
        "description": "Label photos\n\nof cats."}),
    "nothing but an opening": ("请帮我", {"title": "请帮我", "description": "请帮我"}),
    "nothing but marks": ("。。。", {"title": "。。。", "description": "。。。"}),
    "nothing to pay": ("Clean up my code for 0 CNY", {"category": "development"}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DRAFTS.values(), ids=DRAFTS)
def test_the_fields_follow_the_words(world: World, text: str, expected: dict[str, str]) -> None:
    *steps, done = drafted(world, text)
    assert expected.items() <= fields(steps).items()
    assert ("bounty_amount" in expected) == ("bounty_amount" in fields(steps)) == (done.said["bounty_amount"] != "0.00")
    assert ("category" in expected) == (done.said["category"] is not None)


# ── what is there afterwards ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_task_is_really_there_and_nowhere_before_its_end(world: World) -> None:
    with describing(world) as stream:
        advance(world, WHOLE - STEP)
        stream.read(7)
        assert call(world, "GET", "/tasks/?status=draft").json()["data"]["total"] == 1
        advance(world, STEP)
        (done,) = stream.rest()
    assert call(world, "GET", f"/tasks/{done.said['id']}").json()["data"] == done.said
    assert call(world, "GET", "/tasks/?status=draft").json()["data"]["items"][0] == done.said
    assert call(world, "GET", f"/tasks/{done.said['id']}", BOB).status_code == 404


def test_the_draft_is_published_with_a_delivery_period(world: World) -> None:
    key = drafted(world)[-1].said["id"]
    path = f"/tasks/{key}/publish-draft"
    assert call(world, "POST", path).status_code == 422
    published = call(world, "POST", path, body={"delivery_hours": 48}).json()["data"]
    assert (published["status"], published["delivery_hours"]) == ("open", 48)
    wallet = call(world, "GET", "/wallet").json()["data"]["cash"]
    assert wallet["frozen"] == "720.00"


def test_a_draft_without_an_amount_needs_one_before_it_is_published(world: World) -> None:
    key = drafted(world, CHINESE, ADA)[-1].said["id"]
    publish = ("POST", f"/tasks/{key}/publish-draft", ADA, {"delivery_hours": 48})
    assert call(world, *publish).status_code == 422
    assert call(world, "PUT", f"/tasks/{key}", ADA, {"bounty_amount": "80"}).json()["data"]["status"] == "draft"
    assert call(world, *publish).json()["data"]["status"] == "open"


SKILLS_TOLD = {
    "by the hour": ("I can translate menus into English. 90 CNY per hour.", ("Translate menus into English", "translation", "per_hour", "90.00")),
    "in Chinese, by use": ("我会设计海报，每张200元。", ("设计海报，每张200元", "design", "per_use", "200.00")),
    "as a whole": ("I offer a landing website for 600 UT", ("A landing website for 600 UT", "development", "fixed", "600.00")),
    "no price and no category": ("我擅长聊天", ("聊天", "other", "negotiable", "0.00")),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SKILLS_TOLD.values(), ids=SKILLS_TOLD)
def test_a_skill_grows_from_a_description_and_is_offered(world: World, text: str, expected: tuple[str, ...]) -> None:
    *steps, done = drafted(world, text, OTTO, SKILLS)
    skill = done.said
    assert (skill["name"], skill["category"], *skill["pricing"].values()) == expected
    assert (skill["status"], skill["owner_type"], skill["ut_price"]) == ("active", "agent", expected[-1])
    assert fields(steps).items() <= skill.items()
    assert call(world, "GET", f"/skills/{skill['id']}", OTTO).json()["data"] == skill
    assert skill in call(world, "GET", "/skills/hall", ADA).json()["data"]["items"]


def test_a_draft_that_cannot_be_finished_ends_with_an_error(world: World) -> None:
    with describing(world) as stream:
        key = stream.read(1)[0].id.partition(":")[0]
        row = {**world.rows("generation")[0], "amount": f"{10**30}.00"}
        assert world.control.put(f"/state/generation/{key}", json=row).is_success
        advance(world, WHOLE)
        *_, last = stream.rest()
    assert (last.event, last.said["code"]) == ("error", 5001)
    assert call(world, "GET", "/tasks/?status=draft").json()["data"]["total"] == 1


# ── leaving and coming back ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_reader_who_leaves_finds_the_task_all_the_same(world: World) -> None:
    with describing(world) as stream:
        stream.read(1)
    advance(world, WHOLE)
    newest = call(world, "GET", "/tasks/").json()["data"]["items"][0]
    assert (newest["title"], newest["status"]) == ("A logo for my tea house", "draft")


@pytest.mark.parametrize("seen", range(1, 9))
def test_a_reader_who_comes_back_is_told_the_rest_and_makes_no_second_task(world: World, seen: int) -> None:
    before = len(world.rows("task"))
    with describing(world) as stream:
        advance(world, WHOLE)
        told = stream.read(seen)
    with describing(world, Last_Event_ID=told[-1].id) as stream:
        rest = stream.rest()
    with describing(world, Last_Event_ID=told[0].id) as stream:
        assert stream.rest() == [*told[1:], *rest]
    assert len(told) + len(rest) == 8
    assert (len(world.rows("generation")), len(world.rows("task"))) == (1, before + 1)


def test_a_reader_may_come_back_while_the_draft_grows(world: World) -> None:
    with describing(world) as stream:
        (first,) = stream.read(1)
    with describing(world, Last_Event_ID=first.id) as stream:
        advance(world, STEP)
        assert stream.read(1)[0].said["stage"] == "drafting"
        advance(world, WHOLE)
        assert stream.rest()[-1].event == "done"


def test_the_same_key_tells_the_same_draft_again_from_its_beginning(world: World) -> None:
    before = len(world.rows("task"))
    with describing(world, Idempotency_Key="logo") as stream:
        advance(world, WHOLE)
        told = stream.rest()
    with describing(world, Idempotency_Key="logo") as stream:
        assert stream.rest() == told
    with describing(world, Idempotency_Key="logo", Last_Event_ID=told[3].id) as stream:
        assert stream.rest() == told[4:]
    assert len(world.rows("task")) == before + 1
    other = {"description": "Something else"}
    assert refused(world, other, **ALICE, Idempotency_Key="logo") == (422, 1008)


def test_two_callers_with_the_same_key_have_drafts_of_their_own(world: World) -> None:
    keys = set()
    for who in (ALICE, BOB):
        with describing(world, who=who, Idempotency_Key="logo") as stream:
            advance(world, WHOLE)
            keys.add(stream.rest()[-1].said["id"])
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("owner", "other"), [(ALICE, BOB), (ADA, OTTO), (ALICE, ADA)], ids=["human", "agent", "across"]
)
def test_nobody_else_can_go_on_with_a_draft(world: World, owner: dict[str, str], other: dict[str, str]) -> None:
    told = drafted(world, who=owner)
    before = world.evidence()
    assert refused(world, {"description": ENGLISH}, **other, Last_Event_ID=told[0].id) == (410, 1004)
    assert world.evidence() == before


@pytest.mark.parametrize(
    ("last", "answer"),
    [
        ("7", (422, 1008)),
        ("99999999-9999-4999-8999-999999999999:1", (410, 1004)),
        ("{key}:x", (422, 1008)),
        ("{key}:", (422, 1008)),
        ("{key}:99", (410, 1004)),
        ("x" * 101, (422, 1008)),
    ],
)
def test_an_identifier_that_no_event_has_is_refused(world: World, last: str, answer: tuple[int, int]) -> None:
    key = drafted(world)[0].id.partition(":")[0]
    before = world.evidence()
    assert refused(world, {"description": ENGLISH}, **ALICE, Last_Event_ID=last.format(key=key)) == answer
    assert world.evidence() == before


@pytest.mark.parametrize(("made", "asked"), [(TASKS, SKILLS), (SKILLS, TASKS)], ids=["task as skill", "skill as task"])
def test_a_draft_goes_on_only_where_it_was_begun(world: World, made: str, asked: str) -> None:
    told = drafted(world, path=made)
    before, skills = world.evidence(), world.rows("skill")
    answer = world.api.post(asked, json={"description": ENGLISH}, headers={**ALICE, "Last-Event-ID": told[0].id})
    assert (answer.status_code, answer.json()["code"]) == (410, 1004)
    assert (world.evidence(), world.rows("skill")) == (before, skills)
    with describing(world, path=made, Last_Event_ID=told[0].id) as stream:
        assert stream.rest() == told[1:]


@pytest.mark.parametrize("path", [TASKS, SKILLS], ids=["task", "skill"])
def test_an_identifier_that_names_no_draft_makes_none(world: World, path: str) -> None:
    answer = world.api.post(path, json={"description": ENGLISH}, headers={**ALICE, "Last-Event-ID": "5"})
    assert (answer.status_code, answer.json()["code"]) == (422, 1008)
    assert world.rows("generation") == []


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

UNFIT: dict[str, Json] = {
    "nothing": {},
    "null": {"description": None},
    "a number": {"description": 1},
    "no letters": {"description": ""},
    "blanks": {"description": " \t\n"},
    "wide blanks": {"description": "\u3000\u3000"},
    "too long": {"description": "设" * 5001},
    "a list": [CHINESE],
}


@pytest.mark.parametrize("body", UNFIT.values(), ids=UNFIT)
@pytest.mark.parametrize("path", [TASKS, SKILLS], ids=["task", "skill"])
def test_what_is_no_description_is_refused_before_any_stream(world: World, path: str, body: Json) -> None:
    answer = world.api.post(path, json=body, headers=ALICE)
    assert (answer.status_code, answer.json()["code"]) == (422, 1008)
    assert world.rows("generation") == []


@pytest.mark.parametrize("path", [TASKS, SKILLS], ids=["task", "skill"])
def test_without_credentials_there_is_no_stream(world: World, path: str) -> None:
    answer = world.api.post(path, json={"description": CHINESE})
    assert (answer.status_code, answer.json()["code"]) == (401, 1002)


def test_the_longest_description_is_taken(world: World) -> None:
    assert drafted(world, "设" * 5000)[-1].said["title"] == "设" * 30 + "…"
