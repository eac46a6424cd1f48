"""Arazzo's runtime expressions, taken apart once: a name in one of the known roots, and a JSON pointer into its value.

Arazzo 1.0.1 §4.7: ``$inputs.key``, ``$steps.post.outputs.id``, ``$response.body#/data/id``, ``$statusCode`` … Inside a
longer text an expression stands in braces: ``Bearer {$inputs.key}``. What is not there is ``None``.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from tasktwin.behaviour.expression import look_up, steps_of
from tasktwin.wire import Json, dumps

Look: TypeAlias = Callable[["Expression"], Json]
"""Finds the value that an expression's ``root`` and ``name`` stand for; the pointer is followed here."""

_FORMS: Final = re.compile(
    r"\$(?:"
    r"(?P<bare>url|method|statusCode)"
    r"|(?P<part>request|response)\.(?:(?P<place>header|query|path)\.(?P<field>[^#\s]+)|(?P<body>body))"
    r"|(?P<own>inputs|outputs)\.(?P<name>[\w.-]+)"
    r"|steps\.(?P<step>[\w-]+)\.outputs\.(?P<output>[\w.-]+)"
    r"|workflows\.(?P<workflow>[\w-]+)\.(?P<side>inputs|outputs)\.(?P<value>[\w.-]+)"
    r"|sourceDescriptions\.(?P<source>[\w-]+)\.(?P<about>url)"
    r")(?P<pointer>#(?:/\S*)?)?",
    re.ASCII,
)
_BEGINS: Final = re.compile(
    r"\$(?:(?:url|method|statusCode)\b|(?:request|response|inputs|outputs|steps|workflows|sourceDescriptions|components)\.)"
)
_EMBEDDED: Final = re.compile(r"\{(\$[^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression. ``root`` is such as ``response.header`` or ``steps``; ``name`` what is looked for there.

    ``owner`` is the step or workflow whose value it is.
    """

    text: str
    root: str
    name: str = ""
    owner: str = ""
    pointer: tuple[str, ...] = ()

    def value(self, look: Look) -> Json:
        """What it stands for; ``None`` if nothing is there."""
        found = look(self)
        return look_up(found, self.pointer) if self.pointer else found


def parse_expression(text: str) -> Expression:
    """Take an expression apart. Raises ``ValueError``."""
    found = _FORMS.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:80]!r} is no runtime expression")
    pointer = steps_of(found["pointer"] or "")
    if found["bare"]:
        return Expression(text, found["bare"], pointer=pointer)
    if found["body"]:
        return Expression(text, f"{found['part']}.body", pointer=pointer)
    if found["field"]:
        return Expression(text, f"{found['part']}.{found['place']}", found["field"], pointer=pointer)
    if found["own"]:
        return Expression(text, found["own"], found["name"], pointer=pointer)
    if found["step"]:
        return Expression(text, "steps", found["output"], found["step"], pointer)
    if found["workflow"]:
        return Expression(text, f"workflows.{found['side']}", found["value"], found["workflow"], pointer)
    return Expression(text, "sourceDescriptions", found["about"], found["source"], pointer)


def expressions_in(value: Json) -> Iterator[str]:
    """The text of every expression in a template."""
    if isinstance(value, str):
        yield from (value,) if _BEGINS.match(value) else _EMBEDDED.findall(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from expressions_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions_in(inner)


def fill(value: Json, look: Look) -> Json:
    """A template with its expressions replaced by what they stand for."""
    if isinstance(value, str):
        return _fill_text(value, look)
    if isinstance(value, dict):
        return {key: fill(inner, look) for key, inner in value.items()}
    return [fill(inner, look) for inner in value] if isinstance(value, list) else value


def _fill_text(text: str, look: Look) -> Json:
    if _BEGINS.match(text):
        return parse_expression(text).value(look)
    return _EMBEDDED.sub(lambda found: spoken(parse_expression(found[1]).value(look)), text)


def spoken(value: Json) -> str:
    """A value as it stands in a text, a path or a query."""
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value).decode()
