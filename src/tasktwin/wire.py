"""What travels: JSON, read strictly and written compactly."""

from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = Any
"""Any JSON value. The only place where ``Any`` is meant."""

MAX_DEPTH = 200
"""Nesting beyond this is refused on the way in, so that whatever was read can be written again (orjson writes 254)."""

dumps: Callable[[Json], bytes] = orjson.dumps
"""A value to compact UTF-8 bytes."""


def loads(raw: bytes) -> Json:
    """Bytes to a value.

    Raises ``ValueError`` on what is not JSON: bad UTF-8, NaN, lone surrogates, numbers beyond a double, and
    nesting deeper than ``MAX_DEPTH``. Of duplicate keys the last one wins, as in Python and JavaScript.
    """
    value = orjson.loads(raw)
    if len(raw) > MAX_DEPTH and raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return value


def depth(value: Json) -> int:
    """How deep lists and objects are nested: 0 for a scalar, 1 for ``[]``."""
    level, layer = 0, [value]
    while layer := [inner for inner in layer if isinstance(inner, (list, dict))]:
        level += 1
        layer = [inner for outer in layer for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return level
