"""A story of Schemathesis's as bash: curl lines that show it again on the target."""

from collections.abc import Iterator, Mapping, Sequence

from tasktwin.suite.bash import PLAIN, WITH_STATUS, beginning, curl, in_world, taken
from tasktwin.suite.finding import Line
from tasktwin.suite.target import Target
from tasktwin.wire import Json

SHORTEST = 8
"""Texts of fewer characters are not taken for identifiers that an earlier answer gave."""

MOST = 8
"""So many identifiers of an answer are kept in variables."""


def script(target: Target, story: Sequence[Line], told: str) -> str:
    """Curl lines for a story. What earlier answers gave stands as a variable where it is used later.

    The last line shows body and status; ``told`` says what to expect, as comments at the end.
    """
    lines = beginning(target)
    known: dict[str, str] = {}
    for n, line in enumerate(story, 1):
        lines.append(f"# {n}. {line.request.as_ or 'nobody'}: {line.request.operation or line.request.method}")
        options = WITH_STATUS if n == len(story) else PLAIN
        call = curl(line.request, target.callers, known, options, in_world(target))
        if n == len(story):
            lines.append(call)
            break
        later = " ".join(f"{each.request.path} {each.request.body!r}" for each in story[n:])
        given = [(value, place) for value, place in _texts(line.reply.json(), ()) if value in later][:MOST]
        fresh = {value: (f"id_{n}_{i}", place) for i, (value, place) in enumerate(given) if value not in known}
        lines.append(f"answer=$({call})" if fresh else f"{call} >/dev/null")
        lines += [taken(name, place) for name, place in fresh.values()]
        known |= {value: name for value, (name, _) in fresh.items()}
    lines += [f"# {each}" for each in told.splitlines()]
    return "\n".join(lines) + "\n"


def _texts(value: Json, place: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The texts of an answer that may be identifiers, and where each is."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, (*place, name))
    elif isinstance(value, list):
        for n, inner in enumerate(value[:MOST]):
            yield from _texts(inner, (*place, n))
    elif isinstance(value, str) and len(value) >= SHORTEST and value.isascii() and not value.isspace():
        yield value, place
