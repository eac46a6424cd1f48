"""Streams against a model that has the whole log before it and says at once what a reader must have been told."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.behaviour.jobs import world as make_world

from tasktwin.behaviour.condition import ALWAYS
from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.behaviour.stream import BEHIND, BOUNDED, BROKEN, ENDED, RESET, Subscription, subscribe
from tasktwin.behaviour.telling import Ids, Pause, Saying, StreamRule, Telling, Told
from tasktwin.behaviour.world import World
from tasktwin.errors import Refusal
from tasktwin.state import MemoryStore

SECOND = 1_000_000
KINDS = ["said", "quiet", "bare", "last"]


def words(kind: str) -> Saying:
    return Saying(kind, lambda scope: scope["event"]["number"])


RULE = StreamRule(
    topic=lambda _scope: "log:1",
    events=(
        Telling(frozenset({"said"}), words("said")),
        Telling(frozenset({"bare"}), words("bare"), identified=False),
        Telling(frozenset({"last"}), words("last"), ends=ALWAYS),
        Telling(),
    ),
    provenance=Provenance("assumed", "a test"),
    begin=lambda scope: scope.get("begin", "beginning"),
    resume=lambda scope: scope.get("resume"),
)
BEAT = Pause(20 * SECOND, Saying("beat", lambda _scope: "alive"))
WAIT = Pause(50 * SECOND, Saying("none", lambda _scope: "nothing came"))
LASTS = Pause(300 * SECOND, Saying("over", lambda _scope: "time is over"))


def world(folder: Path, **limits: int) -> World:
    made = make_world(folder)
    if limits:
        made.store = MemoryStore(**limits)
    return made


def shown(told: list[Told]) -> list[tuple[str, Any, str]]:
    return [(each.event, each.data, each.id) for each in told]


def read(reader: Subscription, most: int = 64) -> list[tuple[str, Any, str]]:
    """All that there is to tell by now."""
    found: list[tuple[str, Any, str]] = []
    while told := reader.take(most):
        assert len(told) <= most
        found += shown(told)
    return found


@dataclass
class Expected:
    """One reader as the model sees it: the rule, when it opened, the number it began after, and what it got.

    ``waited``: the log was empty then. ``shut``: it began behind an event that ends the stream.
    """

    reader: Subscription
    rule: StreamRule
    opened: int
    after: int
    waited: bool
    shut: bool
    got: list[tuple[str, Any, str]] = field(default_factory=list)


def told_by_now(want: Expected, log: list[tuple[int, str]], now: int) -> tuple[list[tuple[str, Any, str]], bool]:
    """What the reader must have been told by now, and whether it is over: second for second, event for event."""
    found: list[tuple[str, Any, str]] = []
    idle, waiting, rule = want.opened, want.waited, want.rule
    if want.shut:
        return [], True
    coming = [(instant, number, kind) for number, (instant, kind) in enumerate(log, 1) if number > want.after]
    while True:
        instant, number, kind = coming[0] if coming else (now, 0, "")
        ends = [(want.opened + pause.span, pause) for pause in (rule.lasts, rule.wait if waiting else None) if pause]
        first = min([each for each, _ in ends] + ([idle + rule.heartbeat.span] if rule.heartbeat else []), default=None)
        if first is not None and first <= instant:
            over = [pause for due, pause in ends if due == first]
            if over:
                said = over[0].say
                return [*found, (said.event, said.data({}) if said.data else None, "")], True
            found.append(("beat", "alive", ""))
            idle = first
            continue
        if not coming:
            return found, False
        coming.pop(0)
        waiting = False
        if kind != "quiet":
            found.append((kind, number, "" if kind == "bare" else str(number)))
            idle = max(idle, instant)
        if kind == "last":
            return found, True


class StreamMachine(RuleBasedStateMachine):
    """Events, time and readers in any order; every reader must have got just what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = world(Path(self.folder.name))
        self.log: list[tuple[int, str]] = []
        self.readers: list[Expected] = []

    def teardown(self) -> None:
        """Clean up."""
        self.folder.cleanup()

    @rule(kind=st.sampled_from(KINDS))
    def tell(self, kind: str) -> None:
        """Something happens."""
        self.world.tell("log:1", kind, None)
        self.log.append((self.world.instant, kind))

    @rule(seconds=st.sampled_from([1, 10, 20, 45, 400]))
    def advance(self, seconds: int) -> None:
        """Time passes."""
        self.world.advance(seconds)

    @precondition(lambda self: len(self.readers) < 6)
    @rule(resume=st.none() | st.integers(0, 5), end=st.booleans(), pauses=st.tuples(*[st.booleans()] * 3))
    def open(self, resume: int | None, end: bool, pauses: tuple[bool, bool, bool]) -> None:  # noqa: FBT001 - drawn
        """Somebody begins to read."""
        found = replace(
            RULE,
            heartbeat=BEAT if pauses[0] else None,
            wait=WAIT if pauses[1] else None,
            lasts=LASTS if pauses[2] else None,
        )
        scope: dict[str, Any] = {"begin": "end" if end else "beginning"}
        if resume is not None and resume <= len(self.log):
            scope["resume"] = str(resume)
        after = int(scope.get("resume", len(self.log) if end else 0))
        reader = subscribe(self.world, found, scope, None, {})
        shut = bool(self.log) and after == len(self.log) and self.log[-1][1] == "last"
        self.readers.append(Expected(reader, found, self.world.instant, after, waited=not self.log, shut=shut))

    @rule(which=st.integers(0, 5), most=st.integers(1, 5))
    def take(self, which: int, most: int) -> None:
        """One of them is told a part."""
        if which < len(self.readers):
            want = self.readers[which]
            told = want.reader.take(most)
            assert len(told) <= most
            want.got += shown(told)

    @invariant()
    def nothing_is_told_that_is_not_due(self) -> None:
        """What was told is how the whole begins."""
        for want in self.readers:
            expected, _ = told_by_now(want, self.log, self.world.instant)
            assert want.got == expected[: len(want.got)]

    @rule()
    def read_all(self) -> None:
        """All of them are told all there is."""
        for want in self.readers:
            want.got += read(want.reader)
            expected, over = told_by_now(want, self.log, self.world.instant)
            assert want.got == expected
            assert bool(want.reader.over) == over
            due = want.reader.due()
            assert over or due is None or due > self.world.instant


StreamMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
test_streams_tell_what_the_model_tells = StreamMachine.TestCase


@pytest.mark.parametrize("ids", ["number", "time"])
def test_a_resume_after_each_id_gives_exactly_the_rest(tmp_path: Path, ids: Ids) -> None:
    here, found = world(tmp_path), replace(RULE, ids=ids)
    for kind in ["said", "said", "quiet", "said"]:
        here.tell("log:1", kind, None)
    here.advance(0.0015)
    here.tell("log:1", "said", None)
    whole = read(subscribe(here, found, {}, None, {}))
    assert len({each[2] for each in whole}) == len(whole) == 4
    for place, (_, _, key) in enumerate(whole, 1):
        assert read(subscribe(here, found, {"resume": key}, None, {})) == whole[place:]


def test_ids_of_one_millisecond_are_counted(tmp_path: Path) -> None:
    here = world(tmp_path)
    for _ in range(3):
        here.tell("log:1", "said", None)
    told = read(subscribe(here, replace(RULE, ids="time"), {}, None, {}))
    millisecond = here.instant // 1000
    assert [each[2] for each in told] == [f"{millisecond}-{n}" for n in range(3)]


def test_a_point_that_is_no_longer_kept_is_refused_or_skipped_as_the_data_say(tmp_path: Path) -> None:
    here = world(tmp_path, event_limit=3)
    for _ in range(5):
        here.tell("log:1", "said", None)
    with pytest.raises(Refusal) as refused:
        subscribe(here, RULE, {"resume": "1"}, None, {})
    assert refused.value.kind == "gone"
    assert "it keeps 3 to 5" in refused.value.detail
    skipping = subscribe(here, replace(RULE, gone=""), {"resume": "1"}, None, {})
    assert [each[1] for each in read(skipping)] == [3, 4, 5]
    assert [each[1] for each in read(subscribe(here, RULE, {"resume": "2"}, None, {}))] == [3, 4, 5]


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "1;2", "9" * 30, "\u0661"])
def test_what_is_no_id_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(Refusal) as refused:
        subscribe(world(tmp_path), RULE, {"resume": given}, None, {})
    assert refused.value.kind == "invalid"


