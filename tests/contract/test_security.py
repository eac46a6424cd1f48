"""Credentials in a request."""

from typing import Any

import pytest
from tests.contract.documents import contract

from tasktwin.errors import DataError

SCHEMES = {
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "bearer": {"type": "http", "scheme": "Bearer"},
    "basic": {"type": "http", "scheme": "basic"},
    "oauth": {"type": "oauth2", "flows": {}},
    "openid": {"type": "openIdConnect", "openIdConnectUrl": "https://x.test"},
    "mutual": {"type": "mutualTLS"},
}
HEADERS = ((b"x-api-key", b" k1 "), (b"Cookie", b"a=b; session=c1"), (b"Authorization", b"bEARER  t1"))


@pytest.mark.parametrize(
    ("name", "credential"),
    [
        ("header", "k1"),
        ("query", "q1"),
        ("cookie", "c1"),
        ("bearer", "t1"),
        ("basic", None),
        ("oauth", "t1"),
        ("openid", "t1"),
        ("mutual", None),
    ],
)
def test_a_credential_is_found_where_its_scheme_says(name: str, credential: str | None) -> None:
    scheme = contract({}, components={"securitySchemes": SCHEMES}).schemes[name]
    assert scheme.credential(b"key=q1", HEADERS) == credential


@pytest.mark.parametrize("name", list(SCHEMES))
@pytest.mark.parametrize(
    "line",
    [
        (b"x", b""),
        (b"X-API-Key", b""),
        (b"Authorization", b"Bearer "),
        (b"Authorization", b"Bearer"),
        (b"Cookie", b"session"),
    ],
)
def test_an_empty_credential_is_none(name: str, line: tuple[bytes, bytes]) -> None:
    scheme = contract({}, components={"securitySchemes": SCHEMES}).schemes[name]
    assert scheme.credential(b"key=&other", (line,)) is None


@pytest.mark.parametrize(
    "scheme", [{"type": "magic"}, {"type": "apiKey", "in": "body", "name": "x"}, {"type": "apiKey", "in": "header"}, {}]
)
def test_a_scheme_that_cannot_be_is_refused(scheme: Any) -> None:
    with pytest.raises(DataError, match=r"security scheme|apiKey scheme"):
        contract({}, components={"securitySchemes": {"it": scheme}})
