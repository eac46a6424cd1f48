"""Signed tokens (JWT, RFC 7519): read by the world's clock, and made for those who ask for one.

The library for signatures is loaded with the first token, so that a twin that meets none starts without it.
"""

import re
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from tasktwin.behaviour.expression import Reader
from tasktwin.errors import MisuseError, Refusal
from tasktwin.state.clock import SECOND
from tasktwin.wire import Json, dumps, loads

if TYPE_CHECKING:
    from jwt import PyJWS

ALGORITHMS: Final = ("HS256", "HS384", "HS512")
"""What a token may be signed with; ``none`` is none of them."""

_THREE_PARTS = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Jwt:
    """What makes a signed token good, and what the twin's own say.

    ``key`` stands openly in the data and protects nothing. ``leeway`` and ``lasts`` are microseconds; ``expired`` and
    ``early`` are kinds of refusal. ``claims`` reads from a scope with ``principal`` what a new token says of it.
    """

    key: str
    algorithms: tuple[str, ...]
    expired: str
    early: str
    claims: Reader
    lasts: int
    leeway: int = 0
    issuer: str | None = None
    audience: str | None = None


def looks_signed(credential: str) -> bool:
    """Whether a credential has the three parts of a signed token; they may be nonsense."""
    return credential.count(".") == 2


def read_claims(rule: Jwt, token: str, now: int, unknown: str) -> dict[str, Json]:
    """The claims of a token that is good at an instant.

    Raises ``Refusal``: of the kind ``unknown`` for whatever was not signed by the key or is no token at all, else of
    the rule's kinds.
    """
    try:
        claims = loads(_payload(rule, token, unknown))
    except ValueError:
        raise Refusal(unknown, "the token cannot be read") from None
    if not isinstance(claims, dict):
        raise Refusal(unknown, "the token carries no claims")
    if not _meant(rule, claims):
        raise Refusal(unknown, "the token is of another issuer, or for another audience")
    ends, begins = _seconds(claims, "exp", unknown), _seconds(claims, "nbf", unknown)
    if ends is not None and now - rule.leeway >= ends * SECOND:
        raise Refusal(rule.expired, "the token has expired")
    if begins is not None and now + rule.leeway < begins * SECOND:
        raise Refusal(rule.early, "the token is not valid yet")
    return claims


def sign(claims: dict[str, Json], key: str, algorithm: str) -> str:
    """A token with these claims, whatever they are. ``none`` leaves it unsigned.

    Raises ``MisuseError`` for a key that no such signature can be made with.
    """
    from jwt import PyJWTError  # noqa: PLC0415 - see the module

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a short key is what a client's test may want
        try:
            return _signatures().encode(dumps(claims), "" if algorithm == "none" else key, algorithm)
        except PyJWTError as error:
            raise MisuseError(f"the token cannot be signed: {error}") from None


def _payload(rule: Jwt, token: str, unknown: str) -> bytes:
    """The bytes that the signature proves. Raises ``ValueError`` for what is no token, and ``Refusal``."""
    from jwt import InvalidAlgorithmError, InvalidSignatureError, PyJWTError  # noqa: PLC0415 - see the module

    if not _THREE_PARTS.fullmatch(token):
        raise ValueError("it has not three parts in the alphabet of tokens")
    try:
        payload: bytes = _signatures().decode(token, rule.key, list(rule.algorithms))
    except InvalidAlgorithmError:
        raise Refusal(unknown, f"the token is not signed with {' or '.join(rule.algorithms)}") from None
    except InvalidSignatureError:
        raise Refusal(unknown, "the token's signature does not fit") from None
    except (PyJWTError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return payload


def _meant(rule: Jwt, claims: dict[str, Json]) -> bool:
    """Whether issuer and audience are right. A token for somebody in particular is for nobody else (RFC 7519, 4.1.3)."""
    named = claims.get("aud", [])
    audience = named if isinstance(named, list) else [named]
    right = rule.audience in audience if rule.audience else not audience
    return right and (rule.issuer is None or claims.get("iss") == rule.issuer)


def _seconds(claims: dict[str, Json], name: str, unknown: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refusal(unknown, f"the token's {name} is no number of seconds")
    return value


@cache
def _signatures() -> "PyJWS":
    from jwt import PyJWS  # noqa: PLC0415 - see the module

    return PyJWS()
