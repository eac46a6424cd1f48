"""What is known of AITasker: limits, create and drafts, row by row: each id names the condition and, where it varies, how it is known.

``stated`` rows are the vendor's pages', ``fastapi`` rows were observed on FastAPI, ``assumed`` ones are the choices of
``provider.yaml``.
"""

import pytest
from tests.aitasker.buyer import DRAFTS, KEYS, MIN, SEEDED, STATES, TASKS, UUID, create, fault, patch, post, rows, task

from tasktwin.exchange.twin import Twin
from tasktwin.wire import Json

# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


LONGEST = [("title", 200), ("description", 5000)]
RANGES = [("budget_usd", 3, 300), ("experimentation", 0, 1)]
ACCEPTED = [
    *[(f"{name} of {most}: stated", {name: "d" * most}, {name: "d" * most}) for name, most in LONGEST],
    *[(f"{name} {edge}: stated", {name: edge}, {name: edge}) for name, *edges in RANGES for edge in edges],
    *[
        (f"{name} {edge} inside: stated", {name: edge}, {name: edge})
        for name, edge in (("budget_usd", 3.01), ("budget_usd", 299.99), ("experimentation", 0.5))
    ],
    ("title of 200 code points beyond 16 bits: fastapi", {"title": "😀" * 200}, {"title": "😀" * 200}),
    ("title of 199: stated", {"title": "t" * 199}, {"title": "t" * 199}),
    ("description of 4999: stated", {"description": "d" * 4999}, {"description": "d" * 4999}),
    ("title empty: stated no minimum", {"title": ""}, {"title": ""}),
    ("budget_usd as text: fastapi", {"budget_usd": "12.5"}, {"budget_usd": 12.5}),
    ("brand_kit_id: stated", {"brand_kit_id": UUID}, {"brand_kit_id": UUID}),
    ("brand_kit_id in upper case without dashes: fastapi", {"brand_kit_id": UUID.upper().replace("-", "")}, {"brand_kit_id": UUID}),
    ("brand_kit_id null: stated", {"brand_kit_id": None}, {"brand_kit_id": None}),
    ("requirements nested: stated", {"requirements": {"a": {"b": [1]}}}, {"requirements": {"a": {"b": [1]}}}),
    ("category outside any list: assumed", {"category": "no-such"}, {"category": "no-such"}),
    ("unknown key: fastapi", {"foo": 1}, {}),
]  # fmt: skip
REFUSED = [
    ("title of 201: stated", {"title": "t" * 201}, ("string_too_long", {"max_length": 200})),
    ("title of 201 emoji: fastapi", {"title": "😀" * 201}, ("string_too_long", {"max_length": 200})),
    ("description of 5001: stated", {"description": "d" * 5001}, ("string_too_long", {"max_length": 5000})),
    ("budget_usd 2.99: stated", {"budget_usd": 2.99}, ("greater_than_equal", {"ge": 3.0})),
    ("budget_usd 300.01: stated", {"budget_usd": 300.01}, ("less_than_equal", {"le": 300.0})),
    ("budget_usd -1: stated", {"budget_usd": -1}, ("greater_than_equal", {"ge": 3.0})),
    ("budget_usd text abc: fastapi", {"budget_usd": "abc"}, ("float_parsing", None)),
    ("experimentation -0.01: stated", {"experimentation": -0.01}, ("greater_than_equal", {"ge": 0.0})),
    ("experimentation 1.01: stated", {"experimentation": 1.01}, ("less_than_equal", {"le": 1.0})),
    (
        "brand_kit_id no uuid: stated",
        {"brand_kit_id": "nope"},
        ("uuid_parsing", {"error": "invalid character: found `n` at 0"}),
    ),
    ("requirements a list: stated", {"requirements": []}, ("dict_type", None)),
    ("requirements a text: stated", {"requirements": "x"}, ("dict_type", None)),
    ("title a number: fastapi", {"title": 5}, ("string_type", None)),
    ("category a number: fastapi", {"category": 5}, ("string_type", None)),
]


@rows(ACCEPTED)
def test_create_accepts(twin: Twin, sent: Json, expected: Json) -> None:
    answer = create(twin, **sent)
    assert answer.status == 201, answer.content
    assert {name: answer.json()[name] for name in expected} == expected


