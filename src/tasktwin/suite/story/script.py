"""A story as bash: curl lines that show it again on the target, with what they learn on the way in variables."""

import re
from collections.abc import Mapping, Sequence
from shlex import quote

from tasktwin.suite.story.step import Ref, Step, refs_in
from tasktwin.suite.target import WORLD, Target
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json

_MARK = "\x01{}\x01"


def script(target: Target, played: Sequence[tuple[Step, Request, Mapping[Ref, Json]]], told: str) -> str:
    """Curl lines for these steps. Each has its request as it was sent and what its references stood for.

    The last line shows the status behind the body. ``told`` says what to expect, as comments at the end.
    """
    names = _variables([step for step, _, _ in played])
    lines = [f"url={quote(target.url)}"]
    if target.world:
        lines.append("world=again-$$-$RANDOM  # one of its own, as the target offers")
    for n, (step, request, values) in enumerate(played):
        last = n == len(played) - 1
        if step.wait:
            lines.append(f"# {step.wait:g} seconds pass" + _passing(target, step.wait))
        lines.append(f"# {n + 1}. {step.as_ or 'nobody'}: {step.operation}" + (f", {step.about}" if step.about else ""))
        call = curl(target, request, {names[ref]: value for ref, value in values.items()})
        wanted = [ref for ref in names if ref.step == step.key]
        lines += _ids_heard(played, {ref: names[ref] for ref in values})
        if step.listens:
            lines += _left_open(n + 1, call, cut=step.left)
        elif step.volley:
            lines.append(call.replace("curl -sS ", "curl -sS -w '\\nHTTP %{http_code}\\n' ", 1) + " &")
            lines += ["wait"] if last or played[n + 1][0].volley != step.volley else []
        elif step.left:
            lines.append(f"{call} --max-time 0.05 >/dev/null 2>&1  # nobody waits for the answer")
        elif last:
            lines.append(call.replace("curl -sS ", "curl -sS -w '\\nHTTP %{http_code}\\n' ", 1))
        elif wanted:
            lines.append(f"answer=$({call})")
            lines += [f'{names[ref]}=$(jq -r {quote(_path(ref.pointer))} <<<"$answer")' for ref in wanted]
        else:
            lines.append(f"{call} >/dev/null")
    lines += _heard([n + 1 for n, (step, _, _) in enumerate(played) if step.listens], played)
    lines += [f"# {line}" for line in told.splitlines()]
    return "\n".join(lines) + "\n"


def _left_open(place: int, call: str, *, cut: bool) -> list[str]:
    """A stream that is read beside the steps behind it, or for a moment only."""
    if cut:
        return [
            f"heard_{place}=$(mktemp)",
            f'{call.replace("curl -sS ", "curl -sN --max-time 1 ", 1)} >"$heard_{place}"',
        ]
    return [f"heard_{place}=$(mktemp)", f'{call.replace("curl -sS ", "curl -sSN ", 1)} >"$heard_{place}" &', "sleep 1"]


def _ids_heard(played: Sequence[tuple[Step, Request, Mapping[Ref, Json]]], wanted: Mapping[Ref, str]) -> list[str]:
    """Of the ids that were told on streams so far, those that a step needs."""
    open_ = {step.key: n + 1 for n, (step, _, _) in enumerate(played) if step.listens}
    return [
        f"{name}=$(sed -n 's/^id: *//p' \"$heard_{open_[ref.step]}\" | sed -n {int(ref.pointer.rpartition('/')[2]) + 1}p)"
        for ref, name in wanted.items()
        if ref.step in open_
    ]


def _heard(places: Sequence[int], played: Sequence[tuple[Step, Request, Mapping[Ref, Json]]]) -> list[str]:
    """What was told on the streams that were left open."""
    if not places:
        return []
    lines = [f"sleep {max(step.listens for step, _, _ in played):g}", "kill $(jobs -p) 2>/dev/null"]
    return [*lines, *[f'echo "--- {place}:"; cat "$heard_{place}"' for place in places]]


def curl(target: Target, request: Request, variables: Mapping[str, Json]) -> str:
    """One request as a curl line; in it the values stand as the variables of these names."""
    words = ["curl", "-sS"]
    if request.method != "GET":
        words += ["-X", request.method]
    words.append(_woven(f"\x02{request.path}", variables))
    if target.world:
        words += ["-H", f'"{WORLD}: $world"']
    for name, value in {**request.headers, **target.callers.shown(request.as_)}.items():
        secret = target.callers.secret and name in target.callers.shown(request.as_)
        words += ["-H", expanded(f"{name}: {value}") if secret else _woven(f"{name}: {value}", variables)]
    if request.body:
        words += ["--data-raw", _woven(request.body.decode("utf-8", "replace"), variables)]
    return " ".join(words)


def expanded(text: str) -> str:
    """A shell word for a text in which ``${NAME}`` is filled in, and nothing else."""
    return '"' + re.sub(r'["\\`]|\$(?!\{\w+\})', r"\\\g<0>", text) + '"'


def _woven(text: str, variables: Mapping[str, Json]) -> str:
    """A shell word for a text, with variables in place of the values they hold."""
    for name, value in variables.items():
        plain = value if isinstance(value, str) else str(value)
        if len(plain) >= 3 or isinstance(value, int):
            text = re.sub(rf"(?<![A-Za-z0-9_-]){re.escape(plain)}(?![A-Za-z0-9_-])", _MARK.format(name), text)
    parts = re.split(r"(\x01\w+\x01|\x02)", text)
    return "".join(_piece(part) for part in parts if part) or "''"


def _piece(part: str) -> str:
    if part == "\x02":
        return '"$url"'
    if part.startswith("\x01"):
        return f'"${part.strip(chr(1))}"'
    return quote(part)


def _variables(steps: Sequence[Step]) -> dict[Ref, str]:
    """A shell name for each reference."""
    names: dict[Ref, str] = {}
    places = {step.key: n + 1 for n, step in enumerate(steps)}
    for step in steps:
        for ref in refs_in([*step.path.values(), *step.query.values(), *step.headers.values(), step.body]):
            last = re.sub(r"\W", "_", ref.pointer.rpartition("/")[2]) or "value"
            last = f"id_{last}" if last[0].isdigit() else last
            name = f"{last}_{places.get(ref.step, 0)}"
            while name in names.values() and ref not in names:
                name += "_"
            names.setdefault(ref, name)
    return names


def _path(pointer: str) -> str:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    path = "".join(f"[{part}]" if part.isdigit() else f'["{part}"]' for part in parts)
    return f".{path}" if path else "."


def _passing(target: Target, seconds: float) -> str:
    """How time is made to pass: by the target's own clock, if it offers one."""
    if not target.has_clock:
        return f"\nsleep {seconds:g}"
    return (
        "\ncurl -sS -X POST \"$url\"/_tasktwin/clock -H 'Content-Type: application/json'"
        + (f' -H "{WORLD}: $world"' if target.world else "")
        + f" --data-raw '{{\"advance\": {seconds:g}}}' >/dev/null"
    )
