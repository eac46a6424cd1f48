"""A story of Schemathesis's as bash: curl lines that show it again on the target."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote

from tasktwin.suite.finding import Line
from tasktwin.suite.story.script import expanded
from tasktwin.suite.target import Target
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json

SHORTEST = 8
"""Texts of fewer characters are not taken for identifiers that an earlier answer gave."""

MOST = 8
"""So many identifiers of an answer are kept in variables."""


def script(target: Target, story: Sequence[Line], told: str) -> str:
    """Curl lines for a story. What earlier answers gave stands as a variable where it is used later.

    The last line shows body and status; ``told`` says what to expect, as comments at the end.
    """
    lines = [f"url={quote(target.url)}"]
    known: dict[str, str] = {}
    for n, line in enumerate(story, 1):
        lines.append(f"# {n}. {line.request.as_ or 'nobody'}: {line.request.operation or line.request.method}")
        call = curl(target, line.request, known)
        if n == len(story):
            lines.append(call.replace("curl -sS ", "curl -sS -w '\\nHTTP %{http_code}\\n' ", 1))
            break
        later = " ".join(f"{each.request.path} {each.request.body!r}" for each in story[n:])
        given = [(value, path) for value, path in _texts(line.reply.json(), "") if value in later][:MOST]
        fresh = {value: (f"id_{n}_{i}", path) for i, (value, path) in enumerate(given) if value not in known}
        lines.append(f"answer=$({call})" if fresh else f"{call} >/dev/null")
        lines += [f'{name}=$(jq -r {quote(path)} <<<"$answer")' for name, path in fresh.values()]
        known |= {value: name for value, (name, _) in fresh.items()}
    lines += [f"# {each}" for each in told.splitlines()]
    return "\n".join(lines) + "\n"


def curl(target: Target, request: Request, known: Mapping[str, str]) -> str:
    """One request as a curl line: just as it was sent, but that the ``known`` texts stand as variables."""
    words = ["curl", "-sS", "-g", "--path-as-is"]
    words += ["-I"] if request.method == "HEAD" else ["-X", request.method] if _needs_method(request) else []
    words.append('"$url"' + _woven(request.path, known))
    shown = target.callers.shown(request.as_) if request.as_ else {}
    for name, value in request.headers.items():
        words += ["-H", _woven(f"{name}: {value}" if value.strip() else f"{name};", known)]
    for name, value in shown.items():
        words += ["-H", expanded(f"{name}: {value}") if target.callers.secret else quote(f"{name}: {value}")]
    if request.body and "content-type" not in request.headers:
        words += ["-H", "content-type:"]
    return " ".join([*words, *_body(request.body, known)])


def _needs_method(request: Request) -> bool:
    return request.method != "GET" or bool(request.body)


def _body(body: bytes, known: Mapping[str, str]) -> list[str]:
    """The body as an argument; as base64 where no shell word can hold it."""
    if not body:
        return []
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text or "\r" in text:
        return ["--data-binary", f"@<(base64 -d <<<{base64.b64encode(body).decode()})"]
    return ["--data-raw", _woven(text, known)]


def _woven(text: str, known: Mapping[str, str]) -> str:
    """A shell word for a text, with variables in place of what is known."""
    if not known:
        return quote(text)
    parts = re.split(f"({'|'.join(map(re.escape, known))})", text)
    return "".join(f'"${known[part]}"' if part in known else quote(part) for part in parts if part) or "''"


def _texts(value: Json, path: str) -> Iterator[tuple[str, str]]:
    """The texts of an answer that may be identifiers, and for each how jq finds it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{path}[{_jq(name)}]")
    elif isinstance(value, list):
        for n, inner in enumerate(value[:MOST]):
            yield from _texts(inner, f"{path}[{n}]")
    elif isinstance(value, str) and len(value) >= SHORTEST and value.isascii() and not value.isspace():
        yield value, f".{path}"


def _jq(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
