"""Which web pages may read what the API answers: the CORS protocol (Fetch Standard §3.3).

Not Starlette's middleware: it exposes a fixed list of headers, but with credentials ``*`` is no wildcard, and which
headers an answer has only the answer knows; it takes a fixed list of methods; and it tells every page, allowed or not,
that credentials are. Requests that come from no page never get here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from tasktwin.errors import MisuseError
from tasktwin.server.asgi import Send
from tasktwin.wire import Json

MAX_AGE = 600
"""Seconds for which a browser need not ask again."""

MOST_ORIGINS = 100
ANY, NONE = "*", "none"
_LOCAL = re.compile(r"https?://(localhost|[a-z0-9._-]{1,240}\.localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_USUAL_PORTS = {"http": 80, "https": 443}
_READABLE = frozenset(
    {
        b"cache-control",
        b"content-language",
        b"content-length",
        b"content-type",
        b"expires",
        b"last-modified",
        b"pragma",
        b"vary",
    }
)
"""Headers of an answer that a page may read anyway, or that say nothing to it."""

_METHOD = b"access-control-request-method"
_HEADERS = b"access-control-request-headers"
_NETWORK = b"access-control-request-private-network"
_VARY = (b"vary", b"Origin")
_ASKED = [(b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers")]


@dataclass(frozen=True, slots=True)
class Cors:
    """The origins whose pages may call. ``named`` is ``None`` for those of this machine, empty for none at all."""

    named: frozenset[str] | None = None

    @classmethod
    def of(cls, origins: Sequence[str] | str | None) -> Self:
        """From origins as browsers write them, or ``*`` or ``none`` alone. Raises ``MisuseError`` with a hint."""
        if origins is None:
            return cls()
        given = [origins] if isinstance(origins, str) else list(origins)
        if len(given) > MOST_ORIGINS:
            raise MisuseError(f"cors: {len(given)} origins are more than {MOST_ORIGINS}: use '*' for any")
        for word in (ANY, NONE):
            if word in given and len(set(given)) > 1:
                raise MisuseError(f"cors: {word!r} stands alone, without other origins")
        if given in ([], [NONE]):
            return cls(frozenset())
        return cls(frozenset(each if each in (ANY, "null") else _checked(each) for each in given))

    def __bool__(self) -> bool:
        """Whether anybody may call; if not, the twin is a server that knows no CORS."""
        return self.named is None or bool(self.named)

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may read answers."""
        if self.named is None:
            return _LOCAL.fullmatch(origin) is not None
        return ANY in self.named or origin in self.named

    def preflight(self, origin: bytes, headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]] | None:
        """What ``sharing`` does not add to the answer on whether a request may be sent; ``None`` if nobody asks that.

        Raises ``MisuseError`` telling what to do when it may not.
        """
        asked = {name: value for name, value in headers if name in (_METHOD, _HEADERS, _NETWORK)}
        if _METHOD not in asked:
            return None
        if not self.allows(name := origin.decode("latin-1")):
            raise MisuseError(
                f"pages of {name[:200]} may not read what this twin answers: start it with --cors {name[:200]}"
            )
        told = [
            (b"access-control-allow-methods", asked[_METHOD]),
            (b"access-control-max-age", b"%d" % MAX_AGE),
            *_ASKED,
        ]
        if asked.get(_HEADERS):
            told.append((b"access-control-allow-headers", asked[_HEADERS]))
        if asked.get(_NETWORK) == b"true":
            told.append((b"access-control-allow-private-network", b"true"))
        return told

    def sharing(self, origin: bytes, send: Send) -> Send:
        """``send`` for an answer to a page of this origin, which may then read all its headers if it is allowed."""
        if not self:
            return send
        is_allowed = self.allows(origin.decode("latin-1"))
        granted = [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]

        async def share(message: Json) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                told = [*granted, *_exposed(headers)] if is_allowed else []
                message = {**message, "headers": [*headers, *told, _VARY]}
            await send(message)

        return share


def _exposed(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    told = {name.lower() for name, _ in headers} - _READABLE
    names = sorted(name for name in told if not name.startswith(b"access-control-"))
    return [(b"access-control-expose-headers", b", ".join(names))] if names else []


def _checked(origin: str) -> str:
    if _ORIGIN.fullmatch(origin) and origin == _written(origin):
        return origin
    raise MisuseError(f"cors: {origin[:200]!r} is no origin as browsers write it. {_hint(origin[:200])}")


def _hint(origin: str) -> str:
    if "*" in origin:
        return "'*' alone means any; a part of a name cannot be left open"
    if "://" not in origin:
        return f"It begins with the scheme: http://{origin.strip('/')}, or https://"
    written = _written(origin)
    return f"Write {written}" if _ORIGIN.fullmatch(written) else "Write it like http://app.example:3000"


def _written(origin: str) -> str:
    """The origin of a URL: scheme and host in lower case, no usual port, no path, names in ASCII; "" if it has none."""
    try:
        parts = urlsplit(origin)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port
    except ValueError:
        return ""
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port not in (None, _USUAL_PORTS.get(parts.scheme)) else "")
