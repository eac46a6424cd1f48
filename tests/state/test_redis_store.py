"""Several stores upon one log in a real Redis: they hold the same, whoever wrote it, and whatever dies in between."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.state import redis_server

from tasktwin.errors import ConflictError, GoneError, MisuseError, UnavailableError
from tasktwin.state import Query, Timer
from tasktwin.state.commit_log import CommitLog
from tasktwin.state.redis_link import MOST_UNREAD, RESPITE, RedisLink
from tasktwin.state.redis_store import COMPACT_AFTER, LAX, Promise, RedisStore, look
from tasktwin.state.shared_journal import SharedJournal

Write = Callable[[RedisStore], Any]

KEYS = st.sampled_from("abc")
WRITES: st.SearchStrategy[Write] = st.one_of(
    st.builds(lambda key, n: lambda store: store.put("task", key, {"id": key, "n": n}), KEYS, st.integers(-5, 5)),
    st.builds(lambda key: lambda store: store.delete("task", key), KEYS),
    st.builds(lambda name: lambda store: store.number(name), KEYS),
    st.builds(lambda topic, kind: lambda store: store.append(topic, 5, kind, {"k": [1, None]}), KEYS, KEYS),
    st.builds(lambda key, due: lambda store: store.arm(Timer(due, "life", key, "end")), KEYS, st.integers(0, 9)),
    st.builds(lambda key: lambda store: store.disarm("life", key), KEYS),
    st.builds(lambda now: lambda store: store.pop_due(now), st.integers(0, 9)),
    st.builds(lambda: lambda store: store.restore(store.snapshot())),
)


def several(count: int = 2, name: str = "") -> list[RedisStore]:
    """Stores of one log."""
    name = name or redis_server.log().name
    return [RedisStore(redis_server.log(name), event_limit=3, topic_limit=2) for _ in range(count)]


def held(store: RedisStore) -> Any:
    """All that can be asked of a store."""
    store.refresh()
    return (
        store.find(Query("task")),
        store.find(Query("task", order="n", descending=True)),
        store.topics(),
        {topic: store.events(topic) for topic in store.topics()},
        store.timers(),
        store.sizes(),
    )


@given(st.lists(st.tuples(st.integers(0, 1), WRITES), max_size=25))
@settings(max_examples=60, deadline=None)
def test_stores_of_one_log_hold_the_same(writes: list[tuple[int, Write]]) -> None:
    stores = several()
    for which, write in writes:
        write(stores[which])
    for store in stores:
        store.refresh()
    assert held(stores[0]) == held(stores[1])
    late = RedisStore(redis_server.log(stores[0].shared.name), event_limit=3, topic_limit=2)
    assert held(late) == held(stores[0])
    first, *others = [store.number("a") for store in (*stores, late)]
    assert others == [first + 1, first + 2]


def test_of_two_who_write_upon_the_same_one_has_to_do_it_again() -> None:
    one, other = several()
    one.begin()
    one.put("task", "a", {"id": "a", "by": "one"})
    one.number("made")
    other.put("task", "a", {"id": "a", "by": "other"})
    with pytest.raises(ConflictError):
        one.commit()
    assert one.get("task", "a") == {"id": "a", "by": "other"}
    assert one.number("made") == 1


def test_what_a_mark_undid_is_told_to_nobody() -> None:
    one, other = several()
    one.begin()
    one.put("task", "a", {"id": "a"})
    mark = one.mark()
    one.put("task", "b", {"id": "b"})
    one.rollback(mark)
    one.put("task", "c", {"id": "c"})
    one.commit()
    other.refresh()
    assert [row["id"] for row in other.find(Query("task"))] == ["a", "c"]


def test_many_who_race_count_right() -> None:
    stores = several(4)

    def add(store: RedisStore) -> None:
        for _ in range(50):
            while True:
                store.begin()
                row = store.get("purse", "p") or {"id": "p", "n": 0}
                store.put("purse", "p", {"id": "p", "n": row["n"] + 1})
                with suppress(ConflictError):
                    store.commit()
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, stores))
    for store in stores:
        store.refresh()
        assert store.get("purse", "p") == {"id": "p", "n": 200}


def test_a_timer_goes_off_in_one_store_only() -> None:
    stores = several(3)
    for n in range(30):
        stores[0].arm(Timer(n, "life", str(n), "end"))

    def pop_all(store: RedisStore) -> list[Timer]:
        found: list[Timer] = []
        while True:
            store.refresh()
            timer = store.pop_due(100)
            if timer is None:
                return found
            found.append(timer)

    with ThreadPoolExecutor(3) as pool:
        popped = [timer.row for each in pool.map(pop_all, stores) for timer in each]
    assert sorted(popped, key=int) == [str(n) for n in range(30)]


def test_the_log_is_kept_short_and_who_comes_late_holds_all_the_same() -> None:
    one, other = several()
    for n in range(COMPACT_AFTER + 50):
        one.put("task", str(n % 7), {"id": str(n % 7), "n": n})
    news = one.shared.news(-1)
    assert news is not None
    assert len(news.commits) < 100
    other.refresh()
    (late,) = several(1, one.shared.name)
    assert held(one) == held(other) == held(late)


def test_what_is_kept_whole_holds_no_commit_that_comes_behind_it() -> None:
    one, other = several()
    journal = SharedJournal(other.shared)
    other.carry = journal.carry
    for n in range(COMPACT_AFTER):
        one.put("task", "a", {"id": "a", "n": n})
    one.begin()
    one.append("topic", 5, "kind", None)
    other.begin()
    other.put(f"{LAX}minute", "alice", {"used": 1})
    other.commit(lax=True)
    journal.flush()
    one.commit()
    for n in range(3):
        one.put("task", "b", {"id": "b", "n": n})
    (late,) = several(1, one.shared.name)
    assert held(late) == held(one) == held(other)
    assert late.topics() == {"topic": (1, 1)}


def test_one_look_at_many_stores_serves_each_that_has_missed_little() -> None:
    others = [several(1)[0] for _ in range(4)]
    link = RedisLink(redis_server.url())
    held_here = [RedisStore(CommitLog(link, each.shared.name)) for each in others]
    for store in (*others, *held_here):
        store.refresh()
    link.turn = lambda: 7
    same, behind, far_behind, gone = others
    behind.put("task", "a", {"id": "a"})
    for n in range(COMPACT_AFTER + 5):
        far_behind.put("task", "a", {"id": "a", "n": n})
    gone.shared.link.ask("DEL", *gone.shared.keys)
    look(held_here)
    assert [store.version for store in held_here] == [same.version, behind.version, 1, 1]
    held_here[0].begin()
    held_here[2].begin()
    assert held_here[1].get("task", "a") == {"id": "a"}
    assert held_here[2].get("task", "a") == {"id": "a", "n": COMPACT_AFTER + 4}
    with pytest.raises(GoneError):
        held_here[3].begin()


def test_of_commits_that_are_sent_together_those_that_came_second_are_undone() -> None:
    others = [several(1)[0] for _ in range(3)]
    link = RedisLink(redis_server.url())
    own = [RedisStore(CommitLog(link, each.shared.name)) for each in others]
    for store in own:
        store.begin()
        store.put("task", "a", {"id": "a", "by": "own"})
    others[1].put("task", "a", {"id": "a", "by": "other"})
    promises = [store.promise() for store in own]
    assert [each and each.wait() for each in promises] == [True, False, True]
    assert [store.get("task", "a") is None for store in own] == [False, True, False]
    own[1].begin()
    assert own[1].get("task", "a") == {"id": "a", "by": "other"}
    own[1].rollback()
    assert [held(store) for store in own] == [held(store) for store in others]


def test_a_commit_that_redis_refuses_fails_alone() -> None:
    others = [several(1)[0] for _ in range(3)]
    link = RedisLink(redis_server.url())
    own = [RedisStore(CommitLog(link, each.shared.name)) for each in others]
    for store in own:
        store.begin()
        store.put("task", "a", {"id": "a"})
    strict = others[1].shared.keys[1]
    link.ask("LPUSH", f"{strict}-none", "no number")
    link.ask("RENAME", f"{strict}-none", strict)
    promises = [store.promise() for store in own]
    assert [each.wait() for each in promises[::2] if each] == [True, True]
    for _ in range(2):
        with pytest.raises(UnavailableError, match="Redis refuses: "):
            promises[1] and promises[1].wait()
    link.ask("SET", strict, 1)
    assert [store.get("task", "a") is None for store in own] == [False, True, False]
    assert [held(store) for store in own] == [held(store) for store in others]
    own[1].put("task", "b", {"id": "b"})
    assert held(own[1]) == held(others[1])


@pytest.mark.parametrize("before", range(MOST_UNREAD - 2, MOST_UNREAD + 3))
def test_what_came_of_a_commit_is_known_however_much_was_told_before_it(before: int) -> None:
    one, other = several(2)
    link = one.shared.link
    link.turn = lambda: 7

    def promise(by: str) -> Promise:
        one.begin()
        one.put("task", "a", {"id": "a", "by": by})
        for _ in range(before):
            link.say("PING")
        made = one.promise()
        assert made
        return made

    assert promise("one").wait()
    assert promise("one again").wait()
    other.put("task", "a", {"id": "a", "by": "other"})
    assert not promise("nobody").wait()
    assert not one.promised
    assert one.get("task", "a") == {"id": "a", "by": "one again"}
    assert promise("one at last").wait()
    assert not one.promised
    assert held(one) == held(other)


def promised_and_cut_off() -> tuple[RedisStore, Promise]:
    """A store whose connection is lost before it is told what came of the row ``a`` that it put."""
    (store,) = several(1)
    store.begin()
    store.put("task", "a", {"id": "a"})
    promise = store.promise()
    assert promise
    store.shared.link.close()
    return store, promise


def test_a_commit_of_which_nothing_is_heard_is_undone_here_and_met_if_it_was_made() -> None:
    store, promise = promised_and_cut_off()
    with pytest.raises(UnavailableError):
        promise.wait()
    assert store.get("task", "a") is None
    store.put("task", "b", {"id": "b"})
    (late,) = several(1, store.shared.name)
    assert held(late) == held(store)


def test_of_a_commit_that_was_lost_nobody_says_that_it_was_not_made() -> None:
    store, promise = promised_and_cut_off()
    store.begin()
    assert store.get("task", "a") is None
    store.rollback()
    for _ in range(2):
        with pytest.raises(UnavailableError):
            promise.wait()


def test_a_snapshot_that_one_restores_holds_for_all() -> None:
    one, other = several()
    one.put("task", "a", {"id": "a"})
    saved = one.snapshot()
    one.put("task", "b", {"id": "b"})
    other.refresh()
    one.restore(saved)
    other.refresh()
    assert other.find(Query("task")) == [{"id": "a"}]


def test_a_restored_snapshot_is_taken_back_with_its_transaction() -> None:
    one, other = several()
    one.put("task", "a", {"id": "a"})
    saved = one.snapshot()
    one.put("task", "b", {"id": "b"})
    one.begin()
    one.put("task", "c", {"id": "c"})
    mark = one.mark()
    one.restore(saved)
    one.put("task", "d", {"id": "d"})
    one.rollback(mark)
    one.put("task", "e", {"id": "e"})
    one.commit()
    assert held(other) == held(one)
    assert [row["id"] for row in other.find(Query("task"))] == ["a", "b", "c", "e"]
    one.begin()
    one.restore(saved)
    one.put("task", "f", {"id": "f"})
    one.commit()
    assert held(other) == held(one)
    assert [row["id"] for row in other.find(Query("task"))] == ["a", "f"]


def test_what_rests_on_nothing_is_in_nobodys_way() -> None:
    one, other = several()
    journal = SharedJournal(other.shared)
    other.carry = journal.carry
    one.begin()
    one.put("task", "a", {"id": "a"})
    for n in range(5):
        other.begin()
        other.put(f"{LAX}minute", "alice", {"used": n})
        other.commit(lax=True)
    journal.flush()
    one.put(f"{LAX}minute", "bob", {"used": 1})
    one.commit()
    other.put("task", "b", {"id": "b"})
    assert held(one) == held(other)
    assert one.get(f"{LAX}minute", "alice") == {"used": 4}
    assert (one.sizes(), one.hidden()) == ({"task": 2}, [f"{LAX}minute"])


def test_whose_world_was_deleted_begins_anew() -> None:
    one, other = several()
    one.put("task", "a", {"id": "a"})
    other.refresh()
    one.shared.link.ask("DEL", *one.shared.keys)
    with pytest.raises(GoneError):
        other.begin()
    other.delete("task", "a")
    other.put("task", "b", {"id": "b"})
    other.refresh()
    (late,) = several(1, one.shared.name)
    late.refresh()
    assert late.find(Query("task")) == [{"id": "b"}]


def test_what_is_written_before_a_store_has_joined_is_how_the_world_begins_unless_it_has() -> None:
    name = redis_server.log().name
    one = RedisStore(redis_server.log(name), joined=False)
    one.put("task", "a", {"id": "a"})
    two = RedisStore(redis_server.log(name), joined=False)
    two.put("task", "b", {"id": "b"})
    one.refresh()
    two.refresh()
    assert two.find(Query("task")) == [{"id": "a"}]


def test_what_is_no_address_of_a_redis_is_told() -> None:
    with pytest.raises(MisuseError, match="no address"):
        RedisLink("http://localhost")


def test_nobody_refreshes_in_the_middle_of_a_transaction() -> None:
    (store,) = several(1)
    store.begin()
    with pytest.raises(MisuseError):
        store.refresh()


@pytest.fixture
def place() -> Iterator[tuple[int, str]]:
    """A port and a folder for a server that dies."""
    folder = tempfile.mkdtemp()
    yield redis_server.free_port(), folder
    shutil.rmtree(folder, ignore_errors=True)


DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def test_nothing_that_was_committed_is_lost_when_redis_is_killed(place: tuple[int, str]) -> None:
    port, folder = place
    process = redis_server.start(port, folder, *DURABLE)
    store = RedisStore(redis_server.log("kept", f"redis://127.0.0.1:{port}"))
    for n in range(20):
        store.put("task", str(n), {"id": str(n)})
    process.kill()
    process.wait()
    with pytest.raises(UnavailableError):
        store.put("task", "lost", {"id": "lost"})
    assert store.get("task", "lost") is None
    process = redis_server.start(port, folder, *DURABLE)
    try:
        store.put("task", "20", {"id": "20"})
        late = RedisStore(redis_server.log("kept", f"redis://127.0.0.1:{port}"))
        late.refresh()
        assert [row["id"] for row in late.find(Query("task"))] == [str(n) for n in range(21)]
    finally:
        process.kill()
        process.wait()


def test_what_was_told_a_redis_that_died_is_in_nobodys_way(place: tuple[int, str]) -> None:
    port, folder = place
    process = redis_server.start(port, folder, *DURABLE)
    store = RedisStore(redis_server.log("kept", f"redis://127.0.0.1:{port}"))
    store.put("task", "a", {"id": "a"})
    store.shared.link.say("PUBLISH", "somewhere", "something")
    process.kill()
    process.wait()
    process = redis_server.start(port, folder, *DURABLE)
    try:
        store.put("task", "b", {"id": "b"})
        assert [row["id"] for row in store.find(Query("task"))] == ["a", "b"]
    finally:
        process.kill()
        process.wait()


def test_what_redis_is_told_while_it_counts_as_gone_is_not_carried_out_later(place: tuple[int, str]) -> None:
    port, folder = place
    process = redis_server.start(port, folder)
    link = RedisLink(f"redis://127.0.0.1:{port}")
    link.ask("PING")
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(UnavailableError):
            link.ask("PING")
        link.say("SET", "late", "yes")
        with pytest.raises(UnavailableError):
            link.hear()
        process.send_signal(signal.SIGCONT)
        time.sleep(RESPITE + 0.1)
        link.hear()
        assert link.ask("GET", "late") is None
    finally:
        process.kill()
        process.wait()


def test_a_redis_that_forgot_everything_is_told_again(place: tuple[int, str]) -> None:
    port, folder = place
    process = redis_server.start(port, folder)
    store = RedisStore(redis_server.log("told", f"redis://127.0.0.1:{port}"))
    store.put("task", "a", {"id": "a"})
    process.kill()
    process.wait()
    process = redis_server.start(port, folder)
    try:
        store.put("task", "b", {"id": "b"})
        late = RedisStore(redis_server.log("told", f"redis://127.0.0.1:{port}"))
        assert held(late) == held(store)
        assert late.sizes() == {"task": 2}
    finally:
        process.kill()
        process.wait()


def test_a_commit_of_a_later_version_of_the_twin_is_refused() -> None:
    one, other = several()
    shared: CommitLog = one.shared
    one.refresh()
    shared.append(one.version, b"\x91\x91\xa7unknown", "later", print)
    shared.link.hear()
    with pytest.raises(MisuseError, match="unknown"):
        other.refresh()
