"""Credentials that pass: what is told of an exchange holds none of them. We are given none; the exchange shows which."""

import re
from collections.abc import Iterator
from dataclasses import replace
from shlex import quote
from typing import Final
from urllib.parse import parse_qsl

from tasktwin.exchange.recorder import SECRET
from tasktwin.provider import Provider
from tasktwin.suite.bash import WITH_HEAD, expanded, header, line, variable
from tasktwin.suite.proxy.head import HOP
from tasktwin.suite.proxy.judgement import Passed
from tasktwin.suite.report.mask import Mask
from tasktwin.suite.target import Callers
from tasktwin.wire import loads

_TELLING: Final = re.compile(r"auth|token|secret|session|passw|signature|credential|csrf|api[-_]?key")
_LEFT_OUT: Final = HOP | {b"host", b"content-length", b"user-agent", b"accept-encoding", b"expect"}


class Secrets:
    """Knows where a provider's credentials stand in a request."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        schemes = provider.rules.contract.schemes.values()
        self.headers = SECRET | {each.key for each in schemes if each.location == "header"}
        self.query = frozenset(each.key for each in schemes if each.location == "query")
        places = [place for channel in provider.rules.channels for look in channel.looks for place in look.places]
        self.fields = frozenset(place.field for place in places if place.field)

    def mask(self, passed: Passed) -> Mask:
        """What hides the credentials of this exchange, wherever they come up in it."""
        mask = Mask.of(self.provider, Callers({"client": dict(self._found(passed))}, secret=True))
        return replace(mask, query=mask.query | {name for name, _ in self._in_query(passed)})

    def script(self, passed: Passed, url: str, mask: Mask) -> str:
        """A curl line that sends the request again, with variables in place of credentials."""
        query = f"?{passed.query.decode('latin-1')}" if passed.query else ""
        words = []
        for name, value in passed.headers:
            text = name.decode("latin-1")
            if self._is_secret(text):
                words.append(expanded(f"{text}: ${{{variable(text.upper())}}}"))
            elif name not in _LEFT_OUT:
                words.append(header(text, value.decode("utf-8", "surrogateescape")))
        if passed.body and b"content-type" not in dict(passed.headers):
            words.append("content-type:")
        body = mask.body(passed.body).encode() if passed.body else b""
        call = line(passed.method, mask.path(passed.path + query), words, body, options=WITH_HEAD)
        return f"url={quote(url)}\n{call}\n"

    def _is_secret(self, header: str) -> bool:
        return header in self.headers or bool(_TELLING.search(header))

    def _found(self, passed: Passed) -> Iterator[tuple[str, str]]:
        for field, said in passed.headers:
            name = field.decode("latin-1").lower()
            if self._is_secret(name):
                yield name, said.decode("latin-1")
        for field, said in passed.told:
            if field.lower() == b"set-cookie":
                yield "set-cookie", said.partition(b";")[0].decode("latin-1")
        yield from ((f"?{name}", value) for name, value in self._in_query(passed))
        if self.fields and passed.body:
            yield from self._fields(passed.body)

    def _in_query(self, passed: Passed) -> Iterator[tuple[str, str]]:
        for name, value in parse_qsl(passed.query.decode("latin-1")):
            if name in self.query or _TELLING.search(name.lower()):
                yield name, value

    def _fields(self, body: bytes) -> Iterator[tuple[str, str]]:
        try:
            told = loads(body)
        except ValueError:
            return
        if isinstance(told, dict):
            yield from ((f"body:{name}", told[name]) for name in self.fields if isinstance(told.get(name), str))
