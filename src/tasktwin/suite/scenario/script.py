"""A piece of bash that plays lines of a scenario again: curl, and jq for what one answer gives to the next request."""

from collections.abc import Mapping, Sequence
from shlex import quote

from tasktwin.behaviour.expression import look_up
from tasktwin.provider.scenario.expression import Expression
from tasktwin.suite.bash import NOTHING, PLAIN, WITH_HEAD, curl, header, line, taken, variable
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.run import Run
from tasktwin.suite.scenario.played import Played
from tasktwin.suite.scenario.request import uses
from tasktwin.wire import Json, dumps

SHORTEST = 4
"""A shorter value is not replaced by a variable: it stands in innocent places too."""

MOST_SECONDS = 30
"""So long a stream is listened to."""


def script(run: Run, kept: Sequence[Played], time: TargetTime, told: str) -> str:
    """The lines, one after the other; the last answer is shown with its head.

    ``told`` says what to expect, as comments at the end.
    """
    lines = [f"url={quote(run.target.url)}"]
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
        request, about = each.line.request, each.line.about
        lines.append(
            f"# {n + 1}. {request.as_ or 'nobody'}: {request.operation}" + (f": {_one_line(about)}" if about else "")
        )
        is_last = n == len(kept) - 1
        options = WITH_HEAD if is_last else PLAIN
        options += f" -N --max-time {MOST_SECONDS}" if each.step.stream else ""
        call = curl(request, run.target.callers, known, options)
        given = {} if is_last else _given(each, {name for owner, name in wanted if owner == each.step.id})
        lines += [f"answer=$({call})", *given.values()] if given else [call if is_last else f"{call} >/dev/null"]
        known |= {value: variable(f"{each.step.id}_{name}") for name, value in _values(each, given).items()}
    lines += [f"# {each}" for each in told.splitlines()]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """A comment ends with its line."""
    return " ".join(text.split())


def _order(time: TargetTime, path: str, wish: Mapping[str, Json], known: Mapping[str, str] = NOTHING) -> str:
    """What is asked of the target's control plane."""
    headers = {"Content-Type": "application/json", **time.headers}
    words = [header(name, value) for name, value in headers.items()]
    return line("POST", path, words, dumps(dict(wish)), known, f"{PLAIN} -o /dev/null", quote(time.control))


def _given(each: Played, names: set[str]) -> dict[str, str]:
    """A line for each output that a later step uses: it takes the value out of the answer."""
    return {
        name: taken(variable(f"{each.step.id}_{name}"), _place(expression))
        for name, expression in each.step.outputs.items()
        if name in names and expression.root == "response.body" and not each.step.stream
    }


def _values(each: Played, given: Mapping[str, str]) -> dict[str, str]:
    """The values that these outputs had, as texts."""
    body = each.line.reply.json()
    found = {name: look_up(body, each.step.outputs[name].pointer) for name in given}
    return {name: value for name, value in found.items() if isinstance(value, str) and len(value) >= SHORTEST}


def _place(expression: Expression) -> list[str | int]:
    return [int(step) if step.isdecimal() else step for step in expression.pointer]
