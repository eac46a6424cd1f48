"""The fields of Django REST framework: what each takes for a value, and its words for a wrong one.

Source: ``rest_framework/fields.py`` and ``relations.py`` of version 3.15, ``django/utils/dateparse.py``; a ``Kind`` is a field's
``to_internal_value`` with its validators, a ``Field`` is a kind in its place. Errors are nested as the framework nests
them: a list of ``Told``, a mapping for the fields of a serializer, a list of those for ``many=True``.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import ClassVar, Final
from uuid import UUID

from tasktwin.contract.style import ABSENT
from tasktwin.dialect.form import Form
from tasktwin.wire import Json

_LONGEST_NUMBER: Final = 1000
_ZEROS: Final = re.compile(r"\.0*\s*$")
_DATE: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})$")
_MOMENT: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,6})\d{0,6})?)?"
    r"\s*(Z|[+-]\d{2}(?::?\d{2})?)?$"
)


@dataclass(frozen=True, slots=True)
class Told:
    """One error; its text form is that of the framework's ``ErrorDetail``, which clients get to see."""

    text: str
    code: str = "invalid"

    def __repr__(self) -> str:
        return f"ErrorDetail(string={self.text!r}, code={self.code!r})"


class Wrong(Exception):  # noqa: N818 - never leaves this package: it becomes a fault
    """A value that a field refuses, with its errors."""

    def __init__(self, errors: Json) -> None:
        super().__init__(errors)
        self.errors = errors


def wrong(text: str, code: str = "invalid") -> Wrong:
    """A refusal for one reason."""
    return Wrong([Told(text, code)])


class Kind(ABC):
    """What a field reads.

    ``blank`` says whether ``""`` is a value; if not, a form's blank field is as good as none. ``missing`` is what a
    form without the field says.
    """

    blank: bool = False
    missing: Json = ABSENT
    blank_is_null: ClassVar[bool] = False
    lack: ClassVar[str] = "This field is required."

    @abstractmethod
    def read(self, given: Json) -> Json:
        """The value that ``given`` stands for. Raises ``Wrong``."""

    def pick(self, form: Form, place: "Field") -> Json:
        """What a form has for the field, ``ABSENT`` for nothing."""
        if place.name not in form:
            return self.missing
        given = form[place.name][-1]
        if given == "" and not self.blank and (place.null or not place.required):
            return None if place.null else ABSENT
        return given


@dataclass(slots=True)
class Field:
    """A kind in its place: its name, and what happens without a value.

    ``checks`` are the serializer's own ``validate_<name>``: a predicate and the words if it does not hold.
    """

    name: str
    kind: Kind
    required: bool = False
    null: bool = False
    default: Json = ABSENT
    checks: tuple[tuple[Callable[[Json], bool], str], ...] = ()

    def take(self, data: Mapping[str, Json]) -> Json:
        """The field's value out of an object or a form, ``ABSENT`` if there is none. Raises ``Wrong``."""
        given = self.kind.pick(data, self) if isinstance(data, Form) else data.get(self.name, ABSENT)
        return self.run(given)

    def run(self, given: Json) -> Json:
        """The value of what was given. Raises ``Wrong``."""
        if given is ABSENT:
            if self.required:
                raise wrong(self.kind.lack, "required")
            return deepcopy(self.default) if isinstance(self.default, (list, dict)) else self.default
        if given is None or (self.kind.blank_is_null and given == ""):
            if not self.null:
                raise wrong("This field may not be null.", "null")
            return None
        value = self.kind.read(given)
        told = [Told(text) for holds, text in self.checks if not holds(value)]
        if told:
            raise Wrong(told)
        return value


@dataclass(slots=True)
class Text(Kind):
    """``CharField``. ``matches`` is the pattern of a ``RegexField``."""

    blank: bool = True
    trim: bool = True
    lower: bool = False
    shortest: int = 0
    longest: float = math.inf
    matches: Callable[[str], bool] | None = None

    def read(self, given: Json) -> Json:
        """Numbers are taken for their text."""
        if isinstance(given, str) and (given.strip() if self.trim else given) == "":
            if not self.blank:
                raise wrong("This field may not be blank.", "blank")
            return ""
        if isinstance(given, bool) or not isinstance(given, (str, int, float)):
            raise wrong("Not a valid string.")
        text = str(given).strip() if self.trim else str(given)
        told = self._told(text)
        if told:
            raise Wrong(told)
        return text.lower() if self.lower else text

    def _told(self, text: str) -> list[Told]:
        told = []
        if len(text) > self.longest:
            told.append(Told(f"Ensure this field has no more than {self.longest} characters.", "max_length"))
        if len(text) < self.shortest:
            told.append(Told(f"Ensure this field has at least {self.shortest} characters.", "min_length"))
        if "\0" in text:
            told.append(Told("Null characters are not allowed.", "null_characters_not_allowed"))
        surrogate = None if text.isascii() else re.search("[\ud800-\udfff]", text)
        if surrogate:
            words = f"Surrogate characters are not allowed: U+{ord(surrogate[0]):X}."
            told.append(Told(words, "surrogate_characters_not_allowed"))
        elif self.matches and not self.matches(text):
            told.append(Told("This value does not match the required pattern."))
        return told


