"""The fields of Django REST framework that hold others, and the one that holds anything.

Source: ``rest_framework/fields.py`` and ``serializers.py`` of version 3.15.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tasktwin.contract.style import ABSENT
from tasktwin.dialect.field import Field, Kind, Told, Wrong, wrong
from tasktwin.dialect.form import Form, parse_json
from tasktwin.wire import Json

NON_FIELD: Final = "non_field_errors"
"""The key of what is wrong with a serializer as a whole."""


class _JsonText(str):
    """A text of a form that is to be read as JSON."""

    __slots__ = ()


class AnyJson(Kind):
    """``JSONField``: anything. In a form it is a text that holds JSON."""

    def pick(self, form: Form, place: Field) -> Json:
        """The text, to be read as JSON; blank is no JSON."""
        if place.name not in form:
            return ABSENT
        given = form[place.name][-1]
        return _JsonText(given if isinstance(given, str) else "")

    def read(self, given: Json) -> Json:
        """What cannot be written as JSON again is refused."""
        try:
            if isinstance(given, _JsonText):
                return _writable(parse_json(given))
            return _writable(given.last() if isinstance(given, Form) else given)
        except (ValueError, OverflowError):
            raise wrong("Value must be valid JSON.") from None


def _writable(value: Json) -> Json:
    """A JSON value whose integers fit into 64 bits, larger ones being floats. Raises ``ValueError``, ``OverflowError``."""
    if isinstance(value, dict):
        return {_writable(key): _writable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_writable(each) for each in value]
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


@dataclass(slots=True)
class Items(Kind):
    """``ListField``. The number of items is checked after the items, except that none is."""

    child: Field = field(default_factory=lambda: Field("", AnyJson(), null=True))
    empty: bool = True
    fewest: int = 0
    most: float = math.inf

    def pick(self, form: Form, place: Field) -> Json:
        """The field sent several times, or numbered."""
        return form.get(place.name) or form.listed(place.name) or ABSENT

    def read(self, given: Json) -> Json:
        """Errors are told by the number of the item."""
        items = given.listed("") if isinstance(given, Form) else given
        if not isinstance(items, list):
            raise wrong(_not_a_list(items), "not_a_list")
        if not self.empty and not items:
            raise wrong("This list may not be empty.", "empty")
        found, errors = _each(self.child, enumerate(items))
        if errors:
            raise Wrong(errors)
        told = _count(len(found), self.fewest, self.most)
        if told:
            raise Wrong(told)
        return list(found.values())


@dataclass(slots=True)
class Many(Items):
    """A nested serializer with ``many=True``: its errors are a list with ``{}`` for each item that is right."""

    def pick(self, form: Form, place: Field) -> Json:
        """Only numbered."""
        return form.listed(place.name) or ABSENT

    def read(self, given: Json) -> Json:
        """What is wrong with the list as a whole comes first, and is no error of a field."""
        items = given.listed("") if isinstance(given, Form) else given
        told = [Told(_not_a_list(items), "not_a_list")] if not isinstance(items, list) else []
        if not told and not self.empty and not items:
            told = [Told("This list may not be empty.", "empty")]
        told = told or _count(len(items), self.fewest, self.most)
        if told:
            raise Wrong({NON_FIELD: told[:1]})
        found, errors = _each(self.child, enumerate(items))
        if errors:
            raise Wrong([errors.get(index, {}) for index in range(len(items))])
        return list(found.values())


@dataclass(slots=True)
class Dictionary(Kind):
    """``DictField``. A form cannot say it: the framework looks for the keys twice and finds none."""

    child: Field = field(default_factory=lambda: Field("", AnyJson(), null=True))
    empty: bool = True

    def pick(self, form: Form, place: Field) -> Json:
        """The fields ``name.key``."""
        return form.inner(place.name)

    def read(self, given: Json) -> Json:
        """Errors are told by the key."""
        items = given.inner("").last() if isinstance(given, Form) else given
        if not isinstance(items, dict):
            raise wrong(f'Expected a dictionary of items but got type "{type(items).__name__}".', "not_a_dict")
        if not self.empty and not items:
            raise wrong("This dictionary may not be empty.", "empty")
        found, errors = _each(self.child, items.items())
        if errors:
            raise Wrong(errors)
        return found


@dataclass(slots=True)
class Serializer(Kind):
    """A serializer: its fields in their order. What is not among them is dropped."""

    fields: tuple[Field, ...] = ()

    def pick(self, form: Form, place: Field) -> Json:
        """The fields ``name.field``."""
        return form.inner(place.name) or ABSENT

    def read(self, given: Json) -> Json:
        """Errors are told by the field's name."""
        if not isinstance(given, dict):
            words = f"Invalid data. Expected a dictionary, but got {type(given).__name__}."
            raise Wrong({NON_FIELD: [Told(words)]})
        found: dict[str, Json] = {}
        errors: dict[str, Json] = {}
        for each in self.fields:
            try:
                value = each.take(given)
            except Wrong as error:
                errors[each.name] = error.errors
                continue
            if value is not ABSENT:
                found[each.name] = value
        if errors:
            raise Wrong(errors)
        return found


def _each(child: Field, items: Iterable[tuple[Json, Json]]) -> tuple[dict[Json, Json], dict[Json, Json]]:
    """The values and the errors of several items, by their keys."""
    found: dict[Json, Json] = {}
    errors: dict[Json, Json] = {}
    for key, item in items:
        try:
            found[key] = child.run(item)
        except Wrong as error:
            errors[key] = error.errors
    return found, errors


def _not_a_list(given: Json) -> str:
    return f'Expected a list of items but got type "{type(given).__name__}".'


def _count(number: int, fewest: int, most: float) -> list[Told]:
    told = []
    if number > most:
        told.append(Told(f"Ensure this field has no more than {most} elements.", "max_length"))
    if number < fewest:
        told.append(Told(f"Ensure this field has at least {fewest} elements.", "min_length"))
    return told
