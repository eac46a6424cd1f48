"""How callers prove who they are: schemes, and the credential in a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tasktwin.contract.parameter import read_cookies, read_pairs
from tasktwin.contract.source import Source
from tasktwin.contract.violation import token
from tasktwin.wire import Json

Kind: TypeAlias = Literal["apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"]
Place: TypeAlias = Literal["header", "query", "cookie"]

KINDS: Final[tuple[Kind, ...]] = ("apiKey", "http", "oauth2", "openIdConnect", "mutualTLS")
PLACES: Final[tuple[Place, ...]] = ("header", "query", "cookie")


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """Where a credential stands in a request.

    ``key`` is the lower-case header name or the name of the parameter or cookie. ``http_scheme`` is lower case, such
    as ``bearer``; it is ``bearer`` for oauth2 and openIdConnect too, and ``""`` where the whole value counts.
    """

    name: str
    kind: Kind
    location: Place
    key: str
    http_scheme: str = ""

    def credential(self, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
        """The credential, without its scheme word; ``None`` if it is absent, empty, or of another scheme.

        Of a key sent several times the first counts.
        """
        if self.kind == "mutualTLS":
            return None
        if self.location == "query":
            value = read_pairs(query).get(self.key, [""])[0]
        elif self.location == "cookie":
            value = read_cookies(_header(headers, b"cookie")).get(self.key, [""])[0]
        else:
            value = _header(headers, self.key.encode())
        return self.read(value)

    def read(self, value: str) -> str | None:
        """The credential in the value that stands in the scheme's place, as ``credential`` gives it."""
        if self.http_scheme:
            word, _, rest = value.partition(" ")
            value = rest.strip() if word.lower() == self.http_scheme else ""
        return value or None


def schemes(source: Source) -> dict[str, SecurityScheme]:
    """The security schemes of a document, by name."""
    at = "/components/securitySchemes"
    components = source.mapping(source.document.get("components"), "/components")
    declared = source.mapping(components.get("securitySchemes"), at)
    found = {name: _scheme(source, name, *source.follow(node, at + token(name))) for name, node in declared.items()}
    return {name: scheme for name, scheme in found.items() if scheme is not None}


def _scheme(source: Source, name: str, node: dict[str, Json], pointer: str) -> SecurityScheme | None:
    kind = node.get("type")
    if kind not in KINDS:
        source.refuse(f"{kind!r} is no type of security scheme", f"{pointer}/type", f"Known are {', '.join(KINDS)}.")
        return None
    if kind != "apiKey":
        word = node.get("scheme", "") if kind == "http" else "" if kind == "mutualTLS" else "bearer"
        return SecurityScheme(name, kind, "header", "authorization", str(word).lower())
    place, key = node.get("in"), node.get("name")
    if place not in PLACES or not isinstance(key, str):
        source.refuse("an apiKey scheme needs a name, and in: header, query or cookie", pointer)
        return None
    return SecurityScheme(name, kind, place, key.lower() if place == "header" else key)


def _header(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> str:
    for name, value in headers:
        if len(name) == len(wanted) and name.lower() == wanted:
            return value.decode("latin-1").strip()
    return ""
