import pytest

from tasktwin.behaviour.lifecycle import NEW, Lifecycle, Otherwise, Provenance, State, Transition

STATED = Provenance("stated", "D")
MAKE = Transition("make", (NEW,), "open", STATED, operation="make")
END = Transition("end", ("open",), "done", STATED, operation="end")


def lifecycle(*transitions: Transition, states: str = "open done!") -> Lifecycle:
    """A lifecycle with these states; those with an exclamation mark are final."""
    names = {
        each.removesuffix("!"): State(each.removesuffix("!"), each.endswith("!"), STATED) for each in states.split()
    }
    return Lifecycle("life", "job", "state", names, {each.name: each for each in transitions})


def told(life: Lifecycle) -> list[tuple[str, str]]:
    return [(each.message, each.pointer.removeprefix("/lifecycles/life/")) for each in life.problems()]


def way(name: str, source: str, to: str | None, **more: object) -> Transition:
    return Transition(name, tuple(source.split()), to, STATED, **more)  # type: ignore[arg-type]


def test_a_lifecycle_that_makes_sense_has_no_problems() -> None:
    assert told(lifecycle(MAKE, END, way("edit", "open", None, operation="edit"))) == []


@pytest.mark.parametrize(
    ("life", "message", "pointer"),
    [
        (lifecycle(MAKE, END, states="open done! lost!"), "state 'lost' can never be reached", "states/lost"),
        (lifecycle(MAKE, END, way("x", "lost", "open"), states="open done! lost"), "state 'lost' can never be reached", "states/lost"),
        (lifecycle(MAKE, END, states="open done"), "state 'done' is a dead end", "states/done"),
        (lifecycle(MAKE, END, way("stay", "done", None), states="open done"), "state 'done' is a dead end", "states/done"),
        (lifecycle(MAKE, END, way("x", "done", "open")), "state 'done' is final, yet a transition leaves it", "states/done"),
        (lifecycle(way("make", "new", None), END, way("x", NEW, "open")), "a transition from new needs a state to go to", "transitions/make"),
        (lifecycle(MAKE, END, way("t", "new", "open", after=1)), "a timer cannot run before a row exists", "transitions/t"),
        (lifecycle(MAKE, way("a", "open", "done", after=1), way("b", "open", "done", after=2)), "state 'open' has a timer already: 'a'", "transitions/b"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)  # fmt: skip
def test_what_makes_no_sense_is_told_where_it_stands(life: Lifecycle, message: str, pointer: str) -> None:
    assert told(life) == [(message, pointer)]


def test_a_fallback_reaches_its_state() -> None:
    fallback = Otherwise("broke", (), "draft", "parked", STATED)
    make = Transition("make", (NEW,), "open", STATED, operation="make", otherwise=(fallback,))
    life = lifecycle(make, END, way("publish", "draft", "open"), states="draft open done!")
    assert told(life) == []
    assert (NEW, "draft", make) in list(life.edges())


def test_transitions_are_found_by_what_causes_them() -> None:
    timer, named = (
        way("lapse", "open", "done", after=60_000_000),
        way("drop", "open", "done", trigger="cancel", after=5_000_000),
    )
    life = lifecycle(MAKE, END, timer)
    assert life.by_operation == {"make": (MAKE,), "end": (END,)}
    assert (life.by_trigger, life.timers) == ({"lapse": (timer,)}, {"open": timer})
    assert lifecycle(MAKE, named).by_trigger == {"cancel": (named,)}
    assert [each.cause for each in (MAKE, timer, way("x", "open", "done", trigger="t"))] == [
        "make",
        "after 60 s",
        "trigger t",
    ]


@pytest.mark.parametrize(
    ("provenance", "text"),
    [(Provenance("stated", "S0"), "stated S0"), (Provenance("assumed", "why not"), "assumed: why not")],
)
def test_a_provenance_is_shown_as_it_is_written(provenance: Provenance, text: str) -> None:
    assert str(provenance) == text