def test_an_id_that_was_never_given_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        subscribe(world(tmp_path), RULE, {"resume": "7"}, None, {})
    assert (refused.value.kind, "keeps nothing" in refused.value.detail) == ("gone", True)


def test_a_reader_that_falls_behind_what_is_kept_is_dropped(tmp_path: Path) -> None:
    here = world(tmp_path, event_limit=3)
    reader = subscribe(here, RULE, {}, None, {})
    for _ in range(5):
        here.tell("log:1", "said", None)
    assert (reader.take(), reader.over) == ([], BEHIND)


def test_a_bounded_reader_ends_where_the_log_ends(tmp_path: Path) -> None:
    here = world(tmp_path)
    here.tell("log:1", "said", None)
    reader = subscribe(here, replace(RULE, bounded=True, heartbeat=BEAT), {}, None, {})
    here.advance(3_600)
    assert (read(reader), reader.over) == ([("said", 1, "1")], BOUNDED)


def test_a_world_that_begins_again_ends_its_streams(tmp_path: Path) -> None:
    here = world(tmp_path)
    reader = subscribe(here, RULE, {}, None, {})
    here.begin_again()
    here.tell("log:1", "said", None)
    assert (reader.take(), reader.over) == ([], RESET)


def test_what_is_now_comes_first_and_its_id_is_that_of_the_newest_event(tmp_path: Path) -> None:
    here = world(tmp_path)
    found = replace(RULE, now=Telling(say=Saying("now", lambda _scope: "here")), begin=lambda _scope: "end")
    here.tell("log:1", "said", None)
    reader = subscribe(here, found, {}, None, {})
    here.tell("log:1", "said", None)
    assert read(reader) == [("now", "here", "1"), ("said", 2, "2")]
    assert read(subscribe(here, found, {"resume": "1"}, None, {})) == [("said", 2, "2")]


def test_what_is_now_is_the_end_behind_a_last_event(tmp_path: Path) -> None:
    here = world(tmp_path)
    found = replace(RULE, now=Telling(say=Saying("now", lambda _scope: "here")), begin=lambda _scope: "end")
    here.tell("log:1", "last", None)
    reader = subscribe(here, found, {}, None, {})
    assert (read(reader), reader.over) == ([("now", "here", "1")], ENDED)


def test_an_event_that_breaks_the_contract_is_not_told_and_ends_the_stream(tmp_path: Path) -> None:
    here = world(tmp_path)
    for kind in ["said", "bare", "said"]:
        here.tell("log:1", kind, None)
    reader = subscribe(here, RULE, {}, None, {})
    reader.check = lambda told: told.event != "bare"
    assert (read(reader), reader.over) == ([("said", 1, "1")], BROKEN)


def test_readers_who_are_told_the_same_share_it(tmp_path: Path) -> None:
    here, found = world(tmp_path), replace(RULE, shared=True)
    here.tell("log:1", "said", None)
    one, other = (subscribe(here, found, {}, None, {}).take() for _ in range(2))
    assert one[0] is other[0]


def tell_and_refuse(here: World) -> None:
    with here.transaction():
        here.tell("log:1", "said", None)
        raise Refusal("conflict", "no")


def test_an_undone_event_is_never_told(tmp_path: Path) -> None:
    here = world(tmp_path)
    reader = subscribe(here, RULE, {}, None, {})
    with pytest.raises(Refusal):
        tell_and_refuse(here)
    here.tell("log:1", "bare", None)
    assert read(reader) == [("bare", 1, "")]
