"""A real Django REST framework app with serializers of the same shape and the twin receive the same 300 bodies.

What the app refuses, the twin refuses with the same status and body; what it accepts, the twin accepts. What else the
twin refuses is in ``AFTERWARDS``, what cannot agree in ``DIFFERENT``.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import httpx2
import pytest

from tasktwin.exchange.twin import Answer, Twin
from tasktwin.wire import Json

COUNT = 300
UUIDS = [f"{n}0000000-0000-4000-8000-00000000000{m}" for n in (2, 6, 7, 8) for m in (1, 2)]
USER_LINK, REPORT, SANDBOX = UUIDS[2], UUIDS[4], UUIDS[6]
PHONE = "30000000-0000-4000-8000-000000000001"
RUN_ID = "20000000-0000-4000-8000-000000000003"
"""A run in the cloud that waits for its worker."""

TASKS = "/api/projects/@current/tasks/"
TASK = f"{TASKS}10000000-0000-4000-8000-000000000002/"
RUN = f"{TASK}runs/{RUN_ID}/"


class Route(NamedTuple):
    """Where the twin takes the bodies of one of the app's serializers, and one that is right."""

    serializer: str
    method: str
    path: str
    body: dict[str, Json]


FILE: dict[str, Json] = {"name": "a.txt", "type": "plan", "source": "agent", "content_type": "text/plain"}
OWN: dict[str, Json] = {
    "title": "Retry webhooks",
    "title_manually_set": True,
    "description": "Those that failed.",
    "origin_product": "user_created",
    "repository": "Acme/Webhooks",
    "github_integration": 31,
    "json_schema": {"type": "object"},
    "internal": False,
    "archived": False,
    "ci_prompt": "Fix it.",
}
REPORTED = OWN | {
    "origin_product": "signal_report",
    "signal_report": REPORT,
    "signal_report_task_relationship": "implementation",
}
RUNTIME: dict[str, Json] = {
    "mode": "interactive",
    "branch": "main",
    "sandbox_environment_id": SANDBOX,
    "pr_authorship_mode": "bot",
    "run_source": "manual",
    "signal_report_id": "r",
    "runtime_adapter": "claude",
    "model": "claude-sonnet-5",
    "reasoning_effort": "high",
    "github_user_token": "ghu_x",
    "initial_permission_mode": "plan",
}
MESSAGE: dict[str, Json] = {"pending_user_message": "Go.", "pending_user_artifact_ids": []}
CREATE = Route("task", "POST", TASKS, OWN | {"github_user_integration": USER_LINK})
RUN_TASK = Route("run", "POST", f"{TASK}run/", RUNTIME | MESSAGE | {"resume_from_run_id": RUN_ID})
START = Route("start", "POST", f"{RUN}start/", MESSAGE)
PATCH_RUN = Route("run_patch", "PATCH", RUN, {
    "status": "failed", "branch": "b", "stage": "s", "output": {"a": 1}, "state": {"b": 2},
    "state_remove_keys": ["mode"], "error_message": "No.", "environment": "local",
})  # fmt: skip
PRESENCE = Route("presence", "POST", f"{TASK}presence/", {"device_id": PHONE})
STAGED = [{"id": "f", **FILE, "storage_path": "p"}]
FINALIZE = Route("staged_finalize", "POST", f"{TASK}staged_artifacts/finalize_upload/", {"artifacts": STAGED})
INLINE = [{**FILE, "content": "aGk=", "content_encoding": "base64"}, {**FILE, "content": "hi"}]
PRESIGN = Route("presign", "POST", f"{RUN}artifacts/presign/", {"storage_path": "p"})
SAID = {"jsonrpc": "2.0", "method": "user_message", "params": {"content": "Go on."}, "id": 1}
COMMAND = Route("command", "POST", f"{RUN}command/", SAID)
ROUTES = [
    CREATE, Route("task", "PATCH", TASK, REPORTED), RUN_TASK, START, PATCH_RUN, PRESENCE, FINALIZE, PRESIGN, COMMAND,
    Route("run_create", "POST", f"{TASK}runs/", RUNTIME | {"environment": "cloud"}),
    Route("presence", "DELETE", f"{TASK}presence/", {"device_id": PHONE}),
    Route("staged_prepare", "POST", f"{TASK}staged_artifacts/prepare_upload/", {"artifacts": [{**FILE, "size": 5}] * 2}),
    Route("artifacts_inline", "POST", f"{RUN}artifacts/", {"artifacts": INLINE}),
    Route("append_log", "POST", f"{RUN}append_log/", {"entries": [{"type": "x"}, {}]}),
    Route("relay", "POST", f"{RUN}relay_message/", {"text": "Done."}),
    Route("set_output", "PATCH", f"{RUN}set_output/", {"output": {"pr": 1}}),
    Route("summaries", "POST", f"{TASKS}summaries/", {"ids": UUIDS[:2]}),
]  # fmt: skip

