r"""Regular expressions of a document, bounded: no text may keep the twin busy for long.

Most run in time proportional to the text. Those with look-arounds or back-references need another engine, which steps
back at most ``MOST_STEPS`` times, and are tried on texts up to ``LONGEST`` characters only; longer ones do not fit.
"""

from functools import lru_cache
from typing import Final

from jsonschema_rs import Draft202012Validator, FancyRegexOptions, RegexOptions, ValidationError

from tasktwin.wire import Json

LONGEST: Final = 4_096
MOST_STEPS: Final = 50_000
MOST_BYTES: Final = 2 * 1024 * 1024
"""A compiled expression is no larger."""

ENGINE: Final = FancyRegexOptions(backtrack_limit=MOST_STEPS, size_limit=MOST_BYTES)

_SHORT: Final = {"maxLength": LONGEST}
_DATA: Final = frozenset({"const", "enum", "examples", "default"})


def bounded(schema: Json) -> Json:
    """A converted schema whose look-arounds are tried on short texts only; the same one when it has none."""
    if isinstance(schema, list):
        items = [bounded(each) for each in schema]
        return items if any(new is not old for new, old in zip(items, schema, strict=True)) else schema
    if not isinstance(schema, dict):
        return schema
    found = {
        key: value if key in _DATA and not isinstance(value, dict) else bounded(value) for key, value in schema.items()
    }
    pattern = found.get("pattern")
    if isinstance(pattern, str) and looks_around(pattern):
        del found["pattern"]
        guarded = {"if": _SHORT, "then": {"pattern": pattern}, "else": _SHORT}
        return {**found, "allOf": [*found.get("allOf", ()), guarded]}
    return found if any(found[key] is not value for key, value in schema.items()) else schema


def fits(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern; a pattern that is none fits all."""
    try:
        validator = Draft202012Validator(bounded({"pattern": pattern}), pattern_options=ENGINE)
    except ValidationError:
        return True
    return validator.is_valid(text)


@lru_cache(4096)
def looks_around(pattern: str) -> bool:
    """Whether a pattern needs more than time proportional to the text. Not if it is no pattern at all."""
    try:
        Draft202012Validator({"pattern": pattern}, pattern_options=RegexOptions(size_limit=MOST_BYTES))
    except ValidationError:
        try:
            Draft202012Validator({"pattern": pattern}, pattern_options=ENGINE)
        except ValidationError:
            return False
        return True
    return False
