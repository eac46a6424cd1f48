"""Requests that arrive at once: each on a connection of its own, the last byte of all held back until all are there."""

import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from itertools import islice, permutations
from select import select
from urllib.parse import urlsplit

from tasktwin.errors import MisuseError
from tasktwin.state import elapsed
from tasktwin.suite.story.compare import Comparison, Names
from tasktwin.suite.story.oracle import Answer, Oracle
from tasktwin.suite.story.stage import Stage, Taken
from tasktwin.suite.story.step import Step
from tasktwin.suite.target import LONGEST_WAIT, MOST_BODY, Target, UnreachableError
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json

MOST_ORDERS = 24
"""So many orders of different requests are thought through."""


@dataclass(frozen=True, slots=True)
class Volley:
    """What came of requests that were sent at once.

    ``most`` is how many of them succeed at most when they are answered one after another. ``order`` is one in which
    those that succeeded can have been answered (places in ``taken``), ``None`` if there is none. ``sure``: what is
    to be seen afterwards does not depend on the order.
    """

    taken: tuple[Taken, ...]
    most: int
    order: tuple[int, ...] | None
    sure: bool

    @property
    def winners(self) -> list[Taken]:
        """Those that succeeded."""
        return [each for each in self.taken if each.reply.good]


def at_once(stage: Stage, steps: Sequence[Step], looks: Sequence[Step] = ()) -> Volley | None:
    """Take steps at once on the target, and on the oracle one after another, in an order that explains the answers.

    ``looks`` are the steps that will be taken then. ``None`` when nothing can be said: they cannot be sent, or are too many for the target's limits. Raises what
    ``Target.send`` raises.
    """
    target, oracle = stage.run.target, stage.theatre.oracle
    stage.theatre.settle()
    try:
        mine = [_request(stage, step, ours=True) for step in steps]
        sent = [_request(stage, step, ours=False) for step in steps]
        later = [_request(stage, step, ours=True) for step in looks]
    except KeyError:
        return None
    oracle.until(target.now())
    replies = fire(target, sent)
    if any(_is_throttled(reply) for reply in replies):
        target.stopped.wait(min(_pause(replies), LONGEST_WAIT, max(0.0, target.budget.left)))
        return None
    won = [n for n, reply in enumerate(replies) if reply.good]
    orders = _orders(oracle, mine, won, later)
    limit = len(won) if won and orders else most(oracle, mine)
    expected = _applied(oracle, mine, orders[0] if orders else tuple(range(len(mine))), keep=bool(orders))
    pairs = _paired(stage, mine, expected, replies)
    taken = []
    for step, request, answer, reply in zip(steps, sent, pairs, replies, strict=True):
        stage.ours.answers[step.key], stage.theirs.answers[step.key] = answer.shape, reply.json()
        taken.append(stage.took(step, request, answer, reply))
        stage.run.answered[step.operation, reply.status] += 1
    stage.taken += taken
    order = orders[0] if orders else None
    return Volley(tuple(taken), limit, order, len(orders) == 1)


def leave(stage: Stage, step: Step, after: float) -> Taken | None:
    """Send a step's request and cut the connection after so many seconds, or as soon as the answer begins, unread.

    The oracle has answered it.

    ``None`` when it cannot be sent.
    """
    target, oracle = stage.run.target, stage.theatre.oracle
    stage.theatre.settle()
    try:
        mine, sent = _request(stage, step, ours=True), _request(stage, step, ours=False)
    except KeyError:
        return None
    oracle.until(target.now())
    target.budget.take()
    line = _Line(target, sent)
    try:
        line.go()
        select([line.link.sock], [], [], after)
    finally:
        line.close()
    reply = Reply(0, at=target.now(), cut=True, problem="the connection was cut before the answer was read")
    target.record(sent, reply)
    taken = stage.took(step, sent, oracle.answer(mine), reply)
    stage.taken.append(taken)
    return taken


def fire(target: Target, requests: Sequence[Request]) -> list[Reply]:
    """Send requests at the same moment and wait for all answers, in their order. Raises like ``Target.send``."""
    for request in requests:
        if not target.may_send(request):
            raise MisuseError(f"{request.operation or request.method} writes, and was not allowed")
        target.budget.take()
    with ExitStack() as stack:
        lines = []
        for request in requests:
            lines.append(_Line(target, request))
            stack.callback(lines[-1].close)
        for line in lines:
            line.go()
        replies = [line.read() for line in lines]
    for request, reply in zip(requests, replies, strict=True):
        target.record(request, reply)
    return replies


