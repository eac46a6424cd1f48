"""Amounts: decimals as a row keeps them."""

import re
from collections.abc import Callable, Container
from decimal import Decimal, InvalidOperation
from functools import cache

from tasktwin.behaviour.rules import Collection
from tasktwin.errors import Refusal
from tasktwin.state import Row

MOST_DIGITS = 24
"""Digits of a decimal before its point; arithmetic on more would round."""


def canonical(row: Row, collection: Collection, changed: Container[str] | None = None) -> None:
    """Decimals are kept as text with a fixed number of places, however the client wrote them.

    Of a row that was kept before only what is ``changed`` is looked at. Raises ``Refusal`` for what is no number, not
    finite, or longer than any amount of money.
    """
    for name, places in collection.decimals.items():
        value = row.get(name)
        if value is None or (changed is not None and name not in changed):
            continue
        if not (value.__class__ is str and _kept(places)(value)):
            try:
                number = Decimal(str(value))
            except InvalidOperation:
                raise Refusal("invalid", f"{name} must be a decimal number") from None
            if not number.is_finite() or number.adjusted() >= MOST_DIGITS:
                raise Refusal("invalid", f"{name} must be a number of at most {MOST_DIGITS} digits")
            if number != round(number, places):
                raise Refusal("invalid", f"{name} must have at most {places} decimals")
            row[name] = f"{number:.{places}f}"


@cache
def _kept(places: int) -> Callable[[str], re.Match[str] | None]:
    """Whether a text is a decimal as it is kept, which most are that are put again."""
    digits = rf"\.\d{{{places}}}" if places else ""
    return re.compile(rf"-?(?:0|[1-9]\d{{0,{MOST_DIGITS - 1}}}){digits}", re.ASCII).fullmatch
