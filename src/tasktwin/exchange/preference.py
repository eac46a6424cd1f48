"""``Prefer``: what a client wishes of one answer (RFC 7240)."""

import re
from collections.abc import Sequence
from itertools import islice

MOST = 16
"""So many wishes of one request are looked at."""

_MEMBER = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
"""A wish with its parameters. Commas inside quotes part nothing; a quote that is never closed goes on to the end."""

_WISH = re.compile(r"""\s*([\w!#$%&'*+.^`|~-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?""", re.ASCII | re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def preferences(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """The wishes by name, in lower case, each with its value; of one said twice the first counts, as the RFC has it."""
    lines = [value.decode("latin-1") for name, value in headers if name == b"prefer"]
    return _read(lines) if lines else {}


def _read(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for wish in islice(_MEMBER.finditer(",".join(lines)), MOST):
        if said := _WISH.match(wish[0]):
            quoted, bare = said[2], said[3]
            found.setdefault(said[1].lower(), bare or "" if quoted is None else _ESCAPED.sub(r"\1", quoted))
    return found
