"""``Prefer``: what a client wishes of one answer (RFC 7240)."""

import re
from collections.abc import Sequence

MOST = 16
"""So many wishes of one request are looked at."""

_WISH = re.compile(r"""\s*([\w!#$%&'*+.^`|~-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?[^,]*""", re.ASCII)


def preferences(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """The wishes by name, in lower case, each with its value; of one said twice the first counts, as the RFC has it."""
    found: dict[str, str] = {}
    lines = [value.decode("latin-1") for name, value in headers if name == b"prefer"]
    for wish in ",".join(lines).split(",")[:MOST] if lines else ():
        if said := _WISH.fullmatch(wish):
            quoted, bare = said[2], said[3]
            found.setdefault(said[1].lower(), bare or "" if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    return found
