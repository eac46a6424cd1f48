"""What a check finds: a value, never an exception."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from jsonschema_rs import ValidationError, ValidationErrorKind

from tasktwin.wire import Json

Where: TypeAlias = Literal["path", "query", "header", "cookie", "body", "response", "response-header"]

MOST: Final = 50
"""No check reports more findings than this."""

TEXT: Final = 200
"""No sentence and no quoted value is longer than this, in characters."""

PATTERN_FORMATS: Final = {
    r"^-?[0-9]+(\.[0-9]+)?$": "decimal",
    r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$": "byte",
}
"""Formats that are compiled to a pattern, and reported as the format they stand for."""

INTEGER_FORMATS: Final = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
"""Formats that are compiled to bounds, and reported as the format they stand for."""

_BOUND_FORMATS: Final = {limit: name for name, limits in INTEGER_FORMATS.items() for limit in limits}
_BRANCHING: Final = (ValidationErrorKind.AnyOf, ValidationErrorKind.OneOfNotValid)
_DEPTH: Final = 8


class Violation(NamedTuple):
    """One way in which a request or a response breaks the contract.

    ``pointer`` is a JSON pointer into the body, or starts with the name of a parameter or header. A property that is
    missing or not allowed is pointed at itself, not at its object. ``keyword`` is the broken JSON Schema keyword, or
    one of ``json`` (body or parameter is not JSON), ``encoding`` (bytes that are not text, a form that cannot be taken
    apart), ``media-type``, ``status``, ``allowEmptyValue``, ``readOnly``, ``writeOnly``, ``reference``. ``expected``
    and ``actual`` are small, whatever was sent.
    """

    where: Where
    pointer: str
    keyword: str
    message: str
    expected: Json = None
    actual: Json = None

    def __str__(self) -> str:
        """``where/pointer: message``."""
        return f"{self.where}{self.pointer}: {self.message}"


def token(part: str | int) -> str:
    """One step of a JSON pointer, with its slash."""
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def pointer(path: Iterable[str | int]) -> str:
    """Steps joined to a JSON pointer."""
    return "".join(map(token, path))


def clipped(text: str, limit: int = TEXT) -> str:
    """A text cut to ``limit`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def quoted(value: Json) -> Json:
    """``value`` if it is small, else a clipped text or a short description of it."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, str):
        return clipped(value.encode("utf-8", "replace").decode())
    if isinstance(value, int):
        return value if abs(value) < 2**63 else "a very large integer"
    if isinstance(value, (list, tuple)):
        return _quoted_list(value)
    if isinstance(value, dict):
        return f"an object with {len(value)} properties" if value else {}
    return f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__


def _quoted_list(value: list[Json] | tuple[Json, ...]) -> Json:
    scalars = all(item is None or isinstance(item, (str, int, float)) for item in value[:MOST])
    return [quoted(item) for item in value] if scalars and len(value) <= MOST else f"a list of {len(value)} items"


def violations(errors: Iterable[ValidationError], where: Where, prefix: str = "") -> tuple[Violation, ...]:
    """jsonschema-rs errors as at most ``MOST`` violations; ``prefix`` goes before each pointer."""
    found = (violation for error in errors for violation in _explained(error, where, prefix, _DEPTH))
    return tuple(islice(found, MOST))


def _explained(error: ValidationError, where: Where, prefix: str, depth: int) -> Iterator[Violation]:
    kind: Any = error.kind
    branch = _only_plausible(error, kind) if depth and isinstance(kind, _BRANCHING) else None
    if branch:
        for inner in branch:
            yield from _explained(inner, where, prefix, depth - 1)
        return
    place = prefix + pointer(error.instance_path)
    match kind:
        case ValidationErrorKind.Required():
            name = kind.property
            yield Violation(where, place + token(name), "required", f"{clipped(name, 80)} is required")
        case ValidationErrorKind.AdditionalProperties() | ValidationErrorKind.UnevaluatedProperties():
            for name in kind.unexpected[:MOST]:
                yield Violation(
                    where, place + clipped(token(name), 80), kind.name, f"{clipped(name, 80)} is not allowed here"
                )
        case ValidationErrorKind.Custom():
            yield Violation(where, place, kind.keyword, kind.message)
        case _:
            yield _plain(error, kind, where, place)


def _plain(error: ValidationError, kind: Any, where: Where, place: str) -> Violation:
    keyword, expected = kind.name, _expected(kind)
    if keyword == "pattern" and expected in PATTERN_FORMATS:
        keyword, expected = "format", PATTERN_FORMATS[expected]
    elif keyword in {"minimum", "maximum"} and expected in _BOUND_FORMATS:
        keyword, expected = "format", _BOUND_FORMATS[expected]
    actual = quoted(error.instance)
    message = (
        f'{clipped(str(actual), 80)} is not a valid "{expected}"' if keyword == "format" else clipped(error.message)
    )
    return Violation(where, place, keyword, message, quoted(expected), actual)


def _expected(kind: Any) -> Json:
    if isinstance(kind, ValidationErrorKind.Type):
        return kind.types[0] if len(kind.types) == 1 else kind.types
    if isinstance(kind, (ValidationErrorKind.PropertyNames, ValidationErrorKind.Not)) or hasattr(kind, "context"):
        return None
    return kind.value


def _only_plausible(error: ValidationError, kind: Any) -> list[ValidationError] | None:
    """The errors of the one alternative that the value was probably meant for: all others have another type."""
    plausible = [branch for branch in kind.context if not any(_is_other_type(inner, error) for inner in branch)]
    return plausible[0] if len(plausible) == 1 else None


def _is_other_type(inner: ValidationError, outer: ValidationError) -> bool:
    same_place = inner.instance_path == outer.instance_path
    return same_place and isinstance(inner.kind, (ValidationErrorKind.Type, ValidationErrorKind.FalseSchema))
