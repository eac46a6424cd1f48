"""Credentials are left out of everything that is written: those we send, those we are sent back, those we are issued."""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from urllib.parse import quote, quote_plus, unquote_plus

from tasktwin.exchange.recorder import SECRET
from tasktwin.provider import Provider
from tasktwin.state import REDACTED
from tasktwin.suite.finding import Basis, Finding, Line
from tasktwin.suite.target import Callers
from tasktwin.wire import dumps

MOST_BODY = 16_384
"""Characters of a body that a report holds."""

MOST_TEXT = 65_536
"""Characters of any other text."""

_SHORTEST = 6
"""A shorter word is not looked for in texts: it would be found in innocent ones."""

_PLAIN = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
_USER = re.compile(r"(?<=://)[^/@\s'\"]{1,512}@")
# What a deployment issues: a value under a name that says so, in JSON, also where its end is cut off.
_ISSUED = re.compile(
    r'("(?:[a-z0-9]{1,40}[_-]){0,4}'
    r"(?:api_?key|secret|passwd|password|private_?key|(?:access|refresh|id|auth|session|bearer)[_-]?token)\""
    r'\s{0,9}:\s{0,9}"|"token"\s{0,9}:\s{0,9}")(?:[^"\\]|\\.)+',
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Mask:
    """What must not be written. ``words`` in texts, ``names`` of headers, ``query`` of parameters in a path.

    ``issued`` also hides what a deployment hands out as a credential.
    """

    words: re.Pattern[str] | None
    names: frozenset[str]
    query: frozenset[str]
    issued: bool
    longest: int = 0

    @classmethod
    def of(cls, provider: Provider, callers: Callers) -> "Mask":
        """What the callers' headers hold, if they are secret, and where the provider's credentials stand."""
        schemes = provider.rules.contract.schemes.values()
        own = {each.key.lower() for each in schemes if each.location == "header"}
        query = frozenset(each.key for each in schemes if each.location == "query")
        if not callers.secret:
            return cls(None, SECRET | own, query, issued=False)
        sent = {name.lower() for headers in callers.headers.values() for name in headers} - _PLAIN
        words = sorted(set(_words(callers.headers)), key=lambda word: (-len(word), word))
        pattern = re.compile("|".join(map(re.escape, words))) if words else None
        return cls(pattern, SECRET | own | sent, query, issued=True, longest=len(words[0]) if words else 0)

    def text(self, text: str, most: int = MOST_TEXT) -> str:
        """A text without credentials, at most so many characters of it, and how many are missing."""
        room = most + self.longest
        head = text[:room].encode("utf-8", "replace").decode()
        hidden = _USER.sub(f"{REDACTED}@", head)
        if self.words is not None:
            hidden = self.words.sub(REDACTED, hidden)
        if self.issued:
            hidden = _ISSUED.sub(rf"\1{REDACTED}", hidden)
        if len(text) <= most:
            return hidden
        # What is left at the very end may be the first part of a word that the cut went through.
        kept = hidden[: max(0, min(most, len(hidden) - self.longest))]
        return f"{kept}… ({len(text) - most:,} more characters)"

    def body(self, body: bytes, most: int = MOST_BODY) -> str:
        """A body as text. Of a long one the beginning; what is no UTF-8 is replaced."""
        room = 4 * (most + self.longest)
        text = body[:room].decode("utf-8", "replace")
        return self.text(text, most) + (f" ({len(body):,} bytes in all)" if len(body) > room else "")

    def path(self, path: str) -> str:
        """A path with its query, without the credentials that stand in parameters."""
        path, mark, query = path.partition("?")
        pairs = [(pair, pair.partition("=")[0]) for pair in query.split("&")]
        shown = (f"{name}={REDACTED}" if unquote_plus(name) in self.query else pair for pair, name in pairs)
        return self.text(path + mark + "&".join(shown), 8_192)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers, by name and by value."""
        return {
            self.text(name, 256): REDACTED if name.lower() in self.names else self.text(value, 8_192)
            for name, value in headers.items()
        }

    def finding(self, finding: Finding) -> Finding:
        """A finding in which no text holds a credential and none is endless."""
        basis = Basis(finding.basis.kind, self.text(finding.basis.text, 8_192), self.text(finding.basis.url, 2_048))
        return replace(
            finding,
            operation=self.text(finding.operation, 2_048),
            title=self.text(finding.title, 2_048),
            expected=self.text(finding.expected, 8_192),
            actual=self.text(finding.actual, 8_192),
            basis=basis,
            cause=self.text(finding.cause, 2_048),
            story=tuple(map(self._line, finding.story)),
            script=self.text(finding.script),
            pointer=self.text(finding.pointer, 2_048),
        )

    def _line(self, line: Line) -> Line:
        request, reply = line.request, line.reply
        path, headers = self.path(request.path), self.headers(request.headers)
        return Line(
            replace(
                request,
                path=path,
                headers=headers,
                body=self.body(request.body).encode(),
                operation=self.text(request.operation, 2_048),
            ),
            replace(
                reply,
                headers=self.headers(reply.headers),
                body=self.body(reply.body).encode(),
                problem=self.text(reply.problem, 2_048),
            ),
            self.text(line.about, 2_048),
        )


def _words(headers: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Every way in which a credential may come back."""
    for name, value in (pair for each in headers.values() for pair in each.items()):
        if name.lower() in _PLAIN:
            continue
        for part in _parts(value):
            if len(part) >= _SHORTEST:
                yield from _written(part)


def _parts(value: str) -> Iterable[str]:
    """The value, what follows its scheme, each cookie in it, and what Basic wraps."""
    last = value.rpartition(" ")[2]
    yield from (value, last)
    yield from (pair.partition("=")[2].strip() for pair in value.split(";") if "=" in pair.rstrip("="))
    if value.lower().startswith("basic "):
        try:
            told = b64decode(last, validate=True).decode()
        except ValueError:
            return
        yield from (told, told.partition(":")[2])


def _written(part: str) -> Iterable[str]:
    """As it is, and as URLs, JSON and HTML write it."""
    return {part, quote(part, safe=""), quote_plus(part), dumps(part).decode()[1:-1], escape(part)}
