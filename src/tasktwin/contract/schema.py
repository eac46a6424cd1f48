"""Compiled schemas: one jsonschema-rs validator each."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from jsonschema_rs import Draft202012Validator, Registry, ValidationError

from tasktwin.contract.dialect import BANK, Dialect, Side
from tasktwin.contract.pattern import ENGINE, bounded
from tasktwin.contract.source import Source
from tasktwin.contract.violation import Violation, Where, clipped, token, violations
from tasktwin.wire import Json

if TYPE_CHECKING:
    from jsonschema_rs import KeywordValidator  # stands only in the stub

_META: Final = Draft202012Validator({"$ref": "https://json-schema.org/draft/2020-12/schema"}, validate_formats=True)
_DEEPEST: Final = 8
_NOT_JSON: Final = (ValueError, TypeError, OverflowError, RecursionError)


class _Hidden:
    """The keyword that stands in for a property that must not travel this way."""

    message = ""

    def __init__(self, _schema: dict[str, Any], _value: Any, _path: list[str | int]) -> None:
        pass

    def validate(self, _instance: Any) -> None:
        raise ValueError(self.message)


class _ReadOnly(_Hidden):
    message = "a read-only property cannot be sent"


class _WriteOnly(_Hidden):
    message = "a write-only property cannot be answered"


_KEYWORDS: "Final[dict[str, type[KeywordValidator]]]" = {"readOnly": _ReadOnly, "writeOnly": _WriteOnly}


class Schema:
    """A schema, ready to check values with.

    ``resolved`` is the document's schema with its top-level ``$ref`` followed; it is not converted. ``converted`` is
    plain JSON Schema 2020-12, whose references lead into ``bank``. A value is what ``wire.loads`` gives. Values that
    are no JSON at all break the schema; they never raise.
    """

    __slots__ = ("_errors", "_properties", "_source", "_valid", "bank", "converted", "pointer", "resolved")

    def __init__(
        self, source: Source, pointer: str, resolved: dict[str, Json], converted: Json, bank: dict[str, Json]
    ) -> None:
        self.pointer = pointer
        self.resolved = resolved
        self.converted = converted
        self.bank = bank
        self._source = source
        self._properties: dict[str, Json] | None = None
        self._valid: Callable[[Any], bool] = _never
        self._errors: Callable[[Any], Iterable[ValidationError]] = _nothing

    def compile(self, registry: Registry) -> None:
        """Make the validator. Raises ``jsonschema_rs.ValidationError`` for a schema that cannot be one."""
        validator = Draft202012Validator(
            bounded(self.converted),
            registry=registry,
            validate_formats=True,
            pattern_options=ENGINE,
            keywords=_KEYWORDS,
            offline=True,
        )
        self._valid, self._errors = validator.is_valid, validator.iter_errors

    def is_valid(self, value: Json) -> bool:
        """Whether ``value`` satisfies the schema."""
        try:
            return self._valid(value)
        except _NOT_JSON:
            return False

    def check(self, value: Json, where: Where = "body", prefix: str = "") -> tuple[Violation, ...]:
        """What is wrong with ``value``, at most 50 findings; their pointers start with ``prefix``."""
        if self.is_valid(value):
            return ()
        try:
            found = violations(self._errors(value), where, prefix)
        except _NOT_JSON as error:
            return (Violation(where, prefix, "json", f"this is not a JSON value: {clipped(str(error))}"),)
        return found or (Violation(where, prefix, "schema", "the value does not satisfy its schema"),)

    @property
    def properties(self) -> dict[str, Json]:
        """The declared properties by name, those behind ``$ref`` and ``allOf`` included, each as in the document."""
        if self._properties is None:
            self._properties = self._merged(self.resolved, 0)
        return self._properties

    def _merged(self, node: dict[str, Json], depth: int) -> dict[str, Json]:
        result: dict[str, Json] = {}
        branches = node.get("allOf")
        for branch in branches if isinstance(branches, list) and depth < _DEEPEST else ():
            result.update(self._merged(self._source.resolved(branch), depth + 1))
        own = node.get("properties")
        return result | own if isinstance(own, dict) else result


class Schemas:
    """All schemas of a document, for each side. First want them all, then ``compile`` once, then use them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._dialects: dict[Side, Dialect] = {side: Dialect(source, side) for side in ("request", "response", "plain")}
        self._wanted: dict[tuple[Side, str], Schema] = {}
        self._composed: list[tuple[Side, Schema]] = []
        self._registries: dict[Side, Registry] = {}

    def at(self, side: Side, pointer: str) -> Schema:
        """The schema at ``pointer``, which must exist. The same one for the same question."""
        schema = self._wanted.get((side, pointer))
        if schema is None:
            found = self.source.at(pointer)
            dialect, resolved = self._dialects[side], self.source.resolved(found)
            schema = Schema(self.source, pointer, resolved, dialect.reference(pointer), dialect.bank)
            self._wanted[side, pointer] = schema
            if self._registries:
                schema.compile(self._registries[side])
        return schema

    def composed(self, side: Side, converted: Json) -> Schema:
        """A schema made of converted ones."""
        schema = Schema(self.source, "", {}, converted, self._dialects[side].bank)
        self._composed.append((side, schema))
        return schema

    def converted(self, side: Side, pointer: str) -> Json:
        """What to put into a composed schema for the one at ``pointer``."""
        return self._dialects[side].reference(pointer)

    def loose(self, side: Side, schema: Json, at: str) -> Json:
        """Convert a schema that stands somewhere below ``at``."""
        return self._dialects[side].loose(schema, at)

    def compile(self) -> None:
        """Check and compile everything wanted so far; what is refused becomes problems of the source."""
        for dialect in self._dialects.values():
            for pointer in dialect.cycles():
                self.source.refuse("this schema refers to itself without a property or item between", pointer)
            for error in _META.iter_errors({"$defs": dialect.bank}):
                self._refuse(error, dialect)
        if self.source.problems:
            return  # a schema that refers to itself would never end
        self._registries = {
            side: Registry([(BANK, {"$defs": bounded(each.bank)})]) for side, each in self._dialects.items()
        }
        for (side, _), schema in self._wanted.items():
            self._compile(side, schema)
        for side, schema in self._composed:
            self._compile(side, schema)

    def _compile(self, side: Side, schema: Schema) -> None:
        try:
            schema.compile(self._registries[side])
        except _NOT_JSON as error:
            reason = error.message if isinstance(error, ValidationError) else str(error)
            self.source.refuse(f"the schema cannot be compiled: {clipped(reason)}", schema.pointer)

    def _refuse(self, error: ValidationError, dialect: Dialect) -> None:
        """A schema breaks the meta-schema: point at the keyword, as far as it stands in the document too."""
        pointer = dialect.origin(str(error.instance_path[1])) if len(error.instance_path) > 1 else ""
        for step in error.instance_path[2:]:
            further = pointer + token(step)
            if not self.source.has(further):
                break
            pointer = further
        self.source.refuse(f"a schema keyword is wrong: {clipped(error.message)}", pointer)


def _never(_value: Any) -> bool:
    return False


def _nothing(_value: Any) -> Iterable[ValidationError]:
    return ()
