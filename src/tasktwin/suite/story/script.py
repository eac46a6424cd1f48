"""A story as bash: curl lines that show it again on the target, with what they learn on the way in variables."""

from collections.abc import Mapping, Sequence

from tasktwin.suite.bash import PLAIN, WITH_STATUS, beginning, curl, header, in_world, line, taken, variable
from tasktwin.suite.clock import CONTROL
from tasktwin.suite.story.step import Ref, Step, refs_in
from tasktwin.suite.target import Target
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json, dumps

SHORTEST = 3
"""A text of fewer characters is no identifier: it stands in innocent places too. A number is one, however short."""


MOST_COMPARED = 4
"""So many earlier answers are shown that the last one is to be compared with."""


def script(
    target: Target,
    played: Sequence[tuple[Step, Request, Mapping[Ref, Json]]],
    told: str,
    after: float = 0.0,
    *,
    against_itself: bool = False,
) -> str:
    """Curl lines for these steps. Each has its request as it was sent and what its references stood for.

    The last line shows the status behind the body, and so do those before it that ask for the same, so that one can
    compare; where the target is held ``against_itself`` any earlier answer may be the one that the last contradicts.
    ``told`` says what to expect, as comments at the end. ``after``: the seconds that pass while streams are open.
    """
    names = _variables([step for step, _, _ in played])
    lines = beginning(target)
    for n, (step, request, values) in enumerate(played):
        last = n == len(played) - 1
        if step.wait:
            lines += [f"# {step.wait:g} seconds pass", _passing(target, step.wait)]
        lines.append(f"# {n + 1}. {step.as_ or 'nobody'}: {step.operation}" + (f", {step.about}" if step.about else ""))
        earlier = not last and _is_compared(played, n, of_all=against_itself)
        shows = step.volley or earlier or (last and not step.left)
        options = _listening(step) if step.listens else WITH_STATUS if shows else PLAIN
        call = curl(request, target.callers, _known(values, names), options, in_world(target))
        wanted = [ref for ref in names if ref.step == step.key]
        lines += _ids_heard(played, {ref: names[ref] for ref in values})
        if step.listens:
            lines += _left_open(n + 1, call, cut=step.left)
        elif step.volley:
            lines.append(f"{call} &")
            lines += ["wait"] if last or played[n + 1][0].volley != step.volley else []
        elif step.left:
            lines.append(f"{call} --max-time 0.05 >/dev/null 2>&1  # nobody waits for the answer")
        elif last or (earlier and not wanted):
            lines.append(call)
        elif wanted:
            lines.append(f"answer=$({call})")
            lines += ['echo "$answer"'] if earlier else []
            lines += [taken(names[ref], _place(ref.pointer), with_status=earlier) for ref in wanted]
        else:
            lines.append(f"{call} >/dev/null")
    if after and any(step.listens for step, _, _ in played):
        lines += [f"# {after:g} seconds pass", _passing(target, after)]
    lines += _heard([n + 1 for n, (step, _, _) in enumerate(played) if step.listens], played)
    lines += [f"# {line}" for line in told.splitlines()]
    return "\n".join(lines) + "\n"


def _is_compared(played: Sequence[tuple[Step, Request, Mapping[Ref, Json]]], n: int, *, of_all: bool) -> bool:
    """Whether a step asks for the same as the last one, or for whatever, and is one of the few latest that do."""
    last = played[-1][0].operation
    same = [m for m, (step, _, _) in enumerate(played[:-1]) if of_all or step.operation == last]
    return n in same[-MOST_COMPARED:] and not played[n][0].listens


def _listening(step: Step) -> str:
    return "-sN --max-time 1" if step.left else "-sSN"


def _left_open(place: int, call: str, *, cut: bool) -> list[str]:
    """A stream that is read beside the steps behind it, or for a moment only."""
    into = f'{call} >"$heard_{place}"'
    return [f"heard_{place}=$(mktemp)", *([into] if cut else [f"{into} &", "sleep 1"])]


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


def _known(values: Mapping[Ref, Json], names: Mapping[Ref, str]) -> dict[str, str]:
    """By each text that a reference stood for the name of its variable; by one of two references' the first one's."""
    known: dict[str, str] = {}
    for ref, value in values.items():
        text = value if isinstance(value, str) else str(value)
        if len(text) >= SHORTEST or isinstance(value, int):
            known.setdefault(text, names[ref])
    return known


def _variables(steps: Sequence[Step]) -> dict[Ref, str]:
    """A shell name for each reference."""
    names: dict[Ref, str] = {}
    places = {step.key: n + 1 for n, step in enumerate(steps)}
    for step in steps:
        for ref in refs_in([*step.path.values(), *step.query.values(), *step.headers.values(), step.body]):
            name = f"{variable(ref.pointer.rpartition('/')[2] or 'value')}_{places.get(ref.step, 0)}"
            while name in names.values() and ref not in names:
                name += "_"
            names.setdefault(ref, name)
    return names


def _place(pointer: str) -> list[str | int]:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return [int(part) if part.isdecimal() else part for part in parts]


def _passing(target: Target, seconds: float) -> str:
    """How time is made to pass: by the target's own clock, if it offers one."""
    if not target.has_clock:
        return f"sleep {seconds:g}"
    headers = [header("Content-Type", "application/json"), *in_world(target)]
    return line("POST", f"{CONTROL}/clock", headers, dumps({"advance": seconds})) + " >/dev/null"
