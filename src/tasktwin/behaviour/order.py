"""A JSON object that somebody ordered something with, read key by key; what is wrong is told with its place."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from tasktwin.errors import MisuseError
from tasktwin.wire import Json, dumps

LONGEST_GLOB = 200
"""Characters of a pattern."""


class OrderError(MisuseError):
    """An order is wrong. ``pointer`` says where in it, ``told`` what."""

    def __init__(self, pointer: str, told: str) -> None:
        super().__init__(f"{pointer}: {told}" if pointer else told)
        self.pointer = pointer
        self.told = told


class Order:
    """A JSON object of an order, and its place in it; what it lacks or has wrong is told with that place."""

    def __init__(self, value: Json, place: str) -> None:
        """Raises ``OrderError`` if it is no object."""
        if not isinstance(value, dict):
            raise OrderError(place, f"must be an object, not {named(value)}")
        self.value = value
        self.place = place

    def takes(self, *keys: str, about: str = "") -> None:
        """Hold that there are no other keys; ``about`` says for what. Raises ``OrderError``, as all below do."""
        for key in self.value:
            if key not in keys:
                what = f"{about} takes no key" if about else "there is no key"
                raise self.wrong(str(key), f"{what} {quoted(key)}. {hint(str(key), keys)}")

    def inner(self, key: str) -> "Order":
        """The object under a key; an empty one if there is none."""
        return Order(self.value.get(key, {}), f"{self.place}/{key}")

    def integer(self, key: str, least: int, most: int, usual: int | None = None) -> int:
        """A whole number within bounds."""
        value = self.value.get(key, usual)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, f"must be a whole number from {least} to {most}, not {named(value)}")
        return value

    def number(self, key: str, least: float, most: float, usual: float | None = None) -> float:
        """A number within bounds, as it was written."""
        value = self.value.get(key, usual)
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, f"must be a number from {least} to {most}, not {named(value)}")
        return value

    def one_of(self, key: str, options: Sequence[str]) -> Json:
        """One of some words."""
        value = self.value[key]
        if not isinstance(value, str) or value not in options:
            raise self.wrong(key, f"there is no {named(value)}. {hint(str(value), options)}")
        return value

    def glob(self, key: str) -> str:
        """A pattern of 1 to ``LONGEST_GLOB`` characters; ``*`` without one."""
        value = self.value.get(key, "*")
        if not isinstance(value, str) or len(value) > LONGEST_GLOB:
            raise self.wrong(key, f"must be a pattern of at most {LONGEST_GLOB} characters, not {named(value)}")
        return value

    def wrong(self, key: str, told: str) -> OrderError:
        """An error to raise about a key."""
        return OrderError(f"{self.place}/{_clipped(key.replace('~', '~0').replace('/', '~1'))}", told)


def hint(word: str, known: Collection[str]) -> str:
    """The known word that is close, else what is known."""
    close = get_close_matches(word[:64], sorted(known), 1)
    if close:
        return f"Did you mean {close[0]!r}?"
    listed = sorted(known)[:12]
    return f"Known: {', '.join(listed)}{', …' if len(known) > len(listed) else ''}"


def named(value: Json) -> str:
    """What a value is, in few characters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return dumps(value).decode() if value is None or isinstance(value, bool) else quoted(value)


def quoted(value: Json) -> str:
    """A value as Python writes it, in few characters."""
    return _clipped(repr(value))


def _clipped(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"
