"""Values made from a schema: they obey every keyword of it, and are the same for the same seed.

Schemathesis turns the schema into a strategy, Hypothesis draws from it. Both are imported only when a value is made.
Instead of Hypothesis' own chance, which also draws from the constants of whatever modules are loaded, a digest of the
seed is read: one seed gives one value in every process that has the same versions of the two.
"""

import os
import sys
import warnings
from collections.abc import Callable
from functools import lru_cache
from hashlib import shake_256
from pathlib import Path
from time import thread_time
from typing import Any, Final

from tasktwin.contract.readable import HOME, ROOT, Taste, narrow
from tasktwin.contract.schema import Schema
from tasktwin.errors import TasktwinError
from tasktwin.wire import Json, dumps, loads

PATIENCE: Final = 5.0
"""Seconds of work after which no further try is made; on a busy machine a try takes longer but comes to the same."""

TRIES: Final = 32
"""Draws for each taste."""

MOST: Final = 262_144
"""Bytes of the greatest value that is given."""

_TASTES: Final = (
    Taste(examples=True, complete=True, words=True),
    Taste(examples=False, complete=True, words=True),
    Taste(examples=False, complete=False, words=True),
    Taste(examples=False, complete=False, words=False),
)
"""From the most readable to whatever satisfies the schema."""

_BUFFER: Final = 16_384
_CONFIG: Final = {"generation": {"mode": "positive", "allow-x00": False, "codec": "ascii"}}
_MISSING: Final = "Schemathesis is not installed, without which no answer is generated: pip install 'tasktwin[fuzz]'"

REMEMBERED: Final = 256
"""Values, or reasons why there are none, that are kept."""

Draw = Callable[[bytes], Json]


class NoSampleError(TasktwinError):
    """No value can be made from a schema. Its text says why."""


def sample(schema: Schema, seed: str) -> Json:
    """A value that satisfies the schema, checked; the same one for the same seed.

    Raises ``NoSampleError`` after ``TRIES`` draws of each taste, or after ``PATIENCE`` seconds of work.
    """
    made = _made(schema, seed)
    if isinstance(made, str):
        raise NoSampleError(f"no value is found for the schema at {schema.pointer}: {made}")
    return loads(made)


@lru_cache(maxsize=REMEMBERED)
def _made(schema: Schema, seed: str) -> bytes | str:
    """The value as JSON, or why there is none."""
    libraries = _libraries()  # importing them takes a while, once
    until, why = thread_time() + PATIENCE, "no draw satisfied it"
    for taste in _TASTES:
        try:
            draw = _drawer(*libraries, narrow(schema.converted, schema.bank, taste))
            for n in range(TRIES):
                if thread_time() > until:
                    return f"not within {PATIENCE:g} seconds of work"
                value = draw(shake_256(f"{seed}:{n}".encode()).digest(_BUFFER))
                if value is not _NOTHING and (raw := _checked(value, schema)):
                    return raw
        except _refusals() as error:
            why = str(error).strip().partition("\n")[0]
    return why


class _Nothing:
    """A draw that came to nothing."""


_NOTHING: Final = _Nothing()


def _checked(value: Json, schema: Schema) -> bytes:
    """The value as JSON, nothing if it breaks the schema, is too large, or has a number that readers do not take."""
    try:
        raw = dumps(value)
        return raw if len(raw) <= MOST and schema.is_valid(loads(raw)) else b""
    except (ValueError, TypeError):
        return b""


def _tidy(value: Json) -> Json:
    """The same with whole numbers written as such: 7.0 is an integer, but few readers know."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _tidy(each) for name, each in value.items()}
    return [_tidy(each) for each in value] if isinstance(value, list) else value


def _refusals() -> tuple[type[Exception], ...]:
    """What the libraries raise for a schema that they cannot take."""
    from hypothesis.errors import HypothesisException  # noqa: PLC0415
    from schemathesis.errors import SchemathesisError  # noqa: PLC0415

    return (HypothesisException, SchemathesisError, ValueError, RecursionError)


def _drawer(schemathesis: Any, hypothesis: Any, schemas: dict[str, Json]) -> Draw:
    """What makes a value from bytes. It takes the body of an operation, because that is the public way in."""
    content = {"application/json": {"schema": {"$ref": HOME + ROOT}}}
    operation = {"requestBody": {"required": True, "content": content}, "responses": {"200": {"description": ""}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "", "version": ""},
        "paths": {"/": {"post": operation}},
        "components": {"schemas": schemas},
    }
    config = schemathesis.Config.from_dict(_CONFIG)
    strategy = schemathesis.openapi.from_dict(document, config=config)["/"]["POST"].as_strategy()
    drawn: list[Json] = []

    def take(case: Any) -> None:
        drawn.append(case.body)

    test = hypothesis.settings(database=None, deadline=None)(hypothesis.given(strategy)(take))

    def draw(chance: bytes) -> Json:
        drawn.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test.hypothesis.fuzz_one_input(chance)
        return _tidy(drawn[-1]) if drawn else _NOTHING

    return draw


def _libraries() -> tuple[Any, Any]:
    fresh = "hypothesis" not in sys.modules
    try:
        import hypothesis  # noqa: PLC0415
        import schemathesis  # noqa: PLC0415
    except ImportError:
        raise NoSampleError(_MISSING) from None
    if fresh:  # else it leaves a folder where the twin was started
        from hypothesis.configuration import set_hypothesis_home_dir  # noqa: PLC0415

        set_hypothesis_home_dir(Path(os.devnull, "hypothesis"))
        warnings.filterwarnings("ignore", "The database setting is not configured")  # it is not, and need not be
    return schemathesis, hypothesis
