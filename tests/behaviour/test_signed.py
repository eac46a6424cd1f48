"""Signed tokens against the world's clock: their times, their signatures, and what is no token at all."""

from base64 import urlsafe_b64encode

import jwt
import pytest

from tasktwin.behaviour.signed import Jwt, looks_signed, read_claims, sign
from tasktwin.errors import MisuseError, Refusal
from tasktwin.wire import Json

KEY = "0123456789abcdef" * 4
NOW = 1_800_000_000
SECOND = 1_000_000


def rule(**more: Json) -> Jwt:
    return Jwt(KEY, ("HS256",), "expired", "early", lambda _: {}, SECOND, **more)


def verdict(token: str, known: Jwt | None = None, now: int = NOW * SECOND) -> str:
    """``good``, or the kind of the refusal."""
    try:
        read_claims(known or rule(), token, now, "unknown")
    except Refusal as refusal:
        return refusal.kind
    return "good"


def raw(header: bytes, payload: bytes = b"{}") -> str:
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload, b"signature"))


def signed(payload: bytes) -> str:
    """A token that is signed well, whatever it carries."""
    return jwt.PyJWS().encode(payload, KEY, "HS256")


TIMES: dict[str, tuple[dict[str, Json], int, str]] = {
    "none": ({}, 0, "good"),
    "before exp": ({"exp": NOW + 1}, 0, "good"),
    "at exp": ({"exp": NOW}, 0, "expired"),
    "a part of a second before exp": ({"exp": NOW + 0.000002}, 0, "good"),
    "a part of a second after exp": ({"exp": NOW - 0.000002}, 0, "expired"),
    "exp forgiven": ({"exp": NOW}, 1, "good"),
    "exp no longer forgiven": ({"exp": NOW - 1}, 1, "expired"),
    "at nbf": ({"nbf": NOW}, 0, "good"),
    "before nbf": ({"nbf": NOW + 1}, 0, "early"),
    "nbf forgiven": ({"nbf": NOW + 1}, 1, "good"),
    "an end and a beginning beyond all calendars": ({"exp": 1e308, "nbf": -1e308}, 0, "good"),
    "issued in the future": ({"iat": NOW + 99}, 0, "good"),
    "a text": ({"exp": str(NOW + 1)}, 0, "unknown"),
    "null": ({"exp": None}, 0, "unknown"),
    "true": ({"nbf": True}, 0, "unknown"),
}


@pytest.mark.parametrize(("claims", "leeway", "expected"), TIMES.values(), ids=TIMES)
def test_a_token_is_good_between_its_times(claims: dict[str, Json], leeway: int, expected: str) -> None:
    assert verdict(sign(claims, KEY, "HS256"), rule(leeway=leeway * SECOND)) == expected


SIGNATURES = {
    "another key": sign({}, KEY[::-1], "HS256"),
    "another algorithm": sign({}, KEY, "HS512"),
    "no signature": sign({}, KEY, "none"),
    "a signature cut off": sign({}, KEY, "HS256").rpartition(".")[0] + ".",
    "another's signature": sign({"sub": "a"}, KEY, "HS256").rpartition(".")[0] + "." + signed(b"{}").rpartition(".")[2],
}


@pytest.mark.parametrize("token", SIGNATURES.values(), ids=SIGNATURES)
def test_what_the_key_did_not_sign_is_unknown(token: str) -> None:
    assert verdict(token) == "unknown"


NO_TOKENS = {
    "two points": "..",
    "text": "a.b.c",
    "other letters": signed(b"{}") + "é",
    "a blank": signed(b"{}").replace(".", ". ", 1),
    "no algorithm": raw(b"{}"),
    "a list of algorithms": raw(b'{"alg": ["HS256"]}'),
    "a header that is a list": raw(b"[]"),
    "a header of many levels": raw(b"[" * 20_000),
    "something critical": raw(b'{"alg": "HS256", "crit": ["x"]}'),
    "a payload elsewhere": raw(b'{"alg": "HS256", "crit": ["b64"], "b64": false}'),
    "no payload": signed(b""),
    "a list for claims": signed(b"[]"),
    "not JSON": signed(b"{"),
    "NaN": signed(b'{"exp": NaN}'),
    "a number beyond a double": signed(b'{"exp": 1e999}'),
    "a lone surrogate": signed(rb'{"sub": "\ud800"}'),
    "claims of many levels": signed(b'{"a":' * 20_000),
}


@pytest.mark.parametrize("token", NO_TOKENS.values(), ids=NO_TOKENS)
def test_what_is_no_token_is_unknown(token: str) -> None:
    assert verdict(token) == "unknown"


AUDIENCES: dict[str, tuple[dict[str, Json], dict[str, Json], str]] = {
    "for nobody in particular": ({}, {}, "good"),
    "for somebody else": ({}, {"aud": "shop"}, "unknown"),
    "for this audience": ({"audience": "shop"}, {"aud": "shop"}, "good"),
    "for several": ({"audience": "shop"}, {"aud": ["bank", "shop"]}, "good"),
    "for none of several": ({"audience": "shop"}, {"aud": ["bank"]}, "unknown"),
    "audience missing": ({"audience": "shop"}, {}, "unknown"),
    "audience as an object": ({"audience": "shop"}, {"aud": {"shop": 1}}, "unknown"),
    "any issuer": ({}, {"iss": "x"}, "good"),
    "the issuer": ({"issuer": "x"}, {"iss": "x"}, "good"),
    "another issuer": ({"issuer": "x"}, {"iss": ["x"]}, "unknown"),
}


@pytest.mark.parametrize(("more", "claims", "expected"), AUDIENCES.values(), ids=AUDIENCES)
def test_issuer_and_audience_must_be_right(more: dict[str, Json], claims: dict[str, Json], expected: str) -> None:
    assert verdict(sign(claims, KEY, "HS256"), rule(**more)) == expected


def test_a_token_can_be_read_by_any_other_library() -> None:
    token = sign({"sub": "ann", "exp": 4_000_000_000}, KEY, "HS384")
    assert jwt.decode(token, KEY, ["HS384"]) == {"sub": "ann", "exp": 4_000_000_000}
    assert jwt.get_unverified_header(token) == {"alg": "HS384", "typ": "JWT"}


def test_a_key_that_cannot_sign_is_told() -> None:
    with pytest.raises(MisuseError, match="cannot be signed"):
        sign({}, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "HS256")


@pytest.mark.parametrize(("credential", "expected"), [("a.b.c", True), ("a.b", False), ("a.b.c.d", False), ("", False)])
def test_three_parts_look_signed(credential: str, *, expected: bool) -> None:
    assert looks_signed(credential) is expected
