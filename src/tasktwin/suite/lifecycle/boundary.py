"""Values at the edges of what a request may hold, sent where they matter: to rows that are really there.

Which edges there are the schema says; whether they are accepted the oracle does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tasktwin.contract.violation import token
from tasktwin.suite.lifecycle.atlas import Atlas, Found, reader_of
from tasktwin.suite.lifecycle.tour import Tour
from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.sketch import Desk, Sketch, step_of
from tasktwin.suite.story.step import Step
from tasktwin.wire import Json

LONGEST = 20_000
"""Characters of the longest text that is sent."""

MOST = 60
"""So many values are tried on one operation."""

TEXTS = ("Grüße 早 🦊 ń", "  ", "a\tb\nc", "<b>&amp;\"'</b>", "0", "null")
"""Texts that software stumbles over."""


def edges(desk: Desk, atlas: Atlas) -> Iterator[Tour]:
    """A tour for each operation that takes a body: it is sent with each edge, and then read."""
    for name, each in desk.inputs.items():
        found = _where(atlas, each)
        if not each.bodies or not each.writes or found is None:
            continue
        sketch = found.before
        desk.open(sketch)
        steps = list(_steps(desk, sketch, each, found))
        steps += _lists(desk, sketch, each, found)
        trials = [step.renamed(60_000 + n) for n, step in enumerate(steps)]
        yield Tour(f"edges of {name}", tuple(sketch.steps), tuple(trials))


def _where(atlas: Atlas, each: Inputs) -> Found | None:
    """A story whose last step is this operation."""
    places = [*atlas.ways.values(), *atlas.places.values()]
    return next((found for found in places if found.step.operation == each.operation.id), None)


def _steps(desk: Desk, sketch: Sketch, each: Inputs, found: Found) -> Iterator[Step]:
    usual = found.step.body if isinstance(found.step.body, Mapping) else each.bodies[0]
    yield replace(found.step, raw=b"{", about="no JSON")
    yield replace(found.step, raw=b"[]", about="a list in place of an object")
    yield replace(found.step, headers={**found.step.headers, "content-type": "text/plain"}, about="as text/plain")
    key = 90_000
    for count, (name, about, body) in enumerate(_bodies(each, dict(usual))):
        if count >= MOST:
            return
        key += 1
        step = replace(found.step, key=key, body=body, about=about, tries=token(name))
        yield step
        yield from _read(desk, sketch, each, found, step)


def _read(desk: Desk, sketch: Sketch, each: Inputs, found: Found, step: Step) -> Iterator[Step]:
    """Read the row that an update changed."""
    reader = reader_of(desk, found.handle.collection) if found.handle else None
    place = each.main
    if reader is None or reader.main is None or place is None or found.handle is None or place not in each.needed:
        return
    if each.needed[place] != found.handle.collection:
        return
    rows: dict[Place, Json] = {
        one: known[0].ref for one, kind in reader.needed.items() if (known := sketch.knows(kind))
    }
    if len(rows) == len(reader.needed):
        yield replace(step_of(sketch, reader, step.as_, {**rows, reader.main: found.handle.ref}), about="look at it")


def _lists(desk: Desk, sketch: Sketch, each: Inputs, found: Found) -> Iterator[Step]:
    """The lists that show what was made."""
    made = each.binding.collection
    for lister in desk.inputs.values():
        shown = lister.binding.collection
        if made and shown and lister.is_shared and lister.binding.verb == "list" and shown.name == made.name:
            size: dict[str, Json] = {lister.page_size: 100} if lister.page_size else {}
            step = step_of(sketch, lister, found.step.as_, {}, next(iter(lister.bodies), None))
            yield replace(step, query={**step.query, **size}, about="what is listed now")


def _bodies(each: Inputs, usual: dict[str, Json]) -> Iterator[tuple[str, str, dict[str, Json]]]:
    """Bodies that differ from a usual one in one member: its name, how, and the body."""
    schema = each.operation.body_schema or {}
    taken = {place.name for place in each.rows if place.where == "body"}
    for name, node in schema.get("properties", {}).items():
        if name in taken or not isinstance(node, dict):
            continue
        resolved = each.operation.resolved(node)
        for about, value in _values(resolved):
            yield name, f"{name}: {about}", {**usual, name: value}
        if name in usual:
            yield name, f"without {name}", {key: value for key, value in usual.items() if key != name}


def _values(schema: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if "enum" in schema:
        yield from ((f"{word!r}", word) for word in schema["enum"] if word is not None)
        yield "no such word", "no-such-word"
        return
    if "string" in kinds and not schema.keys() & {"format", "pattern"}:
        yield from _texts(schema)
    if "integer" in kinds or "number" in kinds:
        yield from _numbers(schema)
    if "null" in kinds:
        yield "null", None
    if "boolean" in kinds:
        yield from (("true", True), ("true again", True), ("false", False))
    yield "another type", {"another": "type"} if "object" not in kinds else "text"


def _texts(schema: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    yield f"{least} letters", "x" * least
    if least:
        yield f"{least - 1} letters", "x" * (least - 1)
    if isinstance(most, int) and most <= LONGEST:
        yield f"{most} letters", ("long text " * (most // 10 + 1))[:most].rstrip().ljust(most, "x")
        yield f"{most + 1} letters", "x" * (most + 1)
    yield from ((f"{text!r}", text) for text in TEXTS if len(text) >= least and (most is None or len(text) <= most))


def _numbers(schema: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for key, beyond in (("minimum", -1), ("maximum", 1)):
        if isinstance(schema.get(key), (int, float)):
            yield f"{key} {schema[key]}", schema[key]
            yield f"beyond {key}", schema[key] + beyond
    for key, beyond in (("exclusiveMinimum", 1), ("exclusiveMaximum", -1)):
        if isinstance(schema.get(key), (int, float)):
            yield f"{key} {schema[key]}", schema[key]
            yield f"within {key}", schema[key] + beyond
    yield "zero", 0
