"""A piece of bash that plays lines of a scenario again: curl, and jq for what one answer gives to the next request."""

import re
from collections.abc import Mapping, Sequence
from shlex import quote

from tasktwin.behaviour.expression import look_up
from tasktwin.provider.scenario.expression import Expression
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.run import Run
from tasktwin.suite.scenario.played import Played
from tasktwin.suite.scenario.request import uses
from tasktwin.suite.story.script import expanded
from tasktwin.suite.target import Callers
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json, dumps

SHORTEST = 4
"""A shorter value is not replaced by a variable: it stands in innocent places too."""

JSON_TYPE = "-H 'Content-Type: application/json'"


def script(run: Run, kept: Sequence[Played], time: TargetTime) -> str:
    """The lines, one after the other; the last answer is shown with its head."""
    lines = [f"target={quote(run.target.url)}"]
    if time.world:
        lines.append(_order(time, "/reset", {}))
    known: dict[str, str] = {}
    wanted = {(each.owner, each.name) for one in kept for each in uses(one.step) if each.root == "steps"}
    for n, each in enumerate(kept):
        if each.waited > 0:
            lines.append(_order(time, "/clock", {"advance": each.waited}) if time.control else f"sleep {each.waited:g}")
        if each.step.trigger and time.control:
            wish = {"id": each.triggered, "collection": each.step.trigger.collection}
            wish = {name: value for name, value in wish.items() if value}
            lines.append(_order(time, f"/events/{each.step.trigger.name}", wish, known))
        is_last = n == len(kept) - 1
        call = curl(each.line.request, run.target.callers, known, streams=each.step.stream is not None, head=is_last)
        given = {} if is_last else _given(each, {name for owner, name in wanted if owner == each.step.id})
        lines += [f"answer=$({call})", *given.values()] if given else [call]
        known |= {value: _variable(each.step.id, name) for name, value in _values(each, given).items()}
    return "\n".join(lines) + "\n"


def curl(
    request: Request, callers: Callers, known: Mapping[str, str], *, streams: bool = False, head: bool = False
) -> str:
    """One request. ``known`` values are written as the shell variables that hold them."""
    parts = ["curl -sSi" if head else "curl -sS"]
    parts += ["-N --max-time 30"] if streams else []
    parts += [f"-X {request.method}"] if request.method != ("POST" if request.body else "GET") else []
    parts.append(f'"$target"{_written(request.path, known)}')
    parts += [f"-H {_written(f'{name}: {value}', known)}" for name, value in request.headers.items()]
    own = callers.shown(request.as_) if request.as_ else {}
    parts += [
        f"-H {expanded(f'{name}: {value}') if callers.secret else quote(f'{name}: {value}')}"
        for name, value in own.items()
    ]
    parts += [f"--data-binary {_written(request.body.decode('utf-8', 'replace'), known)}"] if request.body else []
    return " ".join(parts)


def _order(time: TargetTime, path: str, wish: Mapping[str, Json], known: Mapping[str, str] | None = None) -> str:
    """What is asked of the target's control plane."""
    world = "".join(f" -H {quote(f'{name}: {value}')}" for name, value in time.headers.items())
    body = _written(dumps(dict(wish)).decode(), known or {})
    return f"curl -sS -o /dev/null -X POST {quote(time.control + path)}{world} {JSON_TYPE} -d {body}"


def _given(each: Played, names: set[str]) -> dict[str, str]:
    """A line for each output that a later step uses: it takes the value out of the answer."""
    return {
        name: f'{_variable(each.step.id, name)}=$(jq -r {quote(_path(expression))} <<<"$answer")'
        for name, expression in each.step.outputs.items()
        if name in names and expression.root == "response.body" and not each.step.stream
    }


def _values(each: Played, given: Mapping[str, str]) -> dict[str, str]:
    """The values that these outputs had, as texts."""
    body = each.line.reply.json()
    found = {name: look_up(body, each.step.outputs[name].pointer) for name in given}
    return {name: value for name, value in found.items() if isinstance(value, str) and len(value) >= SHORTEST}


def _path(expression: Expression) -> str:
    """A JSON pointer as jq writes it."""
    steps = [
        f"[{step}]" if step.isdigit() else f".{step}" if step.isidentifier() else f".[{quote(step)}]"
        for step in expression.pointer
    ]
    return "".join(steps) or "."


def _variable(step: str, name: str) -> str:
    return re.sub(r"\W", "_", f"{step}_{name}", flags=re.ASCII)


def _written(text: str, known: Mapping[str, str]) -> str:
    """A text as one word of bash, with variables where their values stood."""
    if not known:
        return quote(text)
    pattern = "|".join(re.escape(value) for value in sorted(known, key=len, reverse=True))
    parts = re.split(f"({pattern})", text)
    return "".join(f'"${{{known[part]}}}"' if part in known else quote(part) for part in parts if part) or "''"