@rows(ACCEPTED)
def test_autosave_accepts(twin: Twin, sent: Json, expected: Json) -> None:
    before, answer = task(twin, SEEDED["draft"]), patch(twin, sent)
    assert (answer.status, answer.json()) == (200, {**before, **expected})


@rows(ACCEPTED)
def test_a_new_draft_accepts(twin: Twin, sent: Json, expected: Json) -> None:
    answer = twin.request("POST", DRAFTS, json=sent, as_="poster")
    assert answer.status == 201, answer.content
    assert {name: answer.json()[name] for name in expected} == expected


@rows(
    [
        *REFUSED,
        ("budget_usd null: stated", {"budget_usd": None}, ("float_type", None)),
        ("experimentation null: stated", {"experimentation": None}, ("float_type", None)),
        ("description null: stated", {"description": None}, ("string_type", None)),
        ("requirements null: stated", {"requirements": None}, ("dict_type", None)),
        ("category null: stated", {"category": None}, ("string_type", None)),
    ]
)
def test_create_refuses(twin: Twin, sent: Json, expected: Json) -> None:
    assert fault(create(twin, **sent)) == expected
    assert len(twin.request("GET", TASKS, as_="poster").json()) == 9


@rows(REFUSED)
def test_autosave_refuses(twin: Twin, sent: Json, expected: Json) -> None:
    before = task(twin, SEEDED["draft"])
    assert fault(patch(twin, sent)) == expected
    assert task(twin, SEEDED["draft"]) == before


@rows(REFUSED)
def test_a_new_draft_refuses(twin: Twin, sent: Json, expected: Json) -> None:
    assert fault(twin.request("POST", DRAFTS, json=sent, as_="poster")) == expected


@pytest.mark.parametrize("name", ["category", "task_type", "budget_usd"], ids=lambda name: f"{name}: stated")
def test_create_requires(twin: Twin, name: str) -> None:
    body = {key: value for key, value in MIN.items() if key != name}
    answer = twin.request("POST", TASKS, json=body, as_="poster")
    missing = {"type": "missing", "loc": ["body", name], "msg": "Field required", "input": body}
    assert (answer.status, answer.json()) == (422, {"detail": [missing]})


# ── create ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_create_answers_every_key_in_the_order_of_the_page_and_fills_in_the_defaults(twin: Twin) -> None:
    made = create(twin).json()
    assert list(made) == KEYS
    defaults = {"title": "d" * 20, "requirements": {}, "experimentation": 0.3, "status": "open", "compute_budget": None}
    defaults |= dict.fromkeys(("attachments", "brand_kit_id", "prototype_tier"))
    assert {name: made[name] for name in defaults} == defaults
    assert (made["created_at"], made["expires_at"]) == ("2026-01-01T00:00:00.000000Z", "2026-01-08T00:00:00.000000Z")


CONTENT = [
    ("19 characters", {"description": "d" * 19}, False),
    ("20 characters", {"description": "d" * 20}, True),
    ("21 characters", {"description": "d" * 21}, True),
    ("19 characters and white space", {"description": f" {'d' * 19} "}, False),
    ("nothing", {"description": ""}, False),
    ("transcript of 20", {"description": "", "requirements": {"transcript": "t" * 20}}, True),
    ("transcript of 19", {"description": "", "requirements": {"transcript": "t" * 19}}, False),
    ("a word and a transcript of 20", {"description": "d", "requirements": {"transcript": "t" * 20}}, True),
    ("transcript no text", {"description": "", "requirements": {"transcript": 20 * ["t"]}}, False),
]


@rows([(f"{name}: stated, 20 assumed", sent, fine) for name, sent, fine in CONTENT])
def test_the_content_rule_at_create(twin: Twin, sent: Json, expected: bool) -> None:  # noqa: FBT001 - a column
    answer = create(twin, **sent)
    if expected:
        assert answer.status == 201
    else:
        (told,) = answer.json()["detail"]
        assert (answer.status, told["type"], told["loc"]) == (422, "value_error", ["body"])
        assert (told["input"], told["ctx"]) == ({**MIN, **sent}, {"error": {}})


@rows([(f"{name}: stated, 20 assumed", sent, fine) for name, sent, fine in CONTENT])
def test_the_content_rule_at_publish_but_not_at_autosave(twin: Twin, sent: Json, expected: bool) -> None:  # noqa: FBT001
    assert patch(twin, sent).status == 200
    answer = post(twin, SEEDED["draft"], "publish")
    assert answer.status == (200 if expected else 422)
    assert task(twin, SEEDED["draft"])["status"] == ("open" if expected else "draft")
    assert expected or isinstance(answer.json()["detail"], str)


