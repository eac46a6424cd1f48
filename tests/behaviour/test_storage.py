from pathlib import Path
from typing import Any

import pytest
from tests.behaviour.jobs import HOUR, ask, worlds
from tests.provider.small import PROVIDER

from tasktwin.behaviour.step import Step
from tasktwin.behaviour.storage import content_of, find_object, make_form
from tasktwin.behaviour.verb import Outcome
from tasktwin.behaviour.world import World
from tasktwin.errors import DataError, Refusal

STORAGE = "storage: {bucket: files, collection: object, lasts: 1h}\n"
OBJECT = "collections:\n  object: {schema: null, fields: [id, size, content_type, content]}\n"
READ = "getJob: {verb: read, collection: job, row: $request.path.job_id}"


def storing(folder: Path, storage: str = STORAGE, objects: str = OBJECT) -> World:
    text = PROVIDER.replace(READ, "getJob: {verb: upload}").replace("collections:\n", storage + objects)
    return worlds(folder, {"provider.yaml": text}).get()


def step_in(world: World) -> Step:
    return Step(world, world.scope(), "", {}, None, None)


def post(world: World, content: bytes | None = b"abc", **changes: str | None) -> Outcome:
    """Post a form for at most five bytes, with some fields changed; null ones are left out."""
    form = make_form(step_in(world), "https://files.example/files", "a/b c.txt", 5)
    fields: dict[str, Any] = {**form["fields"], **{name.replace("_", "-"): each for name, each in changes.items()}}
    body = {name: each for name, each in {**fields, "file": content}.items() if each is not None}
    return ask(world, "getJob", body=body, url=lambda: "https://files.example/files?x=1")


def test_a_posted_file_is_kept_under_its_key(tmp_path: Path) -> None:
    world = storing(tmp_path)
    headers = dict(post(world).headers)
    assert headers["Location"] == "https://files.example/files/a/b%20c.txt"
    stored = find_object(step_in(world), "a/b c.txt")
    assert stored is not None
    assert (content_of(stored), stored["size"], stored["content_type"]) == (b"abc", 3, "binary/octet-stream")


def test_a_second_file_of_a_key_takes_the_place_of_the_first(tmp_path: Path) -> None:
    world = storing(tmp_path)
    post(world)
    post(world, b"other")
    stored = find_object(step_in(world), "a/b c.txt")
    assert stored is not None
    assert content_of(stored) == b"other"


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"key": None}, "upload_invalid", "InvalidArgument"),
        ({"policy": None}, "upload_refused", "InvalidArgument"),
        ({"content": None}, "upload_invalid", "InvalidArgument"),
        ({"content": b"123456"}, "upload_invalid", "EntityTooLarge"),
        ({"policy": "e30="}, "upload_refused", "SignatureDoesNotMatch"),
        ({"x_amz_signature": "ü"}, "upload_refused", "SignatureDoesNotMatch"),
        ({"key": "a/else"}, "upload_refused", "AccessDenied"),
        ({"x_amz_date": "20300101T000000Z"}, "upload_refused", "AccessDenied"),
    ],
    ids=["no-key", "no-policy", "no-file", "too-large", "other-policy", "other-signature", "other-key", "other-date"],
)
def test_a_form_that_was_changed_is_refused(tmp_path: Path, changes: dict[str, Any], kind: str, code: str) -> None:
    world = storing(tmp_path)
    with pytest.raises(Refusal) as caught:
        post(world, **changes)
    assert (caught.value.kind, caught.value.data) == (kind, code)
    assert not world.store.sizes().get("object")


@pytest.mark.parametrize(("seconds", "fresh"), [(HOUR - 1, True), (HOUR, False)], ids=["just-in-time", "expired"])
def test_a_form_is_good_until_its_time_is_over(tmp_path: Path, seconds: int, *, fresh: bool) -> None:
    world = storing(tmp_path)
    form = make_form(step_in(world), "", "a", 5)
    world.advance(seconds)
    if fresh:
        assert ask(world, "getJob", body={**form["fields"], "file": b"x"}).headers
    else:
        with pytest.raises(Refusal, match="Policy expired"):
            ask(world, "getJob", body={**form["fields"], "file": b"x"})


@pytest.mark.parametrize(
    ("storage", "objects", "says"),
    [
        ("", OBJECT, "the verb upload needs a storage"),
        (STORAGE.replace("object", "objects"), OBJECT, "there is no collection 'objects'"),
        (STORAGE, OBJECT.replace(" size,", ""), "object has no field 'size'"),
    ],
    ids=["no-storage", "unknown-collection", "field-missing"],
)
def test_a_storage_that_cannot_work_is_told(tmp_path: Path, storage: str, objects: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        storing(tmp_path, storage, objects)