class _Line:
    """A connection with a request that is ready to go."""

    def __init__(self, target: Target, request: Request) -> None:
        self.target = target
        self.request = request
        parts = urlsplit(target.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self.link = kind(parts.hostname or "", parts.port, timeout=target.patience)
        try:
            self.link.connect()
        except OSError as error:
            raise UnreachableError(f"{target.url} cannot be reached: {error}") from error
        self.link.putrequest(request.method, parts.path + request.path, skip_accept_encoding=True)
        headers = {**target.wired(request), "accept-encoding": "identity"}
        if request.body or request.method not in {"GET", "HEAD", "DELETE"}:
            headers["content-length"] = str(len(request.body))
        for name, value in headers.items():
            self.link.putheader(name, value)
        self.began = elapsed()

    def go(self) -> None:
        """Send it."""
        self.began = elapsed()
        try:
            self.link.endheaders(self.request.body or None)
        except OSError as error:
            raise UnreachableError(f"{self.target.url} closed the connection: {error}") from error

    def read(self) -> Reply:
        """The answer."""
        try:
            response = self.link.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            body, problem = self._body(response)
        except (OSError, HTTPException) as error:
            about = f"no answer: {type(error).__name__}"
            return Reply(0, {}, b"", elapsed() - self.began, self.target.now(), cut=True, problem=about)
        seconds = elapsed() - self.began
        return Reply(response.status, headers, body, seconds, self.target.now(), bool(problem), problem)

    def _body(self, response: HTTPResponse) -> tuple[bytes, str]:
        parts = b""
        while chunk := response.read1(65_536):
            parts += chunk
            if len(parts) > MOST_BODY or elapsed() - self.began > self.target.patience:
                return parts, "the answer did not end in time"
        return parts, ""

    def close(self) -> None:
        """Cut the connection."""
        self.link.close()


def _request(stage: Stage, step: Step, *, ours: bool) -> Request:
    return step.request(stage.run.provider.rules.contract, (stage.ours if ours else stage.theirs).look)


def _is_throttled(reply: Reply) -> bool:
    return reply.status == 429 or (reply.status == 503 and "retry-after" in reply.headers)


def _pause(replies: Iterable[Reply]) -> float:
    """Seconds that the replies ask to wait."""
    said = [reply.headers.get("retry-after", "") for reply in replies if _is_throttled(reply)]
    return max(float(each) if each.isdecimal() else 1.0 for each in said)


def _orders(
    oracle: Oracle, requests: Sequence[Request], won: Sequence[int], looks: Sequence[Request]
) -> list[tuple[int, ...]]:
    """Orders in which those that won all succeed, one for each thing that can be seen afterwards."""
    found: dict[object, tuple[int, ...]] = {}
    equal = len({_mark(requests[n]) for n in won}) < 2
    tries = [tuple(won)] if equal else islice(permutations(won), MOST_ORDERS)
    for order in tries:
        with oracle.trying():
            answers = [oracle.answer(requests[n]) for n in order]
            if all(each.good for each in answers):
                found.setdefault(tuple(_seen(oracle.answer(each).shape) for each in looks), order)
    return list(found.values())


def _seen(shape: Json) -> str:
    """What is to be seen in an answer: in which order its members came does not matter."""
    return json.dumps(shape, sort_keys=True, default=str)


def most(oracle: Oracle, requests: Sequence[Request]) -> int:
    """How many of these succeed at most when they are answered one after another; nothing happens."""
    equal = len({_mark(each) for each in requests}) < 2
    best = 0
    for order in [tuple(requests)] if equal else islice(permutations(requests), MOST_ORDERS):
        with oracle.trying():
            best = max(best, sum(oracle.answer(each).good for each in order))
    return best


def _applied(oracle: Oracle, requests: Sequence[Request], order: Sequence[int], *, keep: bool) -> list[Answer]:
    """The oracle's answers, by request: first to those of this order, then to those that it refuses as well."""
    answers: dict[int, Answer] = {}
    if not keep:
        with oracle.trying():
            return [oracle.answer(each) for each in requests]
    for n in order:
        answers[n] = oracle.answer(requests[n])
    for n in range(len(requests)):
        if n not in answers:
            with oracle.trying():
                answers[n] = oracle.answer(requests[n])
            if not answers[n].good:
                oracle.answer(requests[n])
    return [answers[n] for n in range(len(requests))]


def _paired(
    stage: Stage, requests: Sequence[Request], expected: Sequence[Answer], replies: Sequence[Reply]
) -> list[Answer]:
    """For each reply the oracle's answer that it is: of equal requests nobody knows which was answered first."""
    pairs: list[Answer | None] = [None] * len(replies)
    left = list(range(len(expected)))
    for strict in (True, False):
        for n, reply in enumerate(replies):
            if pairs[n] is None:
                fits = [k for k in left if _fits(stage, requests, expected[k], (k, n), reply, strict=strict)]
                if fits:
                    left.remove(fits[0])
                    pairs[n] = expected[fits[0]]
                    if reply.good:
                        stage.comparison.bodies(expected[fits[0]].shape, reply.json())
    return [each or expected[n] for n, each in enumerate(pairs)]


def _fits(
    stage: Stage,
    requests: Sequence[Request],
    answer: Answer,
    which: tuple[int, int],
    reply: Reply,
    *,
    strict: bool,
) -> bool:
    """Whether this can be the answer to the request of that reply."""
    ours, theirs = which
    if _mark(requests[ours]) != _mark(requests[theirs]) or answer.good != reply.good:
        return False
    names = stage.theatre.names
    trial = Comparison(Names(dict(names.there), dict(names.here)))
    return not strict or not trial.bodies(answer.shape, reply.json())


def _mark(request: Request) -> tuple[object, ...]:
    return (request.method, request.path, request.as_, tuple(sorted(request.headers.items())), request.body)