def test_the_content_rule_is_asked_only_of_what_is_valid_otherwise(twin: Twin) -> None:
    assert fault(create(twin, budget_usd=2, description="")) == ("greater_than_equal", {"ge": 3.0})


@rows(
    [
        ("null: assumed", {"title": None}, "d" * 20),
        ("of a long content: assumed", {"description": "d" * 5000}, "d" * 200),
        ("of a transcript: assumed", {"description": "", "requirements": {"transcript": "one two three four five six seven eight nine"}}, "one two three four five six seven eight"),
        ("given: stated", {"title": "Given"}, "Given"),
    ]
)  # fmt: skip
def test_the_title_of_a_new_task(twin: Twin, sent: Json, expected: str) -> None:
    assert create(twin, **sent).json()["title"] == expected


# ── drafts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_draft_holds_empty_values(twin: Twin) -> None:
    made = twin.request("POST", DRAFTS, json={}, as_="poster").json()
    empty = {"title": "", "description": "", "category": "", "task_type": "", "requirements": {}}
    assert {name: made[name] for name in empty} == empty
    assert (made["status"], made["budget_usd"], made["experimentation"]) == ("draft", 0.0, 0.3)


def test_an_empty_autosave_changes_nothing(twin: Twin) -> None:
    before = task(twin, SEEDED["draft"])
    assert (patch(twin, {}).status, patch(twin, {}).json()) == (200, before)


def test_autosave_at_every_keystroke_keeps_what_was_typed(twin: Twin) -> None:
    for length in range(1, 25):
        assert patch(twin, {"description": "d" * length}).status == 200
    assert task(twin, SEEDED["draft"])["description"] == "d" * 24


@pytest.mark.parametrize("name", ["title", "description", "category", "task_type", "requirements", "budget_usd", "experimentation"])  # fmt: skip
def test_null_in_an_autosave_leaves_a_field_alone(twin: Twin, name: str) -> None:
    before, answer = task(twin, SEEDED["draft"]), patch(twin, {name: None})
    assert (answer.status, answer.json()) == (200, before)


def test_null_clears_the_brand_kit(twin: Twin) -> None:
    assert patch(twin, {"brand_kit_id": UUID}).json()["brand_kit_id"] == UUID
    assert patch(twin, {"brand_kit_id": None}).json()["brand_kit_id"] is None


@pytest.mark.parametrize("state", STATES[1:])
def test_a_task_that_is_no_draft_is_not_changed(twin: Twin, state: str) -> None:
    before = task(twin, SEEDED[state])
    assert patch(twin, {"title": "T"}, SEEDED[state]).status == 409
    assert post(twin, SEEDED[state], "publish").status == 409
    assert task(twin, SEEDED[state]) == before


@rows(
    [
        ("category: assumed", {"category": ""}, "Set category first"),
        ("task_type: assumed", {"task_type": ""}, "Set task_type first"),
    ]
)
def test_publish_needs_what_create_requires(twin: Twin, sent: Json, expected: str) -> None:
    patch(twin, sent)
    answer = post(twin, SEEDED["draft"], "publish")
    assert (answer.status, answer.json()) == (422, {"detail": expected})


def test_a_draft_made_from_nothing_is_published_once_it_is_whole(twin: Twin) -> None:
    made = twin.request("POST", DRAFTS, json={}, as_="poster").json()["id"]
    assert post(twin, made, "publish").status == 422
    patch(twin, {"description": "Twenty characters, yes."}, made)
    assert post(twin, made, "publish").json() == {"detail": "Set category, task_type, budget_usd first"}
    patch(twin, {"category": "data", "task_type": "spreadsheet", "budget_usd": 3}, made)
    published = post(twin, made, "publish").json()
    assert (published["status"], published["title"]) == ("open", "Twenty characters, yes.")
    assert post(twin, made, "publish").status == 409


def test_publish_takes_no_body_so_that_a_malformed_one_is_ignored(twin: Twin) -> None:
    path, headers = f"{TASKS}/{SEEDED['draft']}/publish", {"Content-Type": "application/json"}
    assert twin.request("POST", path, content=b"{", headers=headers, as_="poster").status == 200
