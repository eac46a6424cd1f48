"""A JSON object that somebody ordered something with, read key by key; what is wrong is told with its place."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from tasktwin.errors import MisuseError
from tasktwin.wire import Json, dumps

LONGEST_GLOB = 200
"""Characters of a pattern."""


class Order:
    """A JSON object of an order, and its place in it; what it lacks or has wrong is told with that place."""

    def __init__(self, value: Json, place: str) -> None:
        """Raises ``MisuseError`` if it is no object."""
        if not isinstance(value, dict):
            raise MisuseError(f"{place}: must be an object, not {named(value)}")
        self.value = value
        self.place = place

    def takes(self, *keys: str, about: str = "") -> None:
        """Hold that there are no other keys; ``about`` says for what. Raises ``MisuseError``, as all below do."""
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

    def one_of(self, key: str, options: Sequence[str], not_yet: Sequence[str] = ()) -> Json:
        """One of some words; of those that are ``not_yet`` it is told that the twin cannot do them yet."""
        value = self.value[key]
        if isinstance(value, str) and value in not_yet:
            raise self.wrong(key, f"the twin cannot do {value!r} yet. {hint(value, options)}")
        if not isinstance(value, str) or value not in options:
            raise self.wrong(key, f"there is no {named(value)}. {hint(str(value), options)}")
        return value

    def glob(self, key: str) -> str:
        """A pattern of 1 to ``LONGEST_GLOB`` characters; ``*`` without one."""
        value = self.value.get(key, "*")
        if not isinstance(value, str) or len(value) > LONGEST_GLOB:
            raise self.wrong(key, f"must be a pattern of at most {LONGEST_GLOB} characters, not {named(value)}")
        return value

    def wrong(self, key: str, told: str) -> MisuseError:
        """An error to raise about a key."""
        return MisuseError(f"{self.place}/{_clipped(key)}: {told}")


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
