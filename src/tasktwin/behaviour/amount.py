"""Amounts: decimals as a row keeps them."""

from decimal import Decimal, InvalidOperation

from tasktwin.behaviour.rules import Collection
from tasktwin.errors import Refusal
from tasktwin.state import Row

MOST_DIGITS = 24
"""Digits of a decimal before its point; arithmetic on more would round."""


def canonical(row: Row, collection: Collection) -> None:
    """Decimals are kept as text with a fixed number of places, however the client wrote them.

    Raises ``Refusal`` for what is no number, not finite, or longer than any amount of money.
    """
    for name, places in collection.decimals.items():
        value = row.get(name)
        if value is not None:
            try:
                number = Decimal(str(value))
            except InvalidOperation:
                raise Refusal("invalid", f"{name} must be a decimal number") from None
            if not number.is_finite() or number.adjusted() >= MOST_DIGITS:
                raise Refusal("invalid", f"{name} must be a number of at most {MOST_DIGITS} digits")
            if number != round(number, places):
                raise Refusal("invalid", f"{name} must have at most {places} decimals")
            row[name] = f"{number:.{places}f}"
