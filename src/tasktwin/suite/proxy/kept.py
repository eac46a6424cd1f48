"""Bodies that pass, kept to be judged afterwards: within bounds, whatever passes at the same time."""

import threading
import zlib
from typing import Final

MOST_BODY: Final = 4_194_304
"""Bytes of the longest body that is judged, as it passes and decoded."""

MOST_WAITING: Final = 64 * 1_048_576
"""Bytes that may wait to be judged, of all connections together."""

TOO_LARGE: Final = f"larger than {MOST_BODY // 1_048_576} MiB"
TOO_MUCH: Final = "too much passed at once"

_CODINGS: Final = {"gzip": 47, "x-gzip": 47, "deflate": 47}


class Room:
    """So many bytes may be kept at once. Safe to use from several threads."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.left = most
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there is room for so many; then it is taken."""
        with self._lock:
            if size > self.left:
                return False
            self.left -= size
            return True

    def give(self, size: int) -> None:
        """So many are no longer kept."""
        with self._lock:
            self.left += size


class Copy:
    """A body as it passes. ``lost`` is ``None`` while it is kept; then why it is not, "" where that is no loss."""

    def __init__(self, room: Room) -> None:
        self.lost: str | None = None
        self._room = room
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """The body goes on."""
        if self.lost is not None:
            return
        if self._size + len(chunk) > MOST_BODY:
            self.lose(TOO_LARGE)
        elif not self._room.take(len(chunk)):
            self.lose(TOO_MUCH)
        else:
            self._parts.append(chunk)
            self._size += len(chunk)

    def lose(self, why: str = "") -> None:
        """Keep it no longer."""
        self.lost = why if self.lost is None else self.lost
        self._room.give(self._size)
        self._parts, self._size = [], 0

    def body(self, coding: str) -> bytes | None:
        """All of it, decoded; ``None`` if it is not kept, or cannot be decoded, of which ``lost`` says why."""
        if self.lost is not None:
            return None
        try:
            return decoded(b"".join(self._parts), coding)
        except ValueError as error:
            self.lose(str(error))
            return None


def decoded(raw: bytes, coding: str) -> bytes:
    """A body without its content coding. Raises ``ValueError`` when it cannot be decoded, or is too large."""
    inflater = Inflater(coding)
    body = inflater.take(raw)
    if raw and not inflater.is_whole:
        raise ValueError(f"its content coding {coding} ends too early")
    return body


class Inflater:
    """Takes the content coding off, piece by piece. Raises ``ValueError`` for one that it does not know."""

    def __init__(self, coding: str) -> None:
        self.coding = coding.strip().lower()
        self._inflate = None
        if self.coding not in {"", "identity"}:
            if self.coding not in _CODINGS:
                raise ValueError(f"its content coding {self.coding[:40]} is not known here")
            self._inflate = zlib.decompressobj(_CODINGS[self.coding])

    @property
    def is_whole(self) -> bool:
        """Whether the coded body came to its end."""
        return self._inflate is None or self._inflate.eof

    def take(self, piece: bytes) -> bytes:
        """What a piece holds. Raises ``ValueError`` when it is not coded so, or holds too much."""
        if self._inflate is None:
            return piece
        try:
            body = self._inflate.decompress(piece, MOST_BODY + 1)
        except zlib.error as error:
            raise ValueError(f"its content coding {self.coding} is broken: {error}") from None
        if len(body) > MOST_BODY:
            raise ValueError(TOO_LARGE)
        return body
