import pytest

from tasktwin.errors import MisuseError
from tasktwin.state import Entry, Journal, Ledger, redact
from tasktwin.state.journal import BODY_LIMIT, Note


def filled(*operations: str, limit: int = 1000) -> Journal:
    journal = Journal(limit)
    for n, operation in enumerate(operations):
        journal.record(
            instant=n, world="default", method="GET", path="/tasks?page=1", status=200 + 101 * n, operation=operation
        )
    return journal


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.number for entry in entries]


def test_an_entry_says_what_was_recorded_and_cannot_be_changed() -> None:
    journal = Journal()
    entry = journal.record(
        instant=5,
        world="w",
        method="POST",
        path="/tasks",
        status=201,
        seconds=0.5,
        request_body=b"{}",
        violations=({"where": "body"},),
    )
    assert journal.entries() == [entry]
    assert (entry.number, entry.world, entry.request_body, entry.seconds) == (1, "w", b"{}", 0.5)
    assert entry.violations == ({"where": "body"},)
    with pytest.raises(AttributeError):
        entry.number = 2  # type: ignore[misc]


def test_the_oldest_entries_give_way_and_are_counted() -> None:
    journal = filled("a", "b", "c", "d", limit=3)
    assert (numbers(journal.entries()), journal.dropped, len(journal)) == ([2, 3, 4], 1, 3)


def test_a_journal_without_room_keeps_nothing_but_numbers() -> None:
    journal = filled("a", "b", limit=0)
    assert (journal.entries(), journal.dropped) == ([], 2)
    assert journal.record(instant=1, world="w", method="GET", path="/", status=200).number == 3


def test_numbers_go_on_after_clear_and_begin_again_after_reset() -> None:
    journal = filled("a", "b", limit=1)
    journal.clear()
    assert (journal.entries(), journal.dropped) == ([], 0)
    entry = journal.record(instant=1, world="w", method="GET", path="/", status=200)
    assert entry.number == 3
    journal.reset()
    assert journal.add(entry).number == 1


@pytest.mark.parametrize(
    ("operation", "status", "since", "limit", "expected"),
    [
        (None, None, None, None, [1, 2, 3, 4]),
        ("*Task", None, None, None, [1, 2, 4]),
        ("getTask", None, None, None, [1, 4]),
        ("gettask", None, None, None, []),
        (None, 301, None, None, [2]),
        (None, "301", None, None, [2]),
        (None, "4xx", None, None, [3]),
        (None, "5XX", None, None, [4]),
        (None, None, 2, None, [3, 4]),
        (None, None, None, 2, [3, 4]),
        (None, None, 0, 2, [1, 2]),
        (None, None, None, 0, []),
        ("*Task", None, 1, 1, [2]),
    ],
)
def test_entries_are_found_by_what_they_are(
    operation: str | None, status: int | str | None, since: int | None, limit: int | None, expected: list[int]
) -> None:
    journal = filled("getTask", "createTask", "listBids", "getTask")
    assert numbers(journal.entries(operation, status, since, limit)) == expected
    if limit is None:
        assert journal.count(operation, status, since) == len(expected)


@pytest.mark.parametrize("status", ["", "4", "xx4", "4x", "ok!", 4, 40400, "٤xx", "٤٠٤"])
def test_a_status_that_is_none_is_refused(status: int | str) -> None:
    with pytest.raises(MisuseError, match="neither a status"):
        Journal().entries(status=status)


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(MisuseError, match="not negative"):
        Journal(-1)
    with pytest.raises(MisuseError, match="not negative"):
        Journal().entries(limit=-1)


@pytest.mark.parametrize("size", [BODY_LIMIT, BODY_LIMIT + 1, 1_000_000], ids=["fits", "one more", "large"])
def test_a_long_body_is_cut_with_a_marker(size: int) -> None:
    entry = Journal().record(
        instant=1, world="w", method="PUT", path="/", status=200, request_body=b"q" * size, response_body=b"a" * size
    )
    kept, _, marker = entry.response_body.partition(b"\n")
    assert len(entry.request_body) <= BODY_LIMIT
    assert len(entry.response_body) <= BODY_LIMIT
    assert marker == (b"" if size == BODY_LIMIT else b"[tasktwin cut %d bytes]" % (size - len(kept)))


def test_an_added_entry_is_cut_and_numbered_like_any_other() -> None:
    journal = filled("a")
    body = b"x" * (BODY_LIMIT + 1)
    entry = journal.add(Entry(number=77, instant=1, world="w", method="GET", path="/", status=200, response_body=body))
    assert (entry.number, len(entry.response_body) <= BODY_LIMIT) == (2, True)
    assert journal.entries(since=1) == [entry]


def test_secret_headers_lose_their_values_however_they_are_spelled() -> None:
    headers = [("Authorization", "Bearer x"), ("accept", "*/*"), ("COOKIE", "a=b"), ("cookie", "c=d")]
    assert redact(headers, frozenset({"authorization", "cookie"})) == (
        ("Authorization", "[redacted]"),
        ("accept", "*/*"),
        ("COOKIE", "[redacted]"),
        ("cookie", "[redacted]"),
    )


def noted(body: bytes = b"") -> Note:
    headers = [(b"host", b"caf\xe9"), (b"cookie", b"[redacted]")]
    return Note(
        5,
        "w",
        "GET",
        "/tasks",
        200,
        "getTask",
        "ada",
        "state",
        0.5,
        headers,
        body,
        "text/plain",
        [("allow", "GET")],
        body,
        (),
    )


def test_a_note_is_read_as_the_entry_that_it_stands_for() -> None:
    journal = filled("a")
    journal.note(noted())
    entry = journal.entries(operation="getTask")[0]
    assert (entry.number, entry.status, entry.principal, entry.seconds) == (2, 200, "ada", 0.5)
    assert entry.request_headers == (("host", "café"), ("cookie", "[redacted]"))
    assert entry.response_headers == (("content-type", "text/plain"), ("allow", "GET"))


def test_notes_keep_their_numbers_whenever_they_are_read() -> None:
    journal = filled("a", limit=3)
    for expected in ([1, 2], [1, 2, 3], [2, 3, 4]):
        journal.note(noted())
        assert numbers(journal.entries()) == expected
    journal.clear()
    journal.note(noted())
    journal.note(noted())
    assert (numbers(journal.entries()), journal.dropped) == ([5, 6], 0)


def test_a_long_body_of_a_note_is_cut() -> None:
    journal = Journal()
    journal.note(noted(b"x" * (BODY_LIMIT + 1)))
    assert [len(each.request_body) <= BODY_LIMIT for each in journal.entries()] == [True]


def test_journals_that_weigh_too_much_together_are_relieved() -> None:
    called: list[int] = []
    ledger = Ledger(5_000, lambda: called.append(ledger.size))
    one, other = Journal(2, ledger), Journal(10, ledger)
    for body in (b"x" * 500, b"y" * 600, b""):
        one.record(instant=1, world="w", method="GET", path="/", status=200, response_body=body)
    assert (one.size, ledger.size) == (2 * 1_024 + 600, one.size)
    other.record(instant=1, world="w", method="GET", path="/", status=200, response_body=b"z" * 3_000)
    assert called == [one.size + other.size]
    other.forget()
    assert (other.size, other.dropped, len(other), ledger.size) == (0, 1, 0, one.size)
