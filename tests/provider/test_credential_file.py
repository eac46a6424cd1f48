"""Credentials in a file: filled in from the environment, and never shown."""

from pathlib import Path

import pytest

from tasktwin.errors import DataError
from tasktwin.provider.credential_file import Credentials, read_credentials

SECRET = "s3cr3t-value"


def read(folder: Path, text: str) -> Credentials:
    file = folder / "who.yaml"
    file.write_text(text, encoding="utf-8")
    return read_credentials(file, ["ann", "ben"], {"TOKEN": SECRET, "EMPTY": "", "BROKEN": "a\r\nX: b"})


def test_variables_are_filled_in_and_written_as_variables(tmp_path: Path) -> None:
    found = read(tmp_path, "ann: {Authorization: 'Bearer ${TOKEN}', X-Org: acme}\n")
    assert found.headers == {"ann": {"Authorization": f"Bearer {SECRET}", "X-Org": "acme"}}
    assert found.written == {"ann": {"Authorization": "Bearer ${TOKEN}", "X-Org": "${TASKTWIN_ANN_X_ORG}"}}
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ann:\n  Authorization: ${NOPE}\n", ":2: the environment variable NOPE is not set (at /ann/Authorization)"),
        ("anne: {Authorization: x}\n", ":1: there is no principal 'anne' (at /anne). Did you mean 'ann'?"),
        ("ann: {'Bad Name': x}\n", "this is no name of a header"),
        ("ann: {Authorization: 7}\n", "the value of Authorization is expected to be a text"),
        ("ann: {Authorization: '${EMPTY}'}\n", "is empty, or has characters that no header carries"),
        ("ann: {Authorization: '${BROKEN}'}\n", "is empty, or has characters that no header carries"),
        ("ann: {}\n", "the headers of ann are expected here"),
        ("", "principals and their headers are expected here"),
        ("- ann\n", "principals and their headers are expected here"),
    ],
    ids=["unset", "stranger", "name", "number", "empty", "split", "none", "nothing", "list"],
)
def test_what_is_wrong_is_told_without_a_value(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)
