"""Files: prepared, uploaded as an S3 client does, finalized, taken by a run; and what the storage turns away."""

from typing import Any

import pytest
from tests.posthog.conftest import Ask

from tasktwin.exchange.twin import Answer, Twin
from tasktwin.wire import Json

TASK = "10000000-0000-4000-8000-{:012d}/".format
RUN = f"{TASK(1)}runs/20000000-0000-4000-8000-000000000002/"
STAGED, ATTACHED = f"{TASK(1)}staged_artifacts/", f"{RUN}artifacts/"
FILE = {"name": "a/b/notes.txt", "type": "context", "size": 5, "content_type": "text/plain"}


def prepare(ask: Ask, at: str = STAGED, **more: Json) -> Any:
    """A prepared file."""
    answer = ask("POST", f"{at}prepare_upload/", {"artifacts": [{**FILE, **more}]})
    assert answer.status == 200, answer.content
    return answer.json()["artifacts"][0]


def upload(twin: Twin, url: str, fields: dict[str, str], content: bytes | None = b"hello") -> Answer:
    """The form as an S3 client sends it: fields first, the file last."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if content is not None:
        parts.append(b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + content + b"\r\n")
    head = {"content-type": "multipart/form-data; boundary=b"}
    return twin.request("POST", url, content=b"".join([*parts, b"--b--\r\n"]), headers=head)


def finalize(ask: Ask, *prepared: Json, at: str = STAGED) -> Answer:
    """Finalize prepared files."""
    names = ("id", "name", "type", "storage_path", "content_type")
    return ask(
        "POST", f"{at}finalize_upload/", {"artifacts": [{name: each[name] for name in names} for each in prepared]}
    )


def staged(twin: Twin, ask: Ask) -> Any:
    """A file that waits for the next run."""
    prepared = prepare(ask)
    assert upload(twin, **prepared["presigned_post"]).status == 204
    assert finalize(ask, prepared).status == 200
    return prepared


def test_a_staged_file_is_measured_and_taken_by_the_next_run_once(twin: Twin, ask: Ask) -> None:
    prepared = prepare(ask, size=100)
    key = prepared["id"]
    assert prepared["storage_path"] == f"tasks/artifacts/team_1/task_{TASK(1)}staged/{key}/notes.txt"
    answer = upload(twin, **prepared["presigned_post"])
    assert (answer.status, answer.headers["ETag"]) == (204, '"5d41402abc4b2a76b9719d911017c592"')
    shown = finalize(ask, prepared).json()["artifacts"]
    assert [(each["size"], each["content_type"], each["name"]) for each in shown] == [(5, "text/plain", "notes.txt")]
    run = ask("POST", f"{TASK(1)}run/", {"pending_user_artifact_ids": [key]}).json()["latest_run"]
    assert (run["artifacts"], run["state"]["pending_user_artifact_ids"]) == (shown, [key])
    again = ask("POST", f"{TASK(1)}run/", {"pending_user_artifact_ids": [key]})
    assert (again.status, again.json()["missing_artifact_ids"]) == (400, [key])


def test_an_unknown_file_keeps_the_known_one_for_later(twin: Twin, ask: Ask) -> None:
    key = staged(twin, ask)["id"]
    answer = ask("POST", f"{TASK(1)}run/", {"pending_user_artifact_ids": [key, "x"]})
    assert (answer.status, answer.json()["missing_artifact_ids"]) == (400, ["x"])
    assert ask("POST", f"{TASK(1)}run/", {"pending_user_artifact_ids": [key]}).status == 200


@pytest.mark.parametrize(("hours", "status"), [(23.9, 200), (24, 400)], ids=["before", "after"])
def test_a_staged_file_waits_a_day(hours: float, status: int, twin: Twin, ask: Ask) -> None:
    key = staged(twin, ask)["id"]
    twin.advance(hours=hours)
    assert ask("POST", f"{TASK(1)}run/", {"pending_user_artifact_ids": [key]}).status == status


FORMS: dict[str, tuple[dict[str, str | None], bytes | None, int, str]] = {
    "no key": ({"key": None}, b"hello", 400, "InvalidArgument"),
    "no policy": ({"policy": None}, b"hello", 403, "InvalidArgument"),
    "another key": ({"key": "tasks/x"}, b"hello", 403, "AccessDenied"),
    "another policy": ({"policy": "e30="}, b"hello", 403, "SignatureDoesNotMatch"),
    "another signature": ({"x-amz-signature": "0"}, b"hello", 403, "SignatureDoesNotMatch"),
    "another date": ({"x-amz-date": "20200101T000000Z"}, b"hello", 403, "AccessDenied"),
    "no file": ({}, None, 400, "InvalidArgument"),
    "too large": ({}, b"x" * (5 + 65_537), 400, "EntityTooLarge"),
    "as large as may be": ({}, b"x" * (5 + 65_536), 204, ""),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_checked(name: str, twin: Twin, ask: Ask) -> None:
    changes, content, status, code = FORMS[name]
    form = prepare(ask)["presigned_post"]
    fields = {name: value for name, value in {**form["fields"], **changes}.items() if value is not None}
    answer = upload(twin, form["url"], fields, content)
    assert answer.status == status
    assert code.encode() in answer.content
    assert status == 204 or answer.headers["content-type"] == "application/xml"


@pytest.mark.parametrize(("seconds", "status"), [(3599, 204), (3600, 403)], ids=["in time", "expired"])
def test_a_form_holds_an_hour(seconds: int, status: int, twin: Twin, ask: Ask) -> None:
    form = prepare(ask)["presigned_post"]
    twin.advance(seconds)
    assert upload(twin, **form).status == status


def test_a_form_for_one_task_stores_nothing_for_another(twin: Twin, ask: Ask) -> None:
    form, other = prepare(ask)["presigned_post"], prepare(ask, f"{TASK(2)}staged_artifacts/")
    answer = upload(twin, form["url"], {**form["fields"], "key": other["storage_path"]})
    assert (answer.status, b"Policy Condition failed" in answer.content) == (403, True)


def test_another_bucket_is_not_there(twin: Twin, ask: Ask) -> None:
    answer = upload(twin, "/storage/elsewhere", prepare(ask)["presigned_post"]["fields"])
    assert (answer.status, b"NoSuchBucket" in answer.content) == (404, True)


def test_the_first_wrong_file_stops_all(twin: Twin, ask: Ask) -> None:
    good, missing = prepare(ask), prepare(ask)
    upload(twin, **good["presigned_post"])
    answer = finalize(ask, good, missing)
    assert (answer.status, answer.json()) == (400, {"error": "Artifact upload not found in object storage"})
    assert ask("POST", f"{TASK(1)}run/", {"pending_user_artifact_ids": [good["id"]]}).status == 400


@pytest.mark.parametrize("change", ["task", "id"])
def test_a_path_that_is_not_the_file_s_own_is_refused(change: str, twin: Twin, ask: Ask) -> None:
    prepared = staged(twin, ask)
    wrong = prepared if change == "task" else {**prepared, "id": "f" * 32}
    answer = finalize(ask, wrong, at=f"{TASK(2)}staged_artifacts/" if change == "task" else STAGED)
    assert (answer.status, answer.json()) == (400, {"error": "Artifact storage path is invalid for this task"})


def test_a_file_larger_than_its_type_allows_is_found_when_finalized(twin: Twin, ask: Ask) -> None:
    prepared = prepare(ask, name="a.pdf", type="user_attachment", size=10 * 1_048_576)
    assert upload(twin, **prepared["presigned_post"], content=b"x" * (10 * 1_048_576 + 1)).status == 204
    assert finalize(ask, prepared).json() == {"error": "a.pdf exceeds the 10MB attachment limit for PDFs in cloud runs"}


def test_files_of_a_run_are_attached_once_and_can_be_had_again(twin: Twin, ask: Ask) -> None:
    prepared = prepare(ask, ATTACHED)
    assert prepared["storage_path"].endswith(f"{RUN.split('/')[2]}/{prepared['id'][:8]}_notes.txt")
    upload(twin, **prepared["presigned_post"])
    first = finalize(ask, prepared, at=ATTACHED).json()
    twin.advance(60)
    assert finalize(ask, prepared, at=ATTACHED).json() == first
    assert ask("GET", RUN).json()["artifacts"] == first["artifacts"]
    choice = {"storage_path": prepared["storage_path"]}
    assert ask("POST", f"{ATTACHED}presign/", choice).json()["expires_in"] == 3600
    answer = ask("POST", f"{ATTACHED}download/", choice)
    assert (answer.content, answer.headers["content-type"]) == (b"hello", "text/plain")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="notes.txt"'
    twin.world.store.delete("object", prepared["storage_path"])
    gone = ask("POST", f"{ATTACHED}download/", choice)
    assert (gone.status, gone.json()) == (404, {"error": "Artifact content not found"})


@pytest.mark.parametrize(
    ("content", "encoding", "found"),
    [("héllo", "utf-8", "héllo".encode()), ("aGk=", "base64", b"hi")],
    ids=["text", "base64"],
)
def test_files_in_the_request_join_the_run(content: str, encoding: str, found: bytes, ask: Ask) -> None:
    asked = {
        "name": "plan ü b.md",
        "type": "plan",
        "content": content,
        "content_encoding": encoding,
        "content_type": "x\r\ny",
    }
    ask("POST", ATTACHED, {"artifacts": [asked]})
    shown = ask("POST", ATTACHED, {"artifacts": [asked]}).json()["artifacts"]
    assert [each["size"] for each in shown] == [len(found)] * 2
    resumed = ask("POST", f"{TASK(1)}run/", {"resume_from_run_id": RUN.split("/")[2]}).json()["latest_run"]["id"]
    path = {"storage_path": shown[0]["storage_path"]}
    answer = ask("POST", f"{TASK(1)}runs/{resumed}/artifacts/download/", path)
    assert (answer.content, answer.headers["content-type"]) == (found, "application/octet-stream")
    assert ask("POST", f"{TASK(1)}runs/{resumed}/artifacts/presign/", path).status == 404


def test_a_path_of_another_run_is_refused(twin: Twin, ask: Ask) -> None:
    answer = finalize(ask, staged(twin, ask), at=ATTACHED)
    assert (answer.status, answer.json()) == (400, {"error": "Artifact storage path is invalid for this run"})
