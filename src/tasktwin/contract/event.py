"""Events of a stream: what each of them may be.

OpenAPI 3.2 has ``itemSchema`` for it, beside a ``schema`` of the whole. In 3.1, whose media types have no such keyword,
it stands as ``x-itemSchema``, or ``schema`` itself describes the events. Either describes an object with ``event``,
``id`` and ``data``; data that is JSON is described by ``contentSchema``.
"""

from typing import Final

from tasktwin.contract.schema import Schema, Schemas
from tasktwin.contract.source import Source
from tasktwin.wire import Json

EVENT_STREAM: Final = "text/event-stream"
_KEYS: Final = ("itemSchema", "x-itemSchema", "schema")
_BRANCHES: Final = ("oneOf", "anyOf", "allOf")
_DEEPEST: Final = 8


def event_schema(schemas: Schemas, media: dict[str, Json], at: str) -> Schema | None:
    """The schema of one event, its ``data`` decoded; ``None`` if the document describes a text, or nothing."""
    key = next((key for key in _KEYS if key in media), None)
    if key is None or schemas.source.resolved(media[key]).get("type") == "string":
        return None
    return schemas.composed(
        "response", schemas.loose("response", _decoded(schemas.source, media[key], 0), f"{at}/{key}")
    )


def _decoded(source: Source, schema: Json, depth: int) -> Json:
    """The same schema with what ``data`` holds in place of ``data`` as a text."""
    if depth > _DEEPEST or not isinstance(schema, dict):
        return schema
    node = source.resolved(schema)
    decoded = dict(node)
    for word in _BRANCHES:
        if isinstance(node.get(word), list):
            decoded[word] = [_decoded(source, each, depth + 1) for each in node[word]]
    properties = node.get("properties")
    if isinstance(properties, dict) and "data" in properties:
        data = source.resolved(properties["data"])
        decoded["properties"] = {**properties, "data": data.get("contentSchema", properties["data"])}
    return decoded
