"""What others wrote, made fit to be read: without signs that no document may hold, and no longer than a reader bears."""

import re

from tasktwin.wire import Json, loads

# Control characters but tab and newline, marks that turn the direction of what follows, surrogates and non-characters:
# XML forbids some, terminals obey some, and some make a text look like another.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def legible(text: str) -> str:
    """The text with every harmful sign written as its escape."""
    return _HARMFUL.sub(lambda found: ascii(found[0])[1:-1], text)


def clipped(text: str, most: int) -> str:
    """The text, or its beginning and how much is missing."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def pretty(body: str) -> str:
    """JSON with a line for each value; anything else as it is."""
    import orjson  # noqa: PLC0415 - the one place that indents

    try:
        value: Json = loads(body.encode())
    except ValueError:
        return body
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0.42 s``, ``12.3 s``, ``2 min 05 s``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02} s"
