"""What Django makes of a body or a query: JSON by Python's own reader, and forms whose fields have many values.

Source: ``rest_framework/parsers.py`` and ``utils/html.py`` of Django REST framework 3.15, ``QueryDict`` of Django.
"""

import codecs
import json
import re
from typing import Final, NoReturn
from urllib.parse import parse_qs

from tasktwin.contract.media import MULTIPART, Medium, Unreadable
from tasktwin.wire import MAX_DEPTH, Json, depth

MOST_FIELDS: Final = 1000
"""Django's ``DATA_UPLOAD_MAX_NUMBER_FIELDS``."""

_CHARSETS: Final = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "utf-16", "utf-32"})
_BOUNDARY: Final = re.compile(r"[ -~]{0,200}[!-~]")
_MULTIPART: Final = Medium(MULTIPART, "multipart", None)


class Form(dict[str, list[Json]]):
    """A form: each field with all its values, texts or (for uploaded files) bytes. The last value is the one."""

    def last(self) -> dict[str, Json]:
        """Each field with its last value."""
        return {name: values[-1] for name, values in self.items()}

    def inner(self, prefix: str) -> "Form":
        """The fields ``prefix.name`` as a form of their own."""
        start = f"{prefix}."
        return Form(
            {name[len(start) :]: each for name, each in self.items() if name.startswith(start) and name != start}
        )

    def listed(self, prefix: str) -> list[Json]:
        """The fields ``prefix[0]`` in order, or those ``prefix[0]name`` as one form for each number."""
        found: dict[int, Json] = {}
        pattern = re.compile(rf"{re.escape(prefix)}\[([0-9]{{1,18}})\](.*)")
        for name, value in self.last().items():
            if not (match := pattern.fullmatch(name)):
                continue
            index, key = int(match[1]), match[2]
            if not key:
                found[index] = value
            elif isinstance(found.get(index), Form):
                found[index][key] = [value]
            else:
                found[index] = Form({key: [value]})
        return [found[index] for index in sorted(found)]


def parameter(content_type: str, name: str) -> str | None:
    """A parameter of a Content-Type, its quotes taken off; ``None`` if it is not there."""
    for part in content_type.split(";")[1:]:
        key, equals, value = part.partition("=")
        if equals and key.strip().lower() == name:
            return value.strip().strip('"')
    return None


def charset(content_type: str) -> str:
    """The charset that a Content-Type names; UTF-8 for none, an unknown one and those that are slow to decode."""
    try:
        name = codecs.lookup(parameter(content_type, "charset") or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return name if name in _CHARSETS else "utf-8"


def parse_json(text: str) -> Json:
    """A text as JSON. Raises ``ValueError`` in Python's words; NaN and infinity are refused."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return value


def parse_form(raw: bytes, encoding: str = "utf-8", most: int | None = None) -> Form:
    """``a=1&b=2``, blank values kept. Raises ``ValueError`` for more than ``most`` fields."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return Form(parse_qs(text, keep_blank_values=True, encoding=encoding, max_num_fields=most))


def parse_multipart(raw: bytes, content_type: str) -> Form:
    """A multipart form. Raises ``ValueError``."""
    boundary = parameter(content_type, "boundary")
    if not boundary or not _BOUNDARY.fullmatch(boundary):
        raise ValueError(f"Invalid boundary in multipart: {boundary}")
    try:
        found = _MULTIPART.decode(raw, content_type)
    except Unreadable as error:
        raise ValueError(str(error)) from None
    return Form({name: value if isinstance(value, list) else [value] for name, value in found.items()})


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {constant!r}")