AFTERWARDS: dict[str, tuple[Route, Json]] = {
    "Invalid resume_from_run_id": (RUN_TASK, {"resume_from_run_id": REPORT}),
    "Invalid sandbox_environment_id": (RUN_TASK, {"sandbox_environment_id": REPORT}),
    "Some pending_user_artifact_ids are invalid or expired": (RUN_TASK, {"pending_user_artifact_ids": ["x"]}),
    "Some pending_user_artifact_ids are invalid for this run": (START, {"pending_user_artifact_ids": ["x"]}),
    "device_id does not match a push token registered by the caller": (PRESENCE, {"device_id": REPORT}),
    "Artifact storage path is invalid for this task": (FINALIZE, FINALIZE.body),
    "Artifact not found on this run": (PRESIGN, PRESIGN.body),
    "No active sandbox for this task run": (COMMAND, {**SAID, "method": "cancel"}),
}
"""What the twin says to bodies that a serializer accepts, and such a body: rules of the vendor's views, on its rows."""

LINKS = ("github_integration", "github_user_integration", "signal_report")
STATE, LATE, SPELLED = (
    "a run's state must be an object: that it may be any JSON has no meaning",
    "rows are looked up when all fields are right, not field by field",
    "the id of a row is told as it was read, not as it was sent",
)
DIFFERENT: dict[str, tuple[Route, Json, str, str]] = {
    STATE: (PATCH_RUN, {"state": "x"}, 'Expected a dictionary of items but got type "str".', ""),
    LATE: (
        CREATE,
        {"github_integration": 7, "archived": "x"},
        "Must be a valid boolean.",
        'Invalid pk "7" - object does not exist.',
    ),
    SPELLED: (
        CREATE,
        {"signal_report": PHONE.replace("-", "")},
        f'Invalid pk "{PHONE}" - object does not exist.',
        f'Invalid pk "{PHONE.replace("-", "")}" - object does not exist.',
    ),
}
"""What cannot agree: a body for which it does not, and what the twin and the app say to it."""

NUMBERS: list[Json] = [0, 1, -1, 5, 31, 32, 33, 1.5, 1e300, 31457280, 31457281, 2**53, True, False]
TEXTS: list[Json] = [
    "",
    " ",
    "a",
    " a/b ",
    "a/b/c",
    "é😀",
    "5",
    "1.0",
    "true",
    "off",
    "null",
    "\x00",
    "[]",
    "x.pdf",
    "base64",
    "cancel",
]
LONG: list[Json] = ["t" * 64, "t" * 65, "t" * 255, "t" * 256, "😀" * 255, "t" * 501, "t" * 10_001]
THINGS: list[Json] = [
    None,
    [],
    {},
    [1],
    [""],
    ["x"],
    [{}],
    [[]],
    {"a": [{"b": None}]},
    {"content": 5},
    {"artifact_ids": [" "]},
]
CHOICES: list[Json] = [
    "interactive", "signal_report", "user", "codex", "gpt-5.5", "max", "read-only", "queued", "user_attachment", "2.0",
    "permission_response", "implementation", "application/pdf",
]  # fmt: skip
POOL = [*NUMBERS, *TEXTS, *LONG, *THINGS, *CHOICES, *UUIDS, PHONE.replace("-", ""), f"{{{PHONE}}}", f"urn:uuid:{PHONE}"]
EXTRA = ["resume_from_run_id", "github_user_integration", "signal_report", "method", "odd"]
WHOLE: list[Json] = [None, [], [{}], "text", 5, 1.5, True, {}, ""]
MEDIA = {
    "application/json": 12,
    "application/json; charset=utf-8": 2,
    "application/x-www-form-urlencoded": 1,
    "text/plain": 1,
}


class Sent(NamedTuple):
    """One request."""

    route: Route
    media: str
    body: bytes


def requests(seed: int, count: int) -> Iterator[Sent]:
    """To each route in turn: some right bodies, most with a few changes, some no objects, some no JSON."""
    random = Random(seed)
    for n in range(count):
        route, kind = ROUTES[n % len(ROUTES)], random.random()
        whole = json.dumps(changed(random, route.body), ensure_ascii=random.random() < 0.5)
        if kind < 0.05:
            whole = json.dumps(random.choice(WHOLE))
        elif kind < 0.1:
            whole = whole[: random.randrange(1, len(whole))] + random.choice(["", "x", ",", "}", '"', "\n"])
        [media] = random.choices([*MEDIA], [*MEDIA.values()])
        yield Sent(route, media, whole.encode())


