"""What is written to be pasted into bash: words, a request as a curl line, and a value taken out of an answer.

What curl does with each option: https://curl.se/docs/manpage.html
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from shlex import quote
from string import ascii_letters, digits, punctuation
from types import MappingProxyType
from typing import Final
from urllib.parse import quote as percent_encoded

from tasktwin.suite.target import WORLD, Callers, Target
from tasktwin.suite.traffic import Request
from tasktwin.wire import dumps

PLAIN: Final = "-sS"
"""How curl is called: it tells nothing but the body, or what went wrong."""

WITH_STATUS: Final = r"-sS -w '\nHTTP %{http_code}\n'"
WITH_HEAD: Final = "-sSi"

LONGEST: Final = 100_000
"""Bytes of an argument: the kernel takes no more than 128 KiB for one."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_DOTS: Final = re.compile(r"/(?:\.|%2e){1,2}(?=[/?#]|$)", re.IGNORECASE)
_GLOB: Final = re.compile(r"[\[\]{}]")
_IN_PATHS: Final = digits + ascii_letters + punctuation
"""Of these no sign is escaped in a path: it is percent-encoded already. Of others curl says that it is no URL."""


def beginning(target: Target) -> list[str]:
    """The lines that a script begins with."""
    world = ["world=again-$$-$RANDOM  # one of its own, as the target offers"] if target.world else []
    return [f"url={quote(target.url)}", *world]


def in_world(target: Target) -> list[str]:
    """The header, as a word, by which a request of such a script comes to its world."""
    return [f'"{WORLD}: $world"'] if target.world else []


def curl(
    request: Request,
    callers: Callers,
    known: Mapping[str, str] = NOTHING,
    options: str = PLAIN,
    more: Iterable[str] = (),
) -> str:
    """A request to ``$url`` as its caller sends it. The texts of ``known`` stand as the variables of these names.

    Credentials of the user's stand as the variables that they came from. ``more`` are further headers, as words.
    """
    shown = callers.shown(request.as_)
    own = {name: value for name, value in request.headers.items() if name not in shown}
    headers = [
        *more,
        *[header(name, value, known) for name, value in own.items()],
        *[
            expanded(f"{name}: {value}") if callers.secret and value else header(name, value)
            for name, value in shown.items()
        ],
    ]
    if request.body and not any(name.lower() == "content-type" for name in (*own, *shown)):
        headers.append("content-type:")  # else curl calls it a form
    return line(request.method, request.path, headers, request.body, known, options)


def line(
    method: str,
    path: str,
    headers: Iterable[str] = (),
    body: bytes = b"",
    known: Mapping[str, str] = NOTHING,
    options: str = PLAIN,
    url: str = '"$url"',
) -> str:
    """A curl line. The ``headers`` and the ``url`` that the path is added to are words already; see ``header``."""
    path = percent_encoded(path, safe=_IN_PATHS, errors="surrogateescape")
    words = ["curl", options, *_how(method, body)]
    words += ["-g"] if _GLOB.search(path) else []
    words += ["--path-as-is"] if _DOTS.search(path) else []
    words.append(url + woven(path, known))
    for each in headers:
        words += ["-H", each]
    return " ".join([*words, *_body(body, known)])


def header(name: str, value: str, known: Mapping[str, str] = NOTHING) -> str:
    """A header as a word. One without a value ends in a semicolon: with a colon curl would leave it out."""
    return woven(f"{name}: {value}", known) if value.strip() else word(f"{name};")


def word(text: str) -> str:
    """A text as one word. Signs that cannot be seen are escaped: no report shows them, and no terminal takes them.

    Bytes that are no UTF-8 stand in a text as ``surrogateescape`` has them. No word holds NUL.
    """
    if text.isprintable():
        return quote(text)
    return f"$'{''.join(map(_escaped, text))}'"


def woven(text: str, known: Mapping[str, str]) -> str:
    """A text as one word, with variables in place of what is known, where it does not stand within a longer one."""
    if not known:
        return word(text)
    longest_first = sorted(known, key=len, reverse=True)
    parts = re.split(f"(?<![A-Za-z0-9_-])({'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9_-])", text)
    return "".join(f'"${known[part]}"' if part in known else word(part) for part in parts if part) or "''"


def expanded(text: str) -> str:
    """A text as one word in which ``${NAME}`` is filled in, and nothing else."""
    return '"' + re.sub(r'["\\`]|\$(?!\{\w+\})', r"\\\g<0>", text) + '"'


def taken(name: str, place: Sequence[str | int], *, with_status: bool = False) -> str:
    """A line that takes what is at this place out of ``$answer``, and keeps it as a variable of this name.

    ``with_status``: the status stands behind the body there.
    """
    answer = '"${answer%HTTP*}"' if with_status else '"$answer"'
    path = "".join(f"[{dumps(step).decode()}]" for step in place)
    return f"{name}=$(jq -r {quote('.' + path)} <<<{answer})"


def variable(text: str) -> str:
    """A name that a variable may have, made of a text."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if name[:1].isalpha() else f"id_{name}"


def _how(method: str, body: bytes) -> list[str]:
    if method == "HEAD" and body:  # -I takes no body, and with -X curl would wait for the one that never comes
        return ["-X", "HEAD", "-i", "--ignore-content-length", "-H", "'connection: close'"]
    if method == "HEAD":
        return ["-I"]
    return [] if method == "GET" and not body else ["-X", quote(method)]


def _body(body: bytes, known: Mapping[str, str]) -> Iterator[str]:
    if not body:
        return
    if b"\0" in body:
        yield f"--data-binary @<(base64 -d <<<{b64encode(body).decode()})"
        return
    text = woven(body.decode("utf-8", "surrogateescape"), known)
    yield f"--data-raw {text}" if len(body) <= LONGEST else f"--data-binary @<(printf %s {text})"


def _escaped(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
