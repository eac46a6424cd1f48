"""Files that are announced, uploaded, made available and used, on a twin that does so and on some that do not."""

import json

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, deployed, judged, plainly

from tasktwin.suite.protocol import upload
from tasktwin.suite.run import Run

UNITS = ["protocol:file of prepareStagedArtifacts", "protocol:file of prepareRunArtifacts"]


async def leaves_files(asked: Asked, twin: Twin) -> Answer:
    """A file that a run has taken can be taken again."""
    status, body, head = await twin(asked)
    if status == 400 and b"missing_artifact_ids" in body:
        return await twin(Asked(asked.method, asked.path, asked.headers, b"{}", asked.gone))
    return status, body, head


async def miscounts(asked: Asked, twin: Twin) -> Answer:
    """A file is said to be as large as was announced."""
    status, body, head = await twin(asked)
    if not asked.path.endswith("/finalize_upload/"):
        return status, body, head
    changed = body.replace(b'"size":5,', b'"size":48213,')
    return status, changed, [(name, value) for name, value in head if name != b"content-length"]


async def sends_elsewhere(asked: Asked, twin: Twin) -> Answer:
    """Files are kept by somebody else."""
    status, body, head = await twin(asked)
    if not asked.path.endswith("/prepare_upload/"):
        return status, body, head
    said = json.loads(body)
    for each in said["artifacts"]:
        each["presigned_post"]["url"] = "https://storage.example.com/posthog"
    return status, json.dumps(said).encode(), [(name, value) for name, value in head if name != b"content-length"]


def run(fault: Fault) -> Run:
    with deployed("posthog", fault) as url:
        return judged("posthog", url, upload)


def uploads(one: Run) -> list[int]:
    return [each.reply.status for each in one.target.traffic if each.request.operation == "uploadObject"]


def test_a_file_goes_its_way_and_nothing_is_found() -> None:
    one = run(plainly)
    assert sorted(one.units) == sorted(UNITS)
    assert uploads(one) == [204, 204]
    assert {"finalizeStagedArtifacts", "finalizeRunArtifacts", "runTask"} <= {name for name, _ in one.answered}
    assert list(one.findings) == []


@pytest.mark.parametrize(
    ("fault", "rule", "operation"),
    [
        (leaves_files, "rule.accepted", "runTask"),
        (miscounts, "answer.value", "finalizeStagedArtifacts"),
    ],
    ids=["taken twice", "another size"],
)
def test_a_file_that_does_not_go_its_way_is_a_failure(fault: Fault, rule: str, operation: str) -> None:
    found = [each for each in run(fault).findings if each.severity == "failure"]
    assert (rule, operation) in [(each.rule, each.operation) for each in found]
    assert all("multipart/form-data" in each.script for each in found)
    assert all('name="key"' in each.script and '"$key_' in each.script for each in found)


def test_a_file_that_is_kept_elsewhere_is_not_sent_there() -> None:
    one = run(sends_elsewhere)
    assert uploads(one) == []
    assert [each for each in one.findings if each.severity == "failure"] == []


def test_nothing_is_uploaded_where_the_api_takes_no_files() -> None:
    with deployed("aitasker") as url:
        assert judged("aitasker", url, upload).units == []
