"""A stream's frames on their way to the wire, disturbed as a fault orders it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tasktwin.behaviour.deed import AT_AN_EVENT, StreamFault
from tasktwin.exchange.frame import LF, Told, encode

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()
"""One may stand before a stream; a reader drops it (WHATWG HTML §9.2.6)."""

NEWLINES = {"crlf": b"\r\n", "cr": b"\r"}


class Trouble:
    """What one connection meets. Events are counted from 1, without heartbeats and comments.

    ``newline`` ends lines. Once ``cut``, the connection is to be cut after the bytes given so far; once ``stalled``,
    nothing more is sent, and it stays open. ``spoil`` is done to each event; after ``most`` bytes comes a cut.
    """

    __slots__ = ("_bom", "_count", "_held", "_left", "_retry", "_spoil", "_strike", "cut", "newline", "stalled")

    def __init__(
        self, do: StreamFault | None, spoil: Callable[[Told], Told] | None = None, most: int | None = None
    ) -> None:
        kind = do.kind if do else ""
        self._strike = do if kind in AT_AN_EVENT else None
        self._retry = do.retry if do and kind == "retry" else None
        self._bom = BOM if kind == "bom" else b""
        self._count = 0
        self._held = b""
        self._spoil = spoil
        self._left = most
        self.newline = NEWLINES.get(kind, LF)
        self.cut = self.stalled = False

    def begin(self) -> bytes:
        """What stands at the start of the stream: a BOM, a retry line, or nothing."""
        if self._retry is not None:
            return self._within(encode(Told(retry=self._retry)))
        return self._within(self._bom)

    def pass_on(self, frames: Sequence[Told]) -> bytes:
        """The bytes to send for these frames."""
        if self._spoil:
            frames = [self._spoil(each) for each in frames]
        return self._within(self._written(frames))

    def _written(self, frames: Sequence[Told]) -> bytes:
        if self._strike:
            return b"".join([self._disturb(each, self._strike) for each in frames])
        if self._retry is not None:
            frames = [self._slow(each) for each in frames]
        return b"".join([encode(each, self.newline) for each in frames])

    def finish(self) -> bytes:
        """The bytes to send before the stream closes: an event that was to be overtaken, but that nothing followed."""
        held, self._held = self._held, b""
        return b"" if self.cut or self.stalled else held

    def _within(self, raw: bytes) -> bytes:
        """As much of it as may still be sent."""
        if self._left is None:
            return raw
        kept = raw[: self._left]
        self._left -= len(kept)
        self.cut = self.cut or not self._left
        return kept

    def _disturb(self, told: Told, do: StreamFault) -> bytes:
        if self.cut or self.stalled:
            return b""
        raw = encode(told)
        if told.beat or told.data is None:
            return raw
        self._count += 1
        if self._held:
            return raw + self.finish()
        return self._struck(raw, do) if self._count == do.event else raw

    def _struck(self, raw: bytes, do: StreamFault) -> bytes:
        match do.kind:
            case "cut":
                self.cut = True
                return raw[: len(raw) // 2 if do.byte is None else do.byte]
            case "stall":
                self.stalled = True
            case "duplicate":
                return raw * 2
            case "reorder":
                self._held = raw
        return b""

    def _slow(self, told: Told) -> Told:
        """The same, with the time that was ordered instead of the provider's own."""
        return told if told.retry is None else replace(told, retry=self._retry, written=b"")
