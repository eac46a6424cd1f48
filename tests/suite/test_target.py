"""The target: who sends, what is read, how often, and what becomes of answers that never come."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.answering import Answer, Asked, Parts, answering, silent

from tasktwin.errors import MisuseError
from tasktwin.state import elapsed
from tasktwin.suite.budget import Budget, SpentError
from tasktwin.suite.target import GLANCE, LISTENS, LOST, MOST_BODY, STORM, TRIES, Callers, Target, UnreachableError
from tasktwin.suite.traffic import Reply, Request, Sent

HEADERS = {
    "ann": {"Authorization": "Bearer ann-token", "X-Key": "k3y-of-ann"},
    "ben": {"Authorization": "Bearer ben-token"},
}
WRITTEN = {"ann": {"Authorization": "Bearer ${ANN}", "X-Key": "${KEY}"}}
LOOK = Request("GET", "/jobs", "ann", operation="listJobs")

Make = Callable[..., Target]


@pytest.fixture
def target() -> Iterator[Make]:
    """Makes targets, whose connections are closed at the end."""
    made: list[Target] = []

    def make(url: str, budget: Budget | None = None, **options: object) -> Target:
        made.append(Target(url, Callers(HEADERS), budget or Budget(), **{"patience": 2.0, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


def sends(target: Target, times: int) -> list[Reply]:
    return [target.send(LOOK) for _ in range(times)]


def plain(_asked: Asked) -> Parts:
    return 200, {"Content-Type": "application/json"}, b'{"ok": true}'


def refusing(times: int, status: int = 429, **said: str) -> Answer:
    """Refuses so often, then answers."""
    left = [status] * times
    headers = {name.replace("_", "-"): value for name, value in said.items()}
    return lambda asked: (left.pop(), headers, b"") if left else plain(asked)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://", ""])
def test_what_is_no_url_of_a_deployment_is_refused(target: Make, url: str) -> None:
    with pytest.raises(MisuseError, match="it begins with http:// or https://"):
        target(url)


def test_a_request_goes_with_the_callers_credentials_and_is_kept_without(target: Make) -> None:
    with answering(plain) as server:
        there = target(server.url + "/")
        reply = there.send(LOOK)
    assert server.asked[0].headers["authorization"] == "Bearer ann-token"
    assert (server.asked[0].path, reply.status, reply.json()) == ("/jobs", 200, {"ok": True})
    assert "token" not in repr(list(there.traffic))


@pytest.mark.parametrize(
    ("who", "sent"),
    [
        ("", {}),
        ("nobody-known", {}),
        ("ben", {"Authorization": "Bearer ben-token"}),
        ("ann without X-Key", {"Authorization": "Bearer ann-token"}),
        ("ann with a wrong X-Key", {"Authorization": "Bearer ann-token", "X-Key": "k3y-of-ann0"}),
    ],
    ids=["nobody", "a stranger", "ben", "without", "wrong"],
)
def test_callers_sign_in_wholly_by_halves_or_not_at_all(who: str, sent: dict[str, str]) -> None:
    assert Callers(HEADERS).of(who) == sent


def test_secrets_are_shown_as_variables_and_taken_out_of_texts() -> None:
    callers = Callers(HEADERS, True, WRITTEN)
    assert callers.shown("ann without X-Key") == {"Authorization": "Bearer ${ANN}"}
    assert callers.redact("you sent Bearer ann-token and k3y-of-ann.") == "you sent [redacted] and [redacted]."
    assert Callers(HEADERS).redact("Bearer ann-token") == "Bearer ann-token"


@given(st.text(max_size=40))
def test_no_text_keeps_a_secret(text: str) -> None:
    shown = Callers(HEADERS, True, WRITTEN).redact(f"{text}ann-token{text}k3y-of-ann{text}")
    assert "ann-token" not in shown
    assert "k3y-of-ann" not in shown


def test_what_may_not_be_sent_is_not(target: Make) -> None:
    with answering(plain) as server:
        there = target(server.url, may_send=lambda request: request.method == "GET")
        with pytest.raises(MisuseError, match="createJob writes, and was not allowed"):
            there.send(Request("POST", "/jobs", "ann", operation="createJob"))
        with pytest.raises(MisuseError), there.open(Request("POST", "/jobs")):
            """Nothing is opened."""
    assert (server.asked, there.budget.spent) == ([], 0)


@pytest.mark.parametrize(
    ("answer", "requests"),
    [
        (refusing(2, Retry_After="0"), 3),
        (refusing(1, Retry_After="Mon, 01 Jan 2024 00:00:00 GMT"), 2),
        (refusing(1, 503, Retry_After="0"), 2),
        (refusing(1, Retry_After="²"), 2),
        (refusing(1, Retry_After="Mon, 01 Jan 99999999999 00:00:00 GMT"), 2),
        (refusing(1), 2),
    ],
    ids=["seconds", "a date", "503", "no digit", "no date", "nothing"],
)
def test_who_is_told_to_wait_asks_again(target: Make, answer: Answer, requests: int) -> None:
    with answering(answer) as server:
        assert target(server.url).send(LOOK).status == 200
    assert len(server.asked) == requests


def test_a_failure_that_names_no_time_is_not_asked_for_again(target: Make) -> None:
    with answering(refusing(9, 503)) as server:
        assert target(server.url).send(LOOK).status == 503
    assert len(server.asked) == 1


def test_who_looks_at_limits_takes_a_refusal_as_it_is(target: Make) -> None:
    with answering(refusing(1, Retry_After="0")) as server:
        assert target(server.url).send(LOOK, obeys=False).status == 429
    assert len(server.asked) == 1


def test_a_wait_that_is_too_long_is_obeyed_by_giving_up(target: Make) -> None:
    began = elapsed()
    with answering(refusing(99, Retry_After="3600")) as server:
        there = target(server.url)
        with pytest.raises(SpentError, match="keeps refusing with 429 and asks to wait 3600 s"):
            assert {reply.status for reply in sends(there, STORM)} == {429}
    assert len(server.asked) == STORM
    assert elapsed() - began < 5


def test_a_refusal_that_stays_is_tried_a_few_times_only(target: Make) -> None:
    with answering(refusing(99, Retry_After="0")) as server:
        assert target(server.url).send(LOOK).status == 429
    assert len(server.asked) == TRIES


def endless(_asked: Asked) -> Parts:
    return 200, {}, repeat(b" " * 65_536, 10_000)


def trickling(_asked: Asked) -> Parts:
    return 200, {}, map(slowly, range(100))


def slowly(_n: int) -> bytes:
    time.sleep(0.05)
    return b"x"


def zipped(_asked: Asked) -> Parts:
    return 200, {"Content-Encoding": "gzip"}, gzip.compress(b"\0" * (MOST_BODY + 1))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(endless, "larger than 4 MiB"), (zipped, "larger than 4 MiB"), (trickling, "did not end in time")],
    ids=["too much", "too much, packed", "too slow"],
)
def test_an_answer_that_does_not_end_is_cut(target: Make, answer: Answer, problem: str) -> None:
    with answering(answer) as server:
        reply = target(server.url, patience=0.4).send(LOOK)
    assert reply.cut
    assert problem in reply.problem
    assert len(reply.body) <= MOST_BODY


def test_an_answer_that_breaks_off_is_known_by_what_came(target: Make) -> None:
    def broken(_asked: Asked) -> Parts:
        return 200, {"Content-Length": "50"}, iter([b'{"ok"'])

    with answering(broken) as server:
        there = target(server.url)
        replies = [there.send(LOOK) for _ in range(LOST + 1)]
    assert {(each.status, each.cut, each.body) for each in replies} == {(200, True, b'{"ok"')}
    assert "broke off" in replies[0].problem


def test_one_silence_is_an_answer_that_never_came_and_many_mean_that_nobody_is_there(target: Make) -> None:
    with silent() as url:
        there = target(url, patience=0.05)
        reply = there.send(LOOK)
        assert (reply.status, reply.cut, reply.problem) == (0, True, "no answer: ReadTimeout")
        with pytest.raises(UnreachableError, match=f"no answer to {LOST} requests in a row"):
            sends(there, LOST)


def test_a_port_where_nobody_listens_is_told_with_its_url(target: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UnreachableError, match=f"{url} cannot be reached"):
        target(url).send(LOOK)


def test_redirects_are_answers_like_others(target: Make) -> None:
    with answering(lambda _asked: (302, {"Location": "http://127.0.0.1:1/"}, b"")) as server:
        assert target(server.url).send(LOOK).status == 302


def test_what_cannot_be_sent_is_the_callers_fault(target: Make) -> None:
    with answering(plain) as server, pytest.raises(MisuseError, match="cannot be sent"):
        target(server.url).send(Request("GET", "/\x00"))


def test_every_exchange_is_told_and_numbered_whoever_sends_it(target: Make) -> None:
    told: list[Sent] = []
    with answering(plain) as server:
        there = target(server.url)
        there.observers.append(told.append)
        there.phase = "lifecycle"
        threads = [threading.Thread(target=lambda: [there.send(LOOK) for _ in range(5)]) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert sorted(each.number for each in told) == list(range(1, 21)) == sorted(each.number for each in there.traffic)
    assert {each.phase for each in told} == {"lifecycle"}


def test_a_world_of_its_own_is_asked_for(target: Make) -> None:
    with answering(plain) as server:
        there = target(server.url)
        there.world = "mine"
        there.send(LOOK)
    assert server.asked[0].headers["tasktwin-world"] == "mine"


def test_a_spent_budget_sends_nothing(target: Make) -> None:
    with answering(plain) as server:
        there = target(server.url, Budget(requests=2))
        with pytest.raises(SpentError):
            sends(there, 3)
    assert len(server.asked) == 2


def test_time_passes_really_where_there_is_no_clock_but_not_for_long(target: Make) -> None:
    there, began = target("http://127.0.0.1:1", Budget(seconds=5)), elapsed()
    assert there.pass_time(0.1)
    assert not there.pass_time(6)
    assert not target("http://127.0.0.1:1").pass_time(3_600)
    assert 0.1 <= elapsed() - began < 1


def test_the_targets_time_is_ours_and_what_was_made_to_pass(target: Make) -> None:
    there = target("http://127.0.0.1:1")
    before = there.now()
    there.shift(3_600_000_000)
    assert there.ahead == 3_600_000_000
    assert 3_600_000_000 <= there.now() - before < 3_601_000_000


@pytest.mark.parametrize(
    ("media", "body", "value"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/problem+json; charset=utf-8", b"[]", []),
        ("application/json", b"{", None),
        ("application/json", b"\xff", None),
        ("application/json", b"", None),
    ],
)
def test_a_reply_gives_its_value_or_none(media: str, body: bytes, value: object) -> None:
    reply = Reply(200, {"content-type": media}, body)
    assert (reply.is_json, reply.json()) == (True, value)


@pytest.mark.parametrize("media", ["", "text/html", "application/jsonx", "text/event-stream"])
def test_a_reply_that_is_no_json_says_so(media: str) -> None:
    assert not Reply(200, {"content-type": media} if media else {}).is_json


def test_inputs_that_drop_the_connection_end_nothing_while_something_plain_is_answered(target: Make) -> None:
    def dropping(asked: Asked) -> Parts:
        if asked.method == "POST":
            raise ConnectionError
        return plain(asked)

    with answering(dropping) as server:
        there = target(server.url)
        there.send(LOOK)
        statuses = [there.send(Request("POST", "/jobs", "ann")).status for _ in range(3 * LOST)]
    assert statuses == [0] * (3 * LOST)
    assert [each.path for each in server.asked if each.method == "GET"] == ["/jobs"] * 4
    assert there.sent == 1 + 3 * LOST


def test_who_answered_before_and_does_no_longer_is_gone(target: Make) -> None:
    answers = [plain]

    def dying(asked: Asked) -> Parts:
        if not answers:
            raise ConnectionError
        return answers.pop()(asked)

    with answering(dying) as server, pytest.raises(UnreachableError, match=f"no answer to {LOST} requests in a row"):
        sends(target(server.url), LOST + 1)
    assert [each.path for each in server.asked[LOST + 1 :]] == ["/jobs", "/"]


def open_stream(_asked: Asked) -> Parts:
    return 200, {"Content-Type": "text/event-stream"}, map(once_told, range(20))


def once_told(n: int) -> bytes:
    time.sleep(0.2 if n else 0)
    return b"" if n else b"data: {}\n\n"


@pytest.mark.parametrize(("beat", "longest"), [(None, LISTENS), (0.5, 0.5)], ids=["unknown", "known"])
def test_a_stream_that_stays_open_is_left_each_time_sooner(target: Make, beat: float | None, longest: float) -> None:
    with answering(open_stream) as server:
        there = target(server.url, patience=9.0)
        there.beats = {"listJobs": beat} if beat else {}
        replies = sends(there, 3)
    assert [(each.status, each.cut, each.body) for each in replies] == [(200, True, b"data: {}\n\n")] * 3
    assert "it is an open stream, left after" in replies[0].problem
    for n, each in enumerate(replies, 1):
        assert each.seconds == pytest.approx(max(longest / n, GLANCE), abs=0.3)


def test_a_stream_that_ends_is_read_to_its_end(target: Make) -> None:
    with answering(lambda _asked: (200, {"Content-Type": "text/event-stream"}, iter([b"data: 1\n\n"] * 3))) as server:
        reply = target(server.url).send(LOOK)
    assert (reply.cut, reply.body) == (False, b"data: 1\n\n" * 3)


def test_a_wait_is_told_before_it_begins(target: Make) -> None:
    told: list[tuple[float, str]] = []
    with answering(refusing(1, Retry_After="1")) as server:
        there = target(server.url)
        there.waits = lambda seconds, why: told.append((seconds, why))
        there.send(LOOK)
    assert told == [(1.0, "listJobs is answered with 429 and Retry-After: 1")]
