"""Files uploaded over HTTP as clients of S3 do with a presigned POST: its fields as they are, then the file."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tasktwin.wire import Json

TASK, OTHER = (f"/api/projects/@current/tasks/10000000-0000-4000-8000-{n:012d}/" for n in (1, 2))
CONTENT = b"Deliveries failed at 09:12.\n"
HOUR = 3600
NAME = "webhooks.log"


@pytest.fixture
def api(serve: Callable[..., str]) -> Iterator[httpx2.Client]:
    """Ada, at a twin served by the real command."""
    base = serve("posthog", "--clock", "frozen")
    with httpx2.Client(base_url=base, headers={"Authorization": "Bearer phx_ada_all"}) as client:
        yield client


def prepared(api: httpx2.Client, task: str = TASK) -> Any:
    """A file that a task may be sent."""
    asked = {"name": NAME, "type": "user_attachment", "size": len(CONTENT), "content_type": "text/plain"}
    answer = api.post(f"{task}staged_artifacts/prepare_upload/", json={"artifacts": [asked]})
    return answer.raise_for_status().json()["artifacts"][0]


def uploaded(post: Json, content: bytes = CONTENT, **changes: str | None) -> httpx2.Response:
    """The upload, by somebody who is not signed in. A change to ``None`` leaves a field out."""
    fields = post["fields"] | {name.replace("_", "-"): each for name, each in changes.items()}
    sent = {name: each for name, each in fields.items() if each is not None}
    return httpx2.post(post["url"], data=sent, files={"file": (NAME, content)})


def finalized(api: httpx2.Client, artifact: Json, task: str = TASK) -> httpx2.Response:
    """The answer to: it is there."""
    names = ("id", "name", "type", "source", "storage_path", "content_type")
    body = {"artifacts": [{name: artifact[name] for name in names}]}
    return api.post(f"{task}staged_artifacts/finalize_upload/", json=body)


def error(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal, which is written as S3 writes it."""
    assert answer.headers["content-type"] == "application/xml"
    found = re.fullmatch(
        r'<\?xml version="1.0" encoding="UTF-8"\?>\s<Error><Code>(\w+)</Code><Message>[^<]+</Message></Error>',
        answer.text,
    )
    assert found, answer.text
    return answer.status_code, found[1]


def test_an_uploaded_file_is_attached_to_the_next_run(api: httpx2.Client) -> None:
    artifact = prepared(api)
    answer = uploaded(artifact["presigned_post"])
    assert (answer.status_code, answer.content) == (204, b"")
    shown = finalized(api, artifact).raise_for_status().json()["artifacts"]
    assert [(each["name"], each["size"]) for each in shown] == [(NAME, len(CONTENT))]

    run = api.post(f"{TASK}run/", json={"pending_user_artifact_ids": [artifact["id"]]}).json()["latest_run"]
    assert run["artifacts"] == shown
    where = f"{TASK}runs/{run['id']}/artifacts/download/"
    assert api.post(where, json={"storage_path": artifact["storage_path"]}).content == CONTENT


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "a changed signature": ({"x_amz_signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
    "a changed policy": ({"policy": "e30="}, 403, "SignatureDoesNotMatch"),
    "a changed date": ({"x_amz_date": "20200101T000000Z"}, 403, "AccessDenied"),
    "another key": ({"key": "tasks/artifacts/mine.txt"}, 403, "AccessDenied"),
    "no key": ({"key": None}, 400, "InvalidArgument"),
    "no signature": ({"x_amz_signature": None}, 403, "InvalidArgument"),
    "no algorithm": ({"x_amz_algorithm": None}, 403, "InvalidArgument"),
    "far too large": ({"content": b"x" * (len(CONTENT) + 65_537)}, 400, "EntityTooLarge"),
}


@pytest.mark.parametrize(("changes", "status", "code"), WRONG.values(), ids=WRONG)
def test_a_wrong_form_is_refused_and_nothing_is_stored(
    api: httpx2.Client, changes: dict[str, Any], status: int, code: str
) -> None:
    artifact = prepared(api)
    assert error(uploaded(artifact["presigned_post"], **changes)) == (status, code)
    assert finalized(api, artifact).json() == {"error": "Artifact upload not found in object storage"}


def test_a_form_without_a_file_is_refused(api: httpx2.Client) -> None:
    post = prepared(api)["presigned_post"]
    no_file = {name: (None, value) for name, value in post["fields"].items()}
    assert error(httpx2.post(post["url"], files=no_file)) == (400, "InvalidArgument")


def test_a_form_is_good_for_an_hour(api: httpx2.Client) -> None:
    artifact = prepared(api)
    api.post("/_tasktwin/clock", json={"advance": HOUR - 1}).raise_for_status()
    assert uploaded(artifact["presigned_post"]).status_code == 204
    api.post("/_tasktwin/clock", json={"advance": 1}).raise_for_status()
    assert error(uploaded(artifact["presigned_post"])) == (403, "AccessDenied")


def test_the_form_of_one_task_puts_nothing_into_another(api: httpx2.Client) -> None:
    mine, other = prepared(api), prepared(api, OTHER)
    assert error(uploaded(mine["presigned_post"], key=other["storage_path"])) == (403, "AccessDenied")
    uploaded(mine["presigned_post"])
    answer = finalized(api, mine, OTHER)
    assert (answer.status_code, answer.json()) == (400, {"error": "Artifact storage path is invalid for this task"})