def changed(random: Random, body: dict[str, Json]) -> dict[str, Json]:
    """Some fields of a right body, and now and then one of its lists' objects, become something else."""
    found = {name: each for name, each in body.items() if len(body) < 5 or random.random() < 0.7}
    for name in random.sample([*body], min(len(body), random.choice([0, 1, 1, 2]))):
        inner = body[name]
        if isinstance(inner, list) and inner and isinstance(inner[0], dict) and random.random() < 0.8:
            at = random.randrange(len(inner))
            found[name] = [changed(random, each) if n == at else each for n, each in enumerate(inner)]
        else:
            found[name] = random.choice(POOL)
    if random.random() < 0.2:
        found[random.choice(EXTRA)] = random.choice([*POOL, *UUIDS, *UUIDS])
    if found and random.random() < 0.1:
        del found[random.choice([*found])]
    return found


@pytest.fixture(scope="module")
def app() -> Iterator[httpx2.Client]:
    """The real app on a free port."""
    command = [sys.executable, str(Path(__file__).with_name("drf_app.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with httpx2.Client(base_url=process.stdout.readline().strip()) as client:
            yield client
        process.terminate()


class Both(NamedTuple):
    """What the twin and the app said to a request."""

    sent: Sent
    ours: Answer
    theirs: httpx2.Response

    def shown(self) -> str:
        """To read."""
        asked = f"{self.sent.route.method} {self.sent.route.path} {self.sent.media} {self.sent.body.decode()}"
        told = (
            f"twin {self.ours.status} {self.ours.content.decode()}\napp  {self.theirs.status_code} {self.theirs.text}"
        )
        return f"{asked}\n{told}\n"

    @property
    def accepted(self) -> bool:
        """Whether the app's serializer accepts the body."""
        return self.theirs.status_code == 200


Ask = Callable[[Sent], Both]


@pytest.fixture(scope="module")
def ask(app: httpx2.Client) -> Ask:
    """Ada sends a request to a twin as it is in the beginning, and to the app."""
    twin = Twin("posthog", clock="frozen")

    def ask(sent: Sent) -> Both:
        route, head = sent.route, {"content-type": sent.media}
        twin.reset()
        ours = twin.request(route.method, route.path, content=sent.body, headers=head, as_="ada")
        return Both(sent, ours, app.request(route.method, f"/{route.serializer}/", content=sent.body, headers=head))

    return ask


@pytest.fixture(scope="module")
def answers(ask: Ask) -> list[Both]:
    """The answers to all bodies."""
    return [ask(sent) for sent in requests(1, COUNT)]


def refusal(answer: Answer | httpx2.Response) -> str:
    """The words of a refusal, ``""`` if it is none."""
    status = answer.status if isinstance(answer, Answer) else answer.status_code
    told = answer.json() if status >= 400 else {"detail": ""}
    return str(told.get("detail", told.get("error")))


def different(both: Both) -> str:
    """Which of ``DIFFERENT`` this is, ``""`` if none."""
    told: Json = both.ours.json() if both.ours.status == 400 else {}
    expected: Json = both.theirs.json()
    if both.sent.route is PATCH_RUN and (told.get("attr"), told.get("code")) == ("state", "not_a_dict"):
        return STATE
    if expected.get("attr") in LINKS and told.get("attr") != expected["attr"]:
        return LATE
    is_missing = expected.get("code") == told.get("code") == "does_not_exist"
    return SPELLED if is_missing and told["detail"] != expected["detail"] else ""


def test_what_the_app_refuses_is_refused_with_the_same_status_and_body(answers: list[Both]) -> None:
    refused = [each for each in answers if not each.accepted and not different(each)]
    wrong = [
        each
        for each in refused
        if (each.ours.status, each.ours.json()) != (each.theirs.status_code, each.theirs.json())
    ]
    assert [each.shown() for each in wrong] == []


def test_what_the_app_accepts_is_accepted_but_for_the_rules_of_views(answers: list[Both]) -> None:
    accepted = [each for each in answers if each.accepted and not different(each)]
    assert [each.shown() for each in accepted if refusal(each.ours) not in {"", *AFTERWARDS}] == []


@pytest.mark.parametrize("words", AFTERWARDS)
def test_a_rule_of_a_view_refuses_what_the_serializer_accepts(ask: Ask, words: str) -> None:
    route, body = AFTERWARDS[words]
    both = ask(Sent(route, "application/json", json.dumps(body).encode()))
    assert (both.accepted, refusal(both.ours)) == (True, words)


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_cannot_agree_differs_as_its_reason_says(ask: Ask, name: str) -> None:
    route, body, ours, theirs = DIFFERENT[name]
    both = ask(Sent(route, "application/json", json.dumps(body).encode()))
    assert (refusal(both.ours), refusal(both.theirs), different(both)) == (ours, theirs, name)


def test_each_serializer_refuses_some_bodies_and_accepts_others(answers: list[Both]) -> None:
    for name in {route.serializer for route in ROUTES}:
        assert {200, 400} <= {each.theirs.status_code for each in answers if each.sent.route.serializer == name}, name
    statuses = [each.theirs.status_code for each in answers]
    assert {status: statuses.count(status) >= 10 for status in statuses} == {200: True, 400: True, 415: True}
    assert len([each for each in answers if different(each)]) < COUNT / 50
