"""Server-sent events as bytes (WHATWG HTML §9.2.6): lines, in the order event, id, data, and an empty one behind."""

from tasktwin.behaviour.telling import Told
from tasktwin.wire import Json, dumps

LF = b"\n"

KEPT = 16_384
"""Bytes of the longest event that is kept as it was written, for whoever is told the same."""

__all__ = ["LF", "Told", "encode"]


def encode(told: Told, newline: bytes = LF) -> bytes:
    """One event. JSON is one line; a text may be several. Written once, then kept, with the usual line ends."""
    if newline != LF:
        return _lines(told, newline)
    if told.written:
        return told.written
    raw = _lines(told, LF)
    if len(raw) <= KEPT:
        told.written = raw
    return raw


def _lines(told: Told, newline: bytes) -> bytes:
    lines = [b": " + line for line in told.comment.encode().splitlines()]
    if told.retry is not None:
        lines.append(b"retry: %d" % told.retry)
    if told.event:
        lines.append(b"event: " + told.event.encode())
    if told.id:
        lines.append(b"id: " + told.id.encode())
    if told.data is not None:
        lines += [b"data: " + line for line in _text(told.data)]
    return newline.join([*lines, b"", b""])


def _text(data: Json) -> list[bytes]:
    if isinstance(data, str):
        return data.encode().replace(b"\r\n", LF).replace(b"\r", LF).split(LF)
    return [dumps(data)]
