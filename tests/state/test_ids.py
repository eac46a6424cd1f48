import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.errors import MisuseError
from tasktwin.state import Chance, make_hex, make_token, make_uuid

quiet = settings(derandomize=True, deadline=None, database=None)
NUMBERS = st.integers(-(2**70), 2**70)


@quiet
@given(NUMBERS, NUMBERS)
def test_each_uuid_is_a_canonical_version_4(seed: int, n: int) -> None:
    text = make_uuid(seed, n)
    parsed = uuid.UUID(text)
    assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


@quiet
@given(st.sets(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=20))
def test_other_seeds_and_numbers_give_other_identifiers(pairs: set[tuple[int, int]]) -> None:
    assert len({make_uuid(*pair) for pair in pairs}) == len(pairs)
    assert len({make_hex(*pair) for pair in pairs}) == len(pairs)
    assert len({make_token(*pair, "sk_") for pair in pairs}) == len(pairs)


def test_identifiers_are_the_same_on_every_machine_and_in_every_release() -> None:
    assert make_uuid(0, 1) == "f4ff4133-ded3-468e-a4c4-74cfd965d92e"
    assert make_hex(0, 1, 8) == "4365d825"
    assert make_token(0, 1, "sk_") == "sk_bZDAhohUwxxhm6SFuUZezKd0RRZyrfWC"


@pytest.mark.parametrize("length", [1, 32, 33, 128])
def test_a_hexadecimal_identifier_has_the_length_asked_for(length: int) -> None:
    assert re.fullmatch(f"[0-9a-f]{{{length}}}", make_hex(7, 3, length))


@pytest.mark.parametrize("length", [0, -1, 129])
def test_a_length_that_no_digest_has_is_refused(length: int) -> None:
    with pytest.raises(MisuseError, match="1 to 128"):
        make_hex(7, 3, length)


@quiet
@given(NUMBERS, NUMBERS, st.text())
def test_a_token_is_its_prefix_and_32_letters_or_digits(seed: int, n: int, prefix: str) -> None:
    token = make_token(seed, n, prefix)
    assert token.startswith(prefix)
    assert re.fullmatch("[0-9A-Za-z]{32}", token[len(prefix) :])


def test_tokens_of_two_prefixes_have_nothing_in_common() -> None:
    assert make_token(0, 1, "sk_")[3:] != make_token(0, 1, "pk_")[3:]


@quiet
@given(NUMBERS, st.text(), st.lists(st.integers(1, 2**448 - 1), max_size=10))
def test_a_stream_of_chance_repeats_and_stays_below_its_bounds(seed: int, name: str, bounds: list[int]) -> None:
    one, other = Chance(seed, name), Chance(seed, name)
    drawn = [one.below(bound) for bound in bounds]
    assert drawn == [other.below(bound) for bound in bounds]
    assert all(0 <= value < bound for value, bound in zip(drawn, bounds, strict=True))


def test_streams_of_other_names_or_seeds_differ() -> None:
    streams = [Chance(0, "faults"), Chance(0, "delays"), Chance(1, "faults"), Chance(10, ""), Chance(1, "0:")]
    assert len({tuple(stream.below(1000) for _ in range(8)) for stream in streams}) == len(streams)


def test_chance_is_even_enough() -> None:
    stream = Chance(0, "dice")
    counts = [0] * 6
    for _ in range(6000):
        counts[stream.below(6)] += 1
    assert all(850 < count < 1150 for count in counts)
    fractions = [stream.fraction() for _ in range(2000)]
    assert all(0 <= fraction < 1 for fraction in fractions)
    assert 0.47 < sum(fractions) / 2000 < 0.53


def test_a_pick_is_one_of_the_elements_and_reaches_all() -> None:
    stream = Chance(3, "names")
    assert {stream.pick("abc") for _ in range(50)} == set("abc")


@pytest.mark.parametrize("n", [0, -1, 2**448], ids=["zero", "negative", "huge"])
def test_a_bound_that_leaves_no_number_is_refused(n: int) -> None:
    with pytest.raises(MisuseError, match="bound"):
        Chance(0, "x").below(n)


def test_nothing_can_be_picked_from_nothing() -> None:
    with pytest.raises(MisuseError, match="from nothing"):
        Chance(0, "x").pick([])


def test_a_copied_stream_goes_on_where_the_first_one_was() -> None:
    stream = Chance(0, "x")
    stream.fraction()
    twin = stream.copy()
    assert [twin.below(100) for _ in range(5)] == [stream.below(100) for _ in range(5)]
    stream.drawn = 0
    assert stream.fraction() == Chance(0, "x").fraction()
