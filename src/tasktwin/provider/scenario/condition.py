"""Arazzo's simple conditions: ``$statusCode == 201 && !($response.body#/open == true)``.

Arazzo 1.0.1 §4.6.11: literals, ``< <= > >= == !=``, ``! && ||``, grouping, ``.name`` and ``[0]`` behind an expression.
Texts are compared without regard to case, as it demands. Values of different kinds are never equal.
Texts may stand in double quotes too, as other runners take them.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tasktwin.behaviour.expression import look_up
from tasktwin.provider.scenario.expression import Expression, Look, parse_expression
from tasktwin.wire import Json, loads

DEEPEST: Final = 50
"""So deep may parentheses and negations be nested."""

_TOKEN: Final = re.compile(
    r"\s*(?:"
    r"(?P<text>'(?:[^']|'')*'|\"[^\"]*\")"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()])"
    r"|(?P<expression>\$[^\s()<>=!&|]+)"
    r"|(?P<word>[^\s()<>=!&|'\"]+)"
    r")"
)
_STEPPED: Final = re.compile(r"(?P<head>\$(?:response|request)\.body)(?P<tail>(?:\.[\w-]+|\[\d{1,9}\])+)", re.ASCII)
_STEP: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]", re.ASCII)
_COMPARE: Final[dict[str, Callable[[Json, Json], bool]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


@dataclass(frozen=True, slots=True)
class Literally:
    """A value that stands for itself."""

    value: Json


@dataclass(frozen=True, slots=True)
class Stepped:
    """An expression with steps behind it."""

    expression: Expression
    steps: tuple[str, ...]


Operand: TypeAlias = Literally | Expression | Stepped


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values held against each other; without a ``sign`` the first alone decides."""

    left: Operand
    sign: str = ""
    right: Operand = Literally(value=True)

    def holds(self, look: Look) -> bool:
        """Whether it is so."""
        left, right = value_of(self.left, look), value_of(self.right, look)
        if not self.sign:
            return left is not None and left is not False and left != ""
        if self.sign in {"==", "!="}:
            return _same(left, right) is (self.sign == "==")
        return _ordered(left, right) and _COMPARE[self.sign](_folded(left), _folded(right))


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    inner: "Condition"

    def holds(self, look: Look) -> bool:
        """Whether it is so."""
        return not self.inner.holds(look)


@dataclass(frozen=True, slots=True)
class Joined:
    """Several: all of them, or any."""

    how: Literal["all", "any"]
    parts: "tuple[Condition, ...]"

    def holds(self, look: Look) -> bool:
        """Whether it is so."""
        found = (each.holds(look) for each in self.parts)
        return all(found) if self.how == "all" else any(found)


Condition: TypeAlias = Comparison | Not | Joined


def parse_condition(text: str) -> Condition:
    """Take a condition apart. Raises ``ValueError``."""
    parser = _Parser(text, list(_tokens(text)))
    found = parser.read_any(0)
    if parser.tokens:
        raise ValueError(f"{parser.tokens[0][1]!r} is not expected in {text[:120]!r}")
    return found


def value_of(operand: Operand, look: Look) -> Json:
    """What an operand stands for."""
    match operand:
        case Literally():
            return operand.value
        case Stepped():
            return look_up(operand.expression.value(look), operand.steps)
        case Expression():
            return operand.value(look)


def operands(condition: Condition) -> Iterator[Operand]:
    """Everything that is compared, in order."""
    match condition:
        case Comparison():
            yield condition.left
            yield condition.right
        case Not():
            yield from operands(condition.inner)
        case Joined():
            for each in condition.parts:
                yield from operands(each)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise ValueError(f"{text[at : at + 20].strip()!r} is not expected in {text[:120]!r}")
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


@dataclass(slots=True)
class _Parser:
    """Reads tokens from the front: ``||`` binds less than ``&&``, and that less than ``!``."""

    text: str
    tokens: list[tuple[str, str]]

    def read_any(self, depth: int) -> Condition:
        parts = [self.read_all(depth)]
        while self._take("||"):
            parts.append(self.read_all(depth))
        return parts[0] if len(parts) == 1 else Joined("any", tuple(parts))

    def read_all(self, depth: int) -> Condition:
        parts = [self.read_one(depth)]
        while self._take("&&"):
            parts.append(self.read_one(depth))
        return parts[0] if len(parts) == 1 else Joined("all", tuple(parts))

    def read_one(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise ValueError(f"a condition is nested deeper than {DEEPEST} levels")
        if self._take("!"):
            return Not(self.read_one(depth + 1))
        if self._take("("):
            inner = self.read_any(depth + 1)
            if not self._take(")"):
                raise ValueError(f"a ) is missing in {self.text[:120]!r}")
            return inner
        left = self._operand()
        for sign in ("==", "!=", "<=", ">=", "<", ">"):
            if self._take(sign):
                return Comparison(left, sign, self._operand())
        return Comparison(left)

    def _take(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == ("sign", sign):
            self.tokens.pop(0)
            return True
        return False

    def _operand(self) -> Operand:
        if not self.tokens:
            raise ValueError(f"{self.text[:120]!r} ends too early")
        kind, text = self.tokens.pop(0)
        match kind:
            case "text":
                return Literally(text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1])
            case "expression":
                return _reference(text)
            case "word":
                return Literally(_literal(text, self.text))
        raise ValueError(f"{text!r} is not expected in {self.text[:120]!r}")


def _reference(text: str) -> Operand:
    stepped = _STEPPED.fullmatch(text)
    if not stepped:
        return parse_expression(text)
    return Stepped(parse_expression(stepped["head"]), tuple(a or b for a, b in _STEP.findall(stepped["tail"])))


def _literal(word: str, text: str) -> Json:
    try:
        return loads(word.encode())
    except ValueError:
        raise ValueError(f"{word!r} in {text[:120]!r} is no literal: put texts in single quotes") from None


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def _same(left: Json, right: Json) -> bool:
    return _kind(left) == _kind(right) and bool(_folded(left) == _folded(right))


def _ordered(left: Json, right: Json) -> bool:
    return _kind(left) == _kind(right) and _kind(left) in {"number", "str"}


def _folded(value: Json) -> Json:
    return value.casefold() if isinstance(value, str) else value
