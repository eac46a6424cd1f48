"""Comparing what two sides answer, when each has its own identifiers and its own clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tasktwin.suite.story.compare import MOST, TOLERANCE, Comparison, Difference, Names, general
from tasktwin.suite.story.step import at

IDS = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(1, 7)]
OTHERS = [f"{n:08x}-ffff-4fff-bfff-ffffffffffff" for n in range(11, 17)]
TIMES = [(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n)).isoformat() for n in range(4)]

PLAIN = st.none() | st.booleans() | st.integers(-1_000, 1_000) | st.text(st.sampled_from("ab é早"), max_size=8)
LEAVES = {"title": PLAIN, "hours": PLAIN, "task_id": st.sampled_from(IDS), "created_at": st.sampled_from(TIMES)}


def rows(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    one = st.fixed_dictionaries({"id": st.sampled_from(IDS)}, optional={**LEAVES, "more": inner})
    return st.lists(one, max_size=4, unique_by=lambda row: row["id"])


OBJECT = st.fixed_dictionaries({}, optional={**LEAVES, "id": st.sampled_from(IDS)})
BODIES: st.SearchStrategy[Any] = st.recursive(
    OBJECT, lambda inner: st.dictionaries(st.sampled_from(["data", "extra"]), inner) | rows(inner), max_leaves=8
)


def renamed(body: Any, names: dict[str, str], seconds: float) -> Any:
    """The same body of another deployment: other identifiers, another time."""
    if isinstance(body, dict):
        return {key: renamed(value, names, seconds) for key, value in body.items()}
    if isinstance(body, list):
        return [renamed(each, names, seconds) for each in body]
    if body in TIMES:
        return (datetime.fromisoformat(body) + timedelta(seconds=seconds)).isoformat()
    return names.get(body, body) if isinstance(body, str) else body


def places(body: Any, pointer: str = "") -> list[str]:
    """The pointers of all values that are no objects or lists."""
    if isinstance(body, dict):
        return [one for key, value in body.items() for one in places(value, f"{pointer}/{key}")]
    if isinstance(body, list):
        return [one for n, value in enumerate(body) for one in places(value, f"{pointer}/{n}")]
    return [pointer]


def is_bijection(names: Names) -> bool:
    return {here: there for there, here in names.here.items()} == names.there


def differences(ours: Any, theirs: Any, names: Names | None = None) -> list[Difference]:
    return Comparison(names or Names()).bodies(ours, theirs)


@given(BODIES, st.permutations(OTHERS), st.floats(-TOLERANCE, TOLERANCE))
@settings(max_examples=150)
def test_a_body_is_the_same_under_other_identifiers_and_a_little_later(
    body: Any, others: list[str], late: float
) -> None:
    theirs = renamed(body, dict(zip(IDS, others, strict=True)), late * 0.99)
    assert differences(body, theirs) == []


@given(BODIES, st.data())
@settings(max_examples=150)
def test_whatever_else_is_changed_is_a_difference_at_its_place(body: Any, data: st.DataObject) -> None:
    found = [each for each in places(body) if each.rpartition("/")[2] in {"title", "hours"}]
    assume(found)
    pointer = data.draw(st.sampled_from(found))
    theirs = renamed(body, {}, 0)
    parent = at(theirs, pointer.rpartition("/")[0])
    parent[pointer.rpartition("/")[2]] = "something else"
    assert [(each.pointer, each.how) for each in differences(body, theirs)] == [(pointer, "value")]


@given(BODIES, st.permutations(OTHERS))
def test_identifiers_that_are_known_do_not_change_places(body: Any, others: list[str]) -> None:
    used = sorted({one for one in map(lambda place: at(body, place), places(body)) if one in IDS})  # noqa: C417
    assume(len(used) > 1)
    names, comparison = dict(zip(IDS, others, strict=True)), Comparison(Names())
    comparison.bodies(body, renamed(body, names, 0))
    swapped = {**names, used[0]: names[used[1]], used[1]: names[used[0]]}
    assert comparison.bodies(body, renamed(body, swapped, 0))


@given(BODIES, BODIES, BODIES)
@settings(max_examples=150)
def test_whatever_is_compared_each_identifier_stays_one_of_the_other_side(first: Any, second: Any, third: Any) -> None:
    comparison = Comparison(Names())
    for ours, theirs in (
        (first, second),
        (second, third),
        (first, renamed(third, dict(zip(IDS, OTHERS, strict=True)), 0)),
    ):
        assert len(comparison.bodies(ours, theirs)) <= MOST
        assert is_bijection(comparison.names)


class Learning(RuleBasedStateMachine):
    """Whatever is learnt in whatever order, and whatever was compared in between."""

    def __init__(self) -> None:
        super().__init__()
        self.names = Names()
        self.first: dict[Any, Any] = {}

    @rule(ours=st.sampled_from(IDS) | st.integers(0, 3), theirs=st.sampled_from(OTHERS) | st.integers(0, 3))
    def learn(self, ours: Any, theirs: Any) -> None:
        """It is learnt."""
        if self.names.fits(ours, theirs) is None:
            self.first[ours] = theirs
        self.names.learn(ours, theirs)

    @invariant()
    def one_to_one(self) -> None:
        """Neither side has an identifier twice."""
        assert is_bijection(self.names)

    @invariant()
    def what_was_learnt_first_stays(self) -> None:
        """Later lessons change nothing."""
        assert self.names.there == self.first
        assert all(self.names.fits(ours, theirs) for ours, theirs in self.first.items())


TestLearning = Learning.TestCase
TestLearning.settings = settings(max_examples=25, stateful_step_count=12)


def row(key: str, **more: object) -> dict[str, object]:
    return {"id": key, **more}


A, B, C = IDS[:3]
X, Y, Z = OTHERS[:3]


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1, "b": None}, {"a": 1}, []),
        ({"a": 1}, {}, [("/a", "missing")]),
        ({"a": 1}, {"a": True}, [("/a", "value")]),
        ({"a": 1}, {"a": "1"}, [("/a", "value")]),
        ({"a": 0}, {"a": None}, [("/a", "value")]),
        ({"a": 1.0}, {"a": 1}, []),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, [("/a~1b/~0", "value")]),
        ([1, 2], [1], [("", "value")]),
        ([1, 2], [1, 3], [("/1", "value")]),
        ({"a": {}}, {"a": []}, [("/a", "value")]),
        ([row(A), row(B)], [row(X)], [("/*", "missing")]),
        ([row(A)], [row(X), row(Y)], [("/1", "extra")]),
        ([row(A), row(B)], [row(X), row(X)], [("/*", "missing"), ("/1", "extra")]),
        ([], [row(X)], [("/0", "extra")]),
        ([row(A, n=1), row(B, n=2)], [row(X, n=1), row(Y, n=3)], [("/1/n", "value")]),
    ],
    ids=["more than we know", "null is as good as nothing", "missing", "true is not 1", "a text is no number", "zero is not null",
         "1.0 is 1", "odd names", "shorter", "another", "another kind", "a row lacks", "a row too many", "a row twice",
         "not empty", "within a row"],
)  # fmt: skip
def test_what_counts_as_a_difference(ours: Any, theirs: Any, found: list[tuple[str, str]]) -> None:
    assert sorted((each.pointer, each.how) for each in differences(ours, theirs)) == sorted(found)


def test_rows_in_another_order_are_told_once() -> None:
    names = Names()
    differences([row(A), row(B), row(C)], [row(X), row(Y), row(Z)], names=names)
    found = differences([row(A), row(B), row(C)], [row(Z), row(Y), row(X)], names=names)
    assert [(each.pointer, each.how) for each in found] == [("", "order")]


def test_a_row_that_is_known_is_found_wherever_it_stands() -> None:
    names = Names()
    differences(row(A), row(X), names=names)
    assert differences([row(A, n=1)], [row(Y), row(X, n=2)], names=names)[0] == Difference("/1/n", "value", 1, 2)


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "same"),
    [
        ("id", A, X, True),
        ("task_id", 12, 99, True),
        ("hours", 12, 99, False),
        ("number", "T-0012", "T-0999", True),
        ("number", "T-0012", "X-0999", False),
        ("title", "Dig", "Bury", False),
        ("title", A, X, True),
        ("url", "https://a.example/1", "https://b.example/2?x=y", True),
        ("status", "in_progress_again", "waiting_for_bids", False),
        ("created_at", TIMES[0], TIMES[1], False),
        ("created_at", TIMES[0], TIMES[0].replace("+00:00", "Z"), True),
        ("created", 1_767_225_600, 1_767_225_601, True),
        ("created", 1_767_225_600_000, 1_767_225_601_000, True),
        ("created", 1_767_225_600, 1_767_229_200, False),
    ],
)
def test_what_a_machine_makes_up_may_differ(name: str, ours: Any, theirs: Any, *, same: bool) -> None:
    assert (differences({name: ours}, {name: theirs}) == []) is same


def test_identifiers_within_texts_are_translated() -> None:
    names = Names()
    differences(row(A), row(X), names=names)
    assert differences({"note": f"see {A}."}, {"note": f"see {X}."}, names=names) == []
    assert differences({"note": f"see {A}."}, {"note": f"see {Y}."}, names=names)


def test_no_comparison_tells_more_than_a_few_differences() -> None:
    assert len(differences([{"a": 1}] * 500, [{"a": 2}] * 500)) == MOST


@given(st.lists(st.sampled_from(["items", "0", "12", "a1"]), max_size=6))
def test_a_general_pointer_names_no_position(parts: list[str]) -> None:
    pointer = "".join(f"/{each}" for each in parts)
    assert general(pointer) == "".join("/*" if each.isdigit() else f"/{each}" for each in parts)
    assert Difference(pointer, "value", 1, 2).general == general(pointer)
