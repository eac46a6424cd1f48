from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.diagram.layout import Plan, Size, Spot, Tie, place, rank

BOX, LABEL = Size(40, 60, 34, 34, 60), Size(4, 90, 30)
Rect = tuple[float, float, float, float]
Pairs = list[tuple[str, str]]


def planned(pairs: Pairs) -> Plan:
    boxes = dict.fromkeys(sorted({name for pair in pairs for name in pair}), BOX)
    return place(boxes, [Tie(source, to, LABEL) for source, to in pairs])


def rect(spot: Spot) -> Rect:
    return (
        spot.x - spot.size.left,
        spot.y - spot.size.height / 2,
        spot.x + spot.size.right,
        spot.y + spot.size.height / 2,
    )


def overlap(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize(
    ("pairs", "layers"),
    [
        ([("a", "b"), ("b", "c"), ("a", "c")], {"a": 0, "b": 1, "c": 2}),
        ([("a", "b"), ("b", "c"), ("c", "b")], {"a": 0, "b": 1, "c": 2}),
        ([("a", "a"), ("b", "c")], {"a": 0, "b": 0, "c": 1}),
    ],
    ids=["a short cut does not lift", "what closes a circle is left out", "loops and unconnected parts"],
)
def test_a_state_stands_below_all_that_lead_to_it(pairs: Pairs, layers: dict[str, int]) -> None:
    assert rank(sorted(layers), pairs) == layers


def test_an_arrow_against_the_flow_runs_upwards() -> None:
    down, up = planned([("a", "b"), ("b", "a")]).routes
    assert down.points[0][1] < down.points[-1][1]
    assert up.points[0][1] > up.points[-1][1]


def test_a_row_of_single_steps_is_one_straight_line() -> None:
    plan = planned([("a", "b"), ("b", "c"), ("c", "d")])
    assert len({round(x, 6) for route in plan.routes for x, _ in route.points}) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from("abcdefgh")] * 2).filter(lambda pair: pair[0] != pair[1]),
        min_size=1,
        max_size=25,
        unique=True,
    )
)
def test_boxes_and_labels_never_overlap_and_arrows_avoid_both(pairs: Pairs) -> None:
    plan = planned(pairs)
    taken = [rect(spot) for spot in plan.boxes.values()] + [rect(route.label) for route in plan.routes]
    assert not [pair for pair in combinations(taken, 2) if overlap(*pair)]
    for route in plan.routes:
        foreign = [box for box in taken if box != rect(route.label)]
        for (x, top), (to_x, bottom) in zip(route.points[2:-2:2], route.points[3:-2:2], strict=True):
            assert x == to_x
            assert not [box for box in foreign if overlap(box, (x, min(top, bottom), x, max(top, bottom)))]
        assert route.points[0][0] == pytest.approx(route.points[1][0])


def test_equal_neighbours_are_ordered_so_that_nothing_crosses() -> None:
    plan = planned([("a", "x"), ("b", "x"), ("b", "y"), ("a", "z"), ("b", "z"), ("x", "z"), ("a", "b")])
    pieces = [piece for route in plan.routes for piece in pairwise(route.points)]
    for (start, end), (other_start, other_end) in combinations(pieces, 2):
        if (start[1], end[1]) == (other_start[1], other_end[1]):
            assert (start[0] - other_start[0]) * (end[0] - other_end[0]) >= 0