@dataclass(slots=True)
class Number(Kind):
    """``IntegerField``, or ``FloatField`` if not ``whole``."""

    whole: bool
    low: float | None = None
    high: float | None = None

    def read(self, given: Json) -> Json:
        """Texts are read as Python reads them; ``1.0`` is an integer."""
        if isinstance(given, str) and len(given) > _LONGEST_NUMBER:
            raise wrong("String value too large.", "max_string_length")
        value = self._integer(given) if self.whole else self._float(given)
        told = []
        if self.high is not None and value > self.high:
            told.append(Told(f"Ensure this value is less than or equal to {self.high}.", "max_value"))
        if self.low is not None and value < self.low:
            told.append(Told(f"Ensure this value is greater than or equal to {self.low}.", "min_value"))
        if told:
            raise Wrong(told)
        return value

    @staticmethod
    def _integer(given: Json) -> int:
        try:
            return int(_ZEROS.sub("", str(given) if isinstance(given, (str, int, float)) else "-"))
        except ValueError:
            raise wrong("A valid integer is required.") from None

    @staticmethod
    def _float(given: Json) -> float:
        try:
            return float(given)
        except (TypeError, ValueError):
            raise wrong("A valid number is required.") from None
        except OverflowError:
            raise wrong("Integer value too large to convert to float", "overflow") from None


@dataclass(slots=True)
class Page(Kind):
    """``limit`` or ``offset`` of ``LimitOffsetPagination``, which never refuses: a wrong one counts as none."""

    low: int = 0
    high: float = math.inf
    otherwise: Json = ABSENT

    def read(self, given: Json) -> Json:
        """A number above the highest is the highest."""
        try:
            number = int(given)
        except (TypeError, ValueError):
            return self.otherwise
        return self.otherwise if number < self.low else min(number, self.high)


@dataclass(slots=True)
class Boolean(Kind):
    """``BooleanField``. A form cannot say false, so that there a missing field is ``False``."""

    null: bool = False
    missing: Json = False

    def read(self, given: Json) -> Json:
        """Many words for both."""
        word = given.lower() if isinstance(given, str) else given
        if isinstance(word, (str, int, float)):
            if word in {"t", "y", "yes", "true", "on", "1", 1}:
                return True
            if word in {"f", "n", "no", "false", "off", "0", 0}:
                return False
            if self.null and word in {"null", ""}:
                return None
        raise wrong("Must be a valid boolean.")


class Uuid(Kind):
    """``UUIDField``: any notation of Python, or its number."""

    def read(self, given: Json) -> Json:
        """The usual notation."""
        try:
            if isinstance(given, int):
                return str(UUID(int=given))
            if isinstance(given, str):
                return str(UUID(hex=given))
        except ValueError:
            pass
        raise wrong("Must be a valid UUID.")


@dataclass(slots=True)
class Related(Kind):
    """``PrimaryKeyRelatedField``, as far as it can be told without looking the row up. Blank is null."""

    uuid: bool
    blank_is_null: ClassVar[bool] = True

    def read(self, given: Json) -> Json:
        """The key as the database has it."""
        if isinstance(given, bool):
            raise self._mistyped(given)
        if not self.uuid:
            try:
                return int(given)
            except (TypeError, ValueError, OverflowError):
                raise self._mistyped(given) from None
        try:
            return str(UUID(int=given) if isinstance(given, int) else UUID(hex=given))
        except (AttributeError, ValueError):
            raise wrong(f"“{given}” is not a valid UUID.") from None

    @staticmethod
    def _mistyped(given: Json) -> Wrong:
        return wrong(f"Incorrect type. Expected pk value, received {type(given).__name__}.", "incorrect_type")


class Moment(Kind):
    """``DateTimeField`` with UTC as the time zone."""

    def read(self, given: Json) -> Json:
        """In UTC, as the framework writes it."""
        try:
            moment = _moment(given)
            if moment is not None:
                moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
                return moment.isoformat().removesuffix("+00:00") + "Z"
        except (TypeError, ValueError):
            pass
        except OverflowError:
            raise wrong("Datetime value out of range.", "overflow") from None
        formats = "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]"
        raise wrong(f"Datetime has wrong format. Use one of these formats instead: {formats}.")


class Day(Kind):
    """``DateField``."""

    def read(self, given: Json) -> Json:
        """In ISO 8601."""
        try:
            return date.fromisoformat(given).isoformat()
        except (TypeError, ValueError):
            pass
        try:
            if match := _DATE.match(given):
                return date(*(int(part) for part in match.groups())).isoformat()
        except (TypeError, ValueError):
            pass
        raise wrong("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.")


def _moment(given: Json) -> datetime | None:
    """What Django's ``parse_datetime`` reads. Raises ``TypeError`` and ``ValueError``."""
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        match = _MOMENT.match(given)
    if match is None:
        return None
    *numbers, fraction, zone = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in numbers)
    return datetime(year, month, day, hour, minute, second, int((fraction or "").ljust(6, "0")), _zone(zone))


def _zone(text: str | None) -> timezone | None:
    if text is None or text == "Z":
        return UTC if text else None
    minutes = 60 * int(text[1:3]) + (int(text[-2:]) if len(text) > 3 else 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


@dataclass(slots=True)
class Choice(Kind):
    """``ChoiceField``: the choices by their Python text."""

    choices: dict[str, Json]
    blank: bool = False

    def read(self, given: Json) -> Json:
        """The choice itself, whatever type the same text came in."""
        if given == "" and self.blank:
            return ""
        text = str(given)
        if text not in self.choices:
            raise wrong(f'"{text}" is not a valid choice.', "invalid_choice")
        return self.choices[text]


class File(Kind):
    """``FileField``: an uploaded file, its bytes."""

    lack: ClassVar[str] = "No file was submitted."

    def read(self, given: Json) -> Json:
        """Not empty."""
        if not isinstance(given, bytes):
            raise wrong("The submitted data was not a file. Check the encoding type on the form.")
        if not given:
            raise wrong("The submitted file is empty.", "empty")
        return given
