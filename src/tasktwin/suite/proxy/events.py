"""The events of a stream that passes, as the contract describes them (WHATWG HTML §9.2.6)."""

from typing import Final

from tasktwin.wire import Json, loads

LONGEST: Final = 262_144
"""Bytes of the longest event that is judged."""


class EventReader:
    """Takes a stream piece by piece. ``skipped`` counts the events that were too long."""

    def __init__(self) -> None:
        self.skipped = 0
        self._rest = b""
        self._begun = self._after_cr = self._long = False
        self._fields: dict[str, str] = {}
        self._data: list[bytes] = []
        self._size = 0

    def take(self, piece: bytes) -> list[dict[str, Json]]:
        """The events that are whole now: objects with ``data``, decoded where it is JSON, ``event`` and ``id`` if set."""
        text = self._unmarked(self._rest + piece)
        if self._after_cr:  # the other half of a CRLF
            text, self._after_cr = text.removeprefix(b"\n"), not text
        self._after_cr = self._after_cr or text.endswith(b"\r")
        lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST:
            self._rest, self._long = b"", True
        return [event for line in lines if (event := self._line(line)) is not None]

    def _unmarked(self, text: bytes) -> bytes:
        if self._begun or len(text) < 3:
            return text
        self._begun = True
        return text.removeprefix(b"\xef\xbb\xbf")

    def _line(self, line: bytes) -> dict[str, Json] | None:
        if not line:
            return self._whole()
        self._size += len(line)
        self._long = self._long or self._size > LONGEST
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if self._long:
            self._data = []
        elif name == b"data":
            self._data.append(value)
        elif name in {b"event", b"id"}:
            self._fields[name.decode()] = value.decode("utf-8", "replace")
        return None

    def _whole(self) -> dict[str, Json] | None:
        fields, data, long = self._fields, self._data, self._long
        self._fields, self._data, self._size, self._long = {}, [], 0, False
        self.skipped += long
        if long or not data:
            return None
        return {**{name: value for name, value in fields.items() if value}, "data": _value(b"\n".join(data))}


def _value(data: bytes) -> Json:
    try:
        return loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")
