"""The head of a request and of an answer: what goes on as it is, and what ends here (RFC 9110 §7.6.1)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Header lines as ASGI has them."""

HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields that are meant for the next hop only."""

_FRAMING: Final = frozenset({b"content-length", b"host"})
_HOST: Final = re.compile(rb"([\w.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?", re.ASCII)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where requests go on to. ``base`` is the path before all paths, without a slash at its end."""

    url: str
    host: bytes
    base: str

    @classmethod
    def of(cls, url: str) -> "Upstream":
        """From a base URL that is known to be one."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        port = "" if parts.port in {None, _PORTS[parts.scheme]} else f":{parts.port}"
        return cls(
            url.rstrip("/"), f"{shown}{port}".encode("idna" if not shown.isascii() else "ascii"), parts.path.rstrip("/")
        )

    def target(self, path: bytes, query: bytes) -> bytes:
        """What stands in the request line. Bytes that may not stand there are percent-encoded; nothing else changes."""
        whole = self.base.encode() + path + (b"?" + query if query else b"")
        return b"".join(b"%%%02X" % each if each < 0x21 or each > 0x7E else bytes((each,)) for each in whole)

    def is_origin_of(self, parts: SplitResult) -> bool:
        """Whether a URL is of the same origin."""
        own = urlsplit(self.url)
        return _origin(parts, own.scheme) == _origin(own, own.scheme)


def line(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    """All lines of this name (lower case) as one; empty if there is none."""
    return b", ".join(value for key, value in headers if key.lower() == name)


def refused(method: str, version: str, headers: Headers) -> str:
    """Why a request cannot be passed on; "" if it can."""
    upgrade = line(headers, b"upgrade").lower()
    if method == "CONNECT":
        return "tunnels are not passed on: requests are"
    if upgrade and upgrade != b"h2c":
        return f"upgrades to another protocol ({upgrade[:40].decode('latin-1')}) are not passed on: only HTTP is"
    if line(headers, b"trailer"):
        return "trailer fields are not passed on: send them as header fields"
    if line(headers, b"transfer-encoding").lower().strip() not in {b"", b"chunked"}:
        return "of the transfer codings only chunked is passed on"
    return "" if version.startswith("1") else f"HTTP/{version} is not passed on"


def has_body(headers: Headers) -> bool:
    """Whether a body follows the head of a request."""
    return line(headers, b"content-length").strip() not in {b"", b"0"} or bool(line(headers, b"transfer-encoding"))


def passed_on(headers: Headers, upstream: Upstream) -> list[tuple[bytes, bytes]]:
    """The header lines of a request as the deployment gets them: with its own ``Host``."""
    ends = _ends(headers) | {b"host", b"expect"}  # the server in front of us has answered the expectation
    chunked = [(b"transfer-encoding", b"chunked")] if line(headers, b"transfer-encoding") else []
    return [(b"host", upstream.host), *(pair for pair in headers if pair[0].lower() not in ends), *chunked]


def handed_back(status: int, headers: Headers, upstream: Upstream, own: str) -> list[tuple[bytes, bytes]]:
    """The header lines of an answer as the client gets them. ``own`` is the origin by which it reached us."""
    ends = _ends(headers) | ({b"content-length"} if status in {204, 304} else set())
    return [
        (name, located(value, upstream, own) if name.lower() == b"location" else value)
        for name, value in headers
        if name.lower() not in ends
    ]


def unfit(status: int, headers: list[tuple[bytes, bytes]], method: str, version: str) -> tuple[int, str, str] | None:
    """Why an answer cannot be handed back: status, title and detail of what is answered instead."""
    if not 200 <= status < 600 or any(_CONTROL.search(value) for _, value in headers):
        return 502, "unfit-answer", "the head of the answer holds what HTTP does not allow"
    if version == "1.0" and method != "HEAD" and status not in {204, 304} and not line(headers, b"content-length"):
        return 505, "unfit-client", "the answer has no length, which HTTP/1.0 cannot carry: ask with HTTP/1.1"
    return None


def is_stream(headers: Headers) -> bool:
    """Whether an answer is a stream of server-sent events."""
    return line(headers, b"content-type").partition(b";")[0].strip().lower() == b"text/event-stream"


def located(location: bytes, upstream: Upstream, own: str) -> bytes:
    """A ``Location`` that leads to the deployment leads through here; any other stays as it is."""
    text = location.decode("latin-1")
    try:
        parts = urlsplit(text)
        if parts.netloc and not upstream.is_origin_of(parts):
            return location
    except ValueError:
        return location
    path = text.partition(parts.netloc)[2] if parts.netloc else text
    inside = path.startswith(f"{upstream.base}/") or path in {"", upstream.base}
    if not inside or not (parts.netloc or upstream.base):
        return location
    return ((own if parts.netloc else "") + path.removeprefix(upstream.base)).encode("latin-1")


def origin_of(headers: Headers, otherwise: str) -> str:
    """The origin by which a client reached us: by its ``Host``, if that is one."""
    host = line(headers, b"host")
    return f"http://{host.decode()}" if _HOST.fullmatch(host) else otherwise


def _ends(headers: Headers) -> frozenset[bytes]:
    """The names of the fields that end here: those of every hop, and those that ``Connection`` names."""
    named = {each.strip().lower() for each in line(headers, b"connection").split(b",")}
    return HOP | (named - _FRAMING)


def _origin(parts: SplitResult, scheme: str) -> tuple[str, str, int | None]:
    scheme = (parts.scheme or scheme).lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme)
