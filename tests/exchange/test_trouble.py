"""A disturbed stream, byte for byte: what is cut, held back, twice or missing, and what a strict reader makes of it."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.behaviour.deed import AT_AN_EVENT, StreamFault, StreamKind
from tasktwin.exchange.frame import Told, encode
from tasktwin.exchange.trouble import Trouble

quiet = settings(derandomize=True, deadline=None, database=None)

ONE, TWO, THREE, FOUR = (Told({"n": n}, "log", str(n)) for n in range(1, 5))
BEAT = Told({"type": "keepalive"}, "keepalive", beat=True)
PING = Told(comment="ping", beat=True)
RETRY = Told(retry=3_000)
RAW = {name: encode(told) for name, told in {"1": ONE, "2": TWO, "3": THREE, "4": FOUR, "b": BEAT, "p": PING}.items()}
FRAMES = (ONE, BEAT, TWO, PING, THREE, FOUR)


def sent(do: StreamFault | None, parts: Sequence[Sequence[Told]] = (FRAMES,)) -> tuple[bytes, Trouble]:
    """All that goes to the wire, and the trouble behind it."""
    trouble = Trouble(do)
    return trouble.begin() + b"".join([trouble.pass_on(part) for part in parts]) + trouble.finish(), trouble


def raw(names: str) -> bytes:
    """The bytes of these frames."""
    return b"".join(RAW[name] for name in names)


ORDERS: dict[str, tuple[StreamFault | None, str]] = {
    "no fault": (None, "1b2p34"),
    "the first is left out": (StreamFault("gap"), "b2p34"),
    "the third is left out": (StreamFault("gap", 3), "1b2p4"),
    "one is left out that never comes": (StreamFault("gap", 5), "1b2p34"),
    "the second comes twice": (StreamFault("duplicate", 2), "1b22p34"),
    "the first changes places": (StreamFault("reorder"), "b21p34"),
    "the third changes places": (StreamFault("reorder", 3), "1b2p43"),
    "the last has none to change with": (StreamFault("reorder", 4), "1b2p34"),
    "stalled at the second": (StreamFault("stall", 2), "1b"),
    "stalled at once": (StreamFault("stall"), ""),
    "cut before the second": (StreamFault("cut", 2, 0), "1b"),
    "cut behind the second": (StreamFault("cut", 2, 1_000), "1b2"),
}


@pytest.mark.parametrize("parts", [1, 2, 6], ids="in {} parts".format)
@pytest.mark.parametrize(("do", "expected"), ORDERS.values(), ids=ORDERS)
def test_a_stream_is_disturbed_as_ordered(do: StreamFault | None, expected: str, parts: int) -> None:
    size = len(FRAMES) // parts
    told = [FRAMES[start : start + size] for start in range(0, len(FRAMES), size)]
    body, trouble = sent(do, told)
    assert body == raw(expected)
    assert trouble.cut == (do is not None and do.kind == "cut")
    assert trouble.stalled == (do is not None and do.kind == "stall")


@pytest.mark.parametrize("byte", [0, 1, 7, len(RAW["2"]) - 1, len(RAW["2"])])
def test_a_cut_leaves_so_many_bytes_of_the_event(byte: int) -> None:
    assert sent(StreamFault("cut", 2, byte))[0] == raw("1b") + RAW["2"][:byte]


def test_a_cut_without_a_byte_is_in_the_middle_of_the_event() -> None:
    assert sent(StreamFault("cut", 2))[0] == raw("1b") + RAW["2"][: len(RAW["2"]) // 2]


def test_what_changes_places_is_held_back_until_the_next_event() -> None:
    trouble = Trouble(StreamFault("reorder", 1))
    assert trouble.pass_on([ONE]) == b""
    assert trouble.pass_on([PING]) == raw("p")
    assert trouble.pass_on([TWO, THREE]) == raw("213")
    assert trouble.finish() == b""


def test_nothing_is_said_at_the_end_of_a_stalled_stream() -> None:
    trouble = Trouble(StreamFault("stall", 2))
    assert trouble.pass_on(FRAMES) == raw("1b")
    assert (trouble.pass_on([BEAT, ONE]), trouble.finish()) == (b"", b"")


NEWLINES: dict[StreamKind, bytes] = {"crlf": b"\r\n", "cr": b"\r"}


@pytest.mark.parametrize(("kind", "newline"), NEWLINES.items(), ids=NEWLINES)
def test_all_lines_end_as_ordered(kind: StreamKind, newline: bytes) -> None:
    body, _ = sent(StreamFault(kind), [FRAMES, [Told("two\nlines")]])
    assert body == (raw("1b2p34") + b"data: two\ndata: lines\n\n").replace(b"\n", newline)


def test_a_byte_order_mark_stands_before_all_once() -> None:
    assert sent(StreamFault("bom"), [FRAMES, FRAMES])[0] == b"\xef\xbb\xbf" + raw("1b2p34" * 2)


def test_the_ordered_retry_is_the_only_one() -> None:
    usual, _ = sent(None, [[RETRY, ONE]])
    assert usual == b"retry: 3000\n\n" + raw("1")
    assert sent(StreamFault("retry", retry=20), [[RETRY, ONE]])[0] == b"retry: 20\n\n" * 2 + raw("1")
    assert encode(RETRY) == b"retry: 3000\n\n", "other readers are told the provider's own"


# ── against a model ──────────────────────────────────────────────────────────────────────────────────────────────────

FAULTS = st.one_of(
    st.none(),
    st.builds(StreamFault, st.sampled_from(sorted(AT_AN_EVENT)), st.integers(1, 6), st.none() | st.integers(0, 40)),
)
TOLD = st.one_of(
    st.builds(Told, st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2), st.sampled_from(["", "log"])),
    st.builds(Told, st.text(max_size=5), id=st.sampled_from(["", "1-0"])),
    st.sampled_from([BEAT, PING, RETRY]),
)


def model(do: StreamFault | None, frames: list[Told]) -> bytes:
    """The same, seen from the finished stream."""
    places = [place for place, told in enumerate(frames) if told.data is not None and not told.beat]
    if do is None or len(places) < do.event:
        return b"".join(map(encode, frames))
    at = places[do.event - 1]
    before, event, behind = map(encode, frames[:at]), encode(frames[at]), [*map(encode, frames[at + 1 :])]
    if do.kind == "reorder":
        following = places[do.event] - at if do.event < len(places) else len(behind)
        behind.insert(following, event)
    else:
        half = len(event) // 2 if do.byte is None else do.byte
        begun = {"cut": event[:half], "duplicate": event + event}.get(do.kind, b"")
        behind = [begun] if do.kind in {"cut", "stall"} else [begun, *behind]
    return b"".join([*before, *behind])


@quiet
@given(FAULTS, st.lists(st.lists(TOLD, max_size=4), max_size=5))
def test_a_disturbed_stream_is_the_finished_one_with_one_thing_changed(
    do: StreamFault | None, parts: list[list[Told]]
) -> None:
    assert sent(do, parts)[0] == model(do, [told for part in parts for told in part])
