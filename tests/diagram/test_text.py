from collections.abc import Callable

import pytest

from tasktwin.behaviour.lifecycle import Lifecycle, Otherwise, Provenance, State, Transition
from tasktwin.diagram.text import arrows, dot, mermaid

STATED, ASSUMED = Provenance("stated", "S0"), Provenance("assumed", "nobody says")


def lifecycle(*ways: Transition, final: tuple[str, ...] = ()) -> Lifecycle:
    names = dict.fromkeys(name for way in ways for name in (*way.sources, way.to) if name and name != "new")
    states = {name: State(name, name in final, STATED) for name in names}
    return Lifecycle("task", "task", "status", states, {way.name: way for way in ways})


def way(source: str, to: str | None, operation: str, provenance: Provenance = STATED) -> Transition:
    return Transition(f"{operation} {source}", (source,), to, provenance, operation=operation)


def test_mermaid_shows_the_start_every_cause_and_the_end() -> None:
    expire = Transition("expire", ("draft", "open"), "expired", ASSUMED, after=60_000_000)
    drawn = mermaid(
        lifecycle(way("new", "draft", "createTask"), way("draft", "open", "publish"), expire, final=("expired",))
    )
    assert drawn.splitlines() == [
        "stateDiagram-v2",
        "    draft",
        "    open",
        "    expired",
        "    [*] --> draft: createTask",
        "    draft --> open: publish",
        "    draft --> expired: after 60 s",
        "    open --> expired: after 60 s",
        "    expired --> [*]",
    ]


def test_transitions_between_the_same_states_share_an_arrow() -> None:
    match = Transition("match", ("open",), "matched", ASSUMED, trigger="match")
    both = lifecycle(match, way("open", "matched", "selectSkill"))
    assert "    open --> matched: trigger match<br/>selectSkill\n" in mermaid(both)
    assert '[label="trigger match\\nselectSkill", style=solid]' in dot(both)


def test_a_transition_without_target_returns_to_its_state() -> None:
    assert "    open --> open: updateTask\n" in mermaid(lifecycle(way("open", None, "updateTask")))


def test_a_fallback_is_an_arrow_of_its_own_provenance() -> None:
    other = Otherwise("insufficient_balance", ("human",), "draft", "task_drafted", ASSUMED)
    create = Transition("create", ("new",), "open", STATED, operation="createTask", otherwise=(other,))
    straight, fallback = arrows(lifecycle(create))
    assert (straight.to, straight.kind) == ("open", "stated")
    assert (fallback.to, fallback.kind, fallback.labels[0].text) == ("draft", "assumed", "createTask otherwise")


@pytest.mark.parametrize(
    "kinds", [("assumed", "observed"), ("observed", "assumed")], ids=["weak first", "strong first"]
)
def test_an_arrow_is_as_well_known_as_its_best_known_transition(kinds: tuple[str, str]) -> None:
    ways = [way("open", "closed", f"close{kind}", Provenance(kind, "K1")) for kind in kinds]
    assert [arrow.kind for arrow in arrows(lifecycle(*ways))] == ["observed"]


@pytest.mark.parametrize("name", ["end", "Note", "constructor", "in progress", "a-b", "1st", 'x"y', "状態"])
def test_a_state_that_mermaid_cannot_read_gets_an_identifier(name: str) -> None:
    drawn = mermaid(lifecycle(way("state_2", name, "go")))
    assert f'    state "{name.replace(chr(34), "#34;")}" as state_1\n' in drawn
    assert "    state_2 --> state_1: go\n" in drawn


def test_a_made_up_identifier_does_not_collide_with_a_state() -> None:
    assert "    state_1 --> state_1_: go\n" in mermaid(lifecycle(way("state_1", "end", "go")))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("a:b;c#d", "a#58;b#59;c#35;d"), ("<b>&", "#60;b#62;#38;"), ("a\nb\x00", "a#65533;b#65533;"), ("_a_b", "#95;a_b")],
    ids=["statement signs", "markup", "control characters", "emphasis"],
)
def test_mermaid_labels_are_escaped(text: str, escaped: str) -> None:
    assert f"    open --> closed: {escaped}\n" in mermaid(lifecycle(way("open", "closed", text)))


def test_dot_shows_start_ends_and_provenance() -> None:
    drawn = dot(
        lifecycle(way("new", "open", "createTask"), way("open", "closed", "closeTask", ASSUMED), final=("closed",))
    )
    assert '    "new" [shape=point, width=0.15];\n' in drawn
    assert '    "closed" [label="closed", peripheries=2];\n' in drawn
    assert '    "open" -> "closed" [label="closeTask", style=dashed];\n' in drawn


def test_dot_strings_are_escaped() -> None:
    drawn = dot(lifecycle(way("open", 'a"b\\', "x & <y>\n")))
    assert '"open" -> "a\\"b\\\\" [label="x &amp; <y>\ufffd", style=solid];' in drawn


@pytest.mark.parametrize(
    ("draw", "expected"), [(mermaid, "stateDiagram-v2\n"), (dot, 'digraph "task" {')], ids=["mermaid", "dot"]
)
def test_a_lifecycle_without_states_is_drawn_empty(draw: Callable[[Lifecycle], str], expected: str) -> None:
    assert draw(lifecycle()).startswith(expected)
