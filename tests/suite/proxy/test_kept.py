"""What passes is kept within bounds."""

import gzip
import zlib

import pytest

from tasktwin.suite.proxy.kept import MOST_BODY, TOO_LARGE, TOO_MUCH, Copy, Inflater, Room, decoded


def test_a_copy_gives_its_room_back() -> None:
    room = Room(100)
    copy = Copy(room)
    copy.add(b"x" * 60)
    assert room.left == 40
    assert copy.body("") == b"x" * 60
    copy.lose()
    assert (room.left, copy.body("")) == (100, None)


def test_what_finds_no_room_is_not_kept() -> None:
    room = Room(100)
    first, second = Copy(room), Copy(room)
    first.add(b"x" * 60)
    second.add(b"x" * 30)
    second.add(b"x" * 30)
    assert (second.lost, room.left) == (TOO_MUCH, 40)


def test_a_body_that_is_too_large_is_not_kept() -> None:
    copy = Copy(Room())
    for _ in range(5):
        copy.add(b"x" * (MOST_BODY // 4))
    assert copy.lost == TOO_LARGE


@pytest.mark.parametrize(
    ("raw", "coding"),
    [(b"text", ""), (b"text", "identity"), (gzip.compress(b"text"), "gzip"), (zlib.compress(b"text"), "Deflate")],
    ids=["none", "identity", "gzip", "deflate"],
)
def test_bodies_are_decoded(raw: bytes, coding: str) -> None:
    assert decoded(raw, coding) == b"text"


@pytest.mark.parametrize(
    ("raw", "coding", "why"),
    [
        (b"text", "br", "is not known here"),
        (b"text", "gzip", "is broken"),
        (gzip.compress(b"text")[:-4], "gzip", "ends too early"),
        (gzip.compress(b"0" * 5_000_000), "gzip", TOO_LARGE),
    ],
    ids=["unknown", "broken", "cut", "bomb"],
)
def test_what_cannot_be_decoded_says_why(raw: bytes, coding: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decoded(raw, coding)


def test_a_stream_is_decoded_as_it_comes() -> None:
    packer, inflater = zlib.compressobj(wbits=31), Inflater("gzip")
    for piece in (b"data: 1\n\n", b"data: 2\n\n"):
        assert inflater.take(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)) == piece
