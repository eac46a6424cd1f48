"""Do the criteria of a step hold? What does not is told with what was there instead."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasktwin.contract.pattern import fits
from tasktwin.errors import MisuseError
from tasktwin.provider.scenario import Criterion, Step
from tasktwin.provider.scenario.condition import Literally, operands, value_of
from tasktwin.provider.scenario.expression import spoken
from tasktwin.suite.scenario.scope import Scope
from tasktwin.wire import Json, dumps

LONGEST = 200
"""Characters of a value in a message."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """One criterion that does not hold, and a JSON pointer to where it looked in the body."""

    expected: str
    actual: str
    pointer: str = ""


def unmet(step: Step, scope: Scope) -> list[Unmet]:
    """The criteria of a step that do not hold. Without any, a success or a redirect is expected."""
    status = scope.reply.status if scope.reply else 0
    if not step.criteria and not 200 <= status < 400:
        return [Unmet("a success", f"status {status}")]
    return [*_all(step.criteria, scope), *_all(step.own_criteria, scope)]


def holds(criterion: Criterion, scope: Scope) -> bool:
    """Whether it is so. Raises ``MisuseError`` where a JSONPath is none."""
    if criterion.simple is not None:
        return criterion.simple.holds(scope.look)
    value = criterion.context.value(scope.look) if criterion.context else None
    if criterion.kind == "regex":
        return value is not None and fits(criterion.text, spoken(value))
    return bool(_found(criterion.text, value))


def _all(criteria: Iterable[Criterion], scope: Scope) -> Iterator[Unmet]:
    for each in criteria:
        if not holds(each, scope):
            yield _told(each, scope)


def _told(criterion: Criterion, scope: Scope) -> Unmet:
    if criterion.simple is None:
        context = criterion.context
        value = context.value(scope.look) if context else None
        about = f"{criterion.kind} {criterion.text} in {context.text if context else ''}"
        return Unmet(about, shown(value), _pointer(context.text if context else ""))
    told = [each for each in operands(criterion.simple) if not isinstance(each, Literally)]
    texts = {each.text if hasattr(each, "text") else each.expression.text: each for each in told}
    values = [f"{text} is {shown(value_of(each, scope.look))}" for text, each in texts.items()]
    pointer = next((found for text in texts if (found := _pointer(text))), "")
    return Unmet(criterion.text, "; ".join(values), pointer)


def _pointer(text: str) -> str:
    return text.partition("#")[2] if text.startswith("$response.body#") else ""


def shown(value: Json) -> str:
    """A value in a message."""
    text = dumps(value).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _found(path: str, value: Json) -> list[object]:
    import jsonpath  # noqa: PLC0415 - used by few scenarios

    if not isinstance(value, (dict, list)):
        return []
    try:
        return jsonpath.findall(path, value)
    except jsonpath.JSONPathError as error:
        raise MisuseError(f"{path[:120]!r} is no JSONPath: {str(error).partition(chr(10))[0]}") from None
