"""Sketching a story on the oracle alone: what it told, which rows it knows, and going on from where it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suite.market import ANN, BEN, NOON, create, good, job

from tasktwin.suite.story.inputs import Place, all_inputs
from tasktwin.suite.story.sketch import DEEPEST, FIRST, Desk, Sketch, identifiers, step_of
from tasktwin.suite.story.step import Ref, Step, at

JOB = Place("path", "job_id")


def desk() -> Desk:
    return Desk(good(), all_inputs(good()), NOON, 0)


def made(one: Desk, *more: Step) -> Sketch:
    sketch = Sketch()
    for step in (create(), *more):
        assert one.take(sketch, step).good
    return sketch


def test_what_is_made_is_known_with_its_maker_and_state() -> None:
    one = desk()
    sketch = made(one)
    handle = sketch.handles[0]
    assert (handle.collection, handle.ref, handle.maker) == ("job", Ref(1, "/id"), ANN)
    assert (one.state(handle), sketch.look(handle.ref)) == ("open", handle.key)
    one.take(sketch, job(2, "startJob", BEN))
    assert one.state(handle) == "running"
    assert len(sketch.handles) == 1


def test_a_row_that_was_deleted_is_gone() -> None:
    one = desk()
    sketch = made(one, job(2, "deleteJob"))
    assert one.state(sketch.handles[0]) == "gone"


def test_the_newest_row_comes_first() -> None:
    sketch = made(desk(), create(2, title="Sweep up"))
    assert [each.ref.step for each in sketch.knows("job")] == [2, 1]
    assert sketch.knows("token") == []


def test_a_refusal_tells_of_no_rows() -> None:
    one, sketch = desk(), Sketch()
    assert not one.take(sketch, Step(1, "getJob", "", {"job_id": "j1"})).good
    assert sketch.handles == []


def test_a_base_observation_makes_nothing_known() -> None:
    one, sketch = desk(), Sketch()
    one.take(sketch, Step(1, "listJobs", ANN, base=True))
    assert sketch.handles == []
    one.take(sketch, Step(2, "listJobs", ANN))
    assert len(sketch.handles) == FIRST


def test_a_fork_goes_its_own_way() -> None:
    one = desk()
    sketch = made(one)
    other = sketch.fork()
    one.take(other, job(2, "startJob", BEN))
    assert [len(each.steps) for each in (sketch, other)] == [1, 2]
    assert (sketch.next_key(), other.next_key(), Sketch().next_key()) == (2, 3, 1)


def test_the_oracle_is_where_a_sketch_ended_whatever_was_tried_since() -> None:
    one = desk()
    sketch = made(one)
    sketch.saved = one.oracle.world.save()
    one.take(sketch.fork(), job(2, "startJob", BEN))
    one.open(sketch)
    assert one.state(sketch.handles[0]) == "open"
    one.open(Sketch())
    assert one.state(sketch.handles[0]) == "gone"


def test_time_passes_before_a_step_that_waits() -> None:
    one = desk()
    sketch = made(one, job(2, "getJob", wait=3 * 86_400 + 1))
    assert one.state(sketch.handles[0]) == "lapsed"


def test_a_step_has_rows_where_they_belong() -> None:
    inputs, sketch = all_inputs(good()), made(desk())
    ref = sketch.handles[0].ref
    step = step_of(sketch, inputs["updateJob"], BEN, {JOB: ref}, {"title": "x"})
    assert step == Step(2, "updateJob", BEN, {"job_id": ref}, {}, body={"title": "x"})
    assert step_of(sketch, inputs["getJob"], "", {JOB: "j1", Place("query", "state"): "open"}).query == {
        "state": "open"
    }


def test_a_row_in_a_body_stands_in_for_what_is_there() -> None:
    each, body = all_inputs(good())["createJob"], {"title": "Dig", "hours": 3}
    sent = step_of(Sketch(), each, ANN, {Place("body", "title"): Ref(1, "/id"), Place("body", "price"): "y"}, body).body
    assert sent == {"title": Ref(1, "/id"), "hours": 3}
    assert body == {"title": "Dig", "hours": 3}


LEAVES: st.SearchStrategy[Any] = st.none() | st.integers(0, 9) | st.fixed_dictionaries({"id": st.integers(0, 99)})
ANSWERS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=20
)


@given(ANSWERS)
def test_identifiers_are_told_with_the_place_where_they_stand(value: Any) -> None:
    found = list(identifiers(value, "", 0))
    assert all(at(value, pointer) == key for pointer, key in found)
    assert all(pointer.count("/") <= DEEPEST + 1 for pointer, _ in found)
    assert len({pointer for pointer, _ in found}) == len(found)


@pytest.mark.parametrize("depth", [3, 5_000], ids=["shallow", "deep"])
def test_answers_of_any_depth_are_searched_no_further_than_a_few_levels(depth: int) -> None:
    value: Any = {"id": "deep"}
    for _ in range(depth):
        value = {"data": value}
    assert bool(list(identifiers(value, "", 0))) is (depth < DEEPEST)
