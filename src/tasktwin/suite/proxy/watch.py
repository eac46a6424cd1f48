"""Judges what passed, in a thread of its own, so that nothing that passes waits for it."""

import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, cast

from tasktwin.state import elapsed
from tasktwin.suite.finding import Finding
from tasktwin.suite.proxy.head import line
from tasktwin.suite.proxy.judgement import (
    PHASE,
    Passed,
    broken_off,
    event_mismatches,
    finding_of,
    judged,
    no_stream,
    operation_of,
    reply_of,
    request_of,
)
from tasktwin.suite.proxy.kept import MOST_BODY, TOO_MUCH, Copy, Inflater, Room
from tasktwin.suite.proxy.passing import Listening, Passing
from tasktwin.suite.proxy.secret import Secrets
from tasktwin.suite.report import Mask
from tasktwin.suite.run import Run
from tasktwin.suite.story.judge import Mismatch

MOST_CAUSES: Final = 1_000
"""So many different findings are written down; of more only the number."""

MOST_REASONS: Final = 20
"""So many different reasons for not judging are told."""

MOST_TRAFFIC: Final = 1_000
"""So many exchanges are remembered for the reports."""

MOST_SHOWN: Final = 16_384
"""Bytes of a body that are remembered."""

EACH: Final = 4_096
"""Bytes that an exchange is taken to need besides its bodies while it waits to be judged."""

PAUSE: Final = 1.0
"""Seconds in which one cause is told once at most."""

Tell = Callable[[Finding, int], None]
"""Told of a finding when it comes up, and how often it did since it was told last."""


class Watch:
    """Everything that passes is told here. ``unjudged`` counts what was not judged, by the reason; ``failed`` requests."""

    def __init__(self, run: Run, tell: Tell, note: Callable[[str], None], *, keep: bool) -> None:
        self.run = run
        self.room = Room()
        self.unjudged: Counter[str] = Counter()
        self.failed = 0
        self.more = 0
        self._tell = tell
        self._note = note
        self._keep = keep
        self._secrets = Secrets(run.provider)
        self._worker = ThreadPoolExecutor(1, "judge")
        self._told: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()
        self._last_failed = -PAUSE
        run.target.phase = PHASE
        run.target.traffic = deque(maxlen=MOST_TRAFFIC if keep else 0)

    def begin(self, method: str, path: str, query: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> Passing:
        """A request came."""
        return Passing(method, path, query, headers, Copy(self.room), Copy(self.room))

    def end(self, passing: Passing) -> None:
        """It is over: it is judged soon. Of a stream all but its end was judged before."""
        if passing.listening is not None:
            if passing.problem:
                self._soon(0, lambda: self._broken_off(passing), lambda: None)
            return
        if passing.left:
            passing.told.lose()
        self._soon(EACH, lambda: self._judge(passing), lambda: _lose(passing))

    def listen(self, passing: Passing) -> None:
        """A stream begins. Its head is judged soon, its events as they come."""
        passing.told.lose()
        passed = Passed(
            passing.method, passing.path, passing.query, passing.headers, None, passing.status, passing.answer
        )
        provider = self.run.provider
        operation = operation_of(provider, passed)
        known = operation if operation and no_stream(provider, operation, passed.status) is None else ""
        stream = passing.listening = Listening(passed, known, None)
        try:
            stream.inflater = Inflater(line(passed.told, b"content-encoding").decode("latin-1"))
        except ValueError as error:
            self._lose(stream, str(error))
        self._soon(EACH, lambda: self._judge(passing), lambda: _lose(passing))

    def hear(self, passing: Passing, chunk: bytes) -> None:
        """A stream goes on."""
        stream = passing.listening
        if stream is not None and stream.operation and not stream.lost:
            self._soon(len(chunk) + EACH, lambda: self._events(stream, chunk), lambda: self._lose(stream, TOO_MUCH))

    def unreached(self, why: str) -> None:
        """A request could not be passed on."""
        with self._lock:
            self.failed += 1
            now, last = elapsed(), self._last_failed
            self._last_failed = last if now - last < PAUSE else now
        if now - last >= PAUSE:
            self._say(why)

    def soon(self, do: Callable[[], None]) -> None:
        """Do something beside, in order."""
        self._soon(0, do, lambda: None)

    def close(self) -> None:
        """Judge what still waits."""
        self._worker.shutdown()

    def _say(self, text: str) -> None:
        """Not from the thread in which everything passes: whoever reads it may be slow."""
        try:
            self._worker.submit(self._note, text)
        except RuntimeError:  # it is closing
            self._note(text)

    def _soon(self, size: int, do: Callable[[], object], give_up: Callable[[], object]) -> None:
        if not self.room.take(size):
            give_up()
            self._count(TOO_MUCH)
            return

        def work() -> None:
            try:
                do()
            except Exception:  # noqa: BLE001 - a defect of ours must not end the judging
                self._count("a defect of tasktwin's own")
                traceback.print_exc()
            finally:
                self.room.give(size)

        self._worker.submit(work)

    def _judge(self, passing: Passing) -> None:
        try:
            passed = passing.passed()
        finally:
            for each in (passing.sent, passing.told):
                if each.lost:
                    self._count(each.lost)
                each.lose()
        if passing.listening is not None:
            passed = replace(passed, problem="")  # how it ends is another matter
            small = passed.body if passed.body and len(passed.body) <= MOST_SHOWN else None
            passing.listening.passed = replace(passed, body=small)
        operation = operation_of(self.run.provider, passed)
        if passed.status:
            self.run.answered[operation, passed.status] += 1
        self._report(judged(self.run.provider, passed), passed, operation)
        if self._keep:
            self._remember(passed, operation)
        else:
            self.run.target.sent += 1

    def _broken_off(self, passing: Passing) -> None:
        passed = passing.passed()
        operation = operation_of(self.run.provider, passed)
        self._report([broken_off(passed, operation or f"{passed.method} {passed.path[:200]}")], passed, operation)

    def _events(self, stream: Listening, chunk: bytes) -> None:
        if stream.lost or stream.inflater is None:
            return
        try:
            events = stream.reader.take(stream.inflater.take(chunk))
        except ValueError as error:
            self._lose(stream, str(error))
            return
        if stream.reader.skipped:
            stream.reader.skipped = 0
            self._count("too long an event")
        for event in events:
            found = event_mismatches(self.run.provider, stream.operation, stream.passed.status, event)
            self._report(found, stream.passed, stream.operation)

    def _report(self, found: Iterable[Mismatch], passed: Passed, operation: str) -> None:
        mask, script = cast("Mask | None", None), ""
        for mismatch in found:
            if mask is None:
                mask = self._secrets.mask(passed)
                script = self._secrets.script(passed, self.run.target.url, mask)
            finding = mask.finding(finding_of(mismatch, passed, operation, script))
            findings = self.run.findings
            if not findings.has(finding.cause) and len(findings) >= MOST_CAUSES:
                self.more += 1
                continue
            findings.add(finding)
            self._tell_now_and_then(finding)

    def _tell_now_and_then(self, finding: Finding) -> None:
        last, untold = self._told.get(finding.cause, (-PAUSE, 0))
        now = elapsed()
        if now - last < PAUSE:
            self._told[finding.cause] = last, untold + 1
            return
        self._told[finding.cause] = now, 0
        self._tell(finding, untold)

    def _remember(self, passed: Passed, operation: str) -> None:
        """Write an exchange down for the reports, without its credentials and without the most of its bodies."""
        mask = self._secrets.mask(passed)
        request, reply = request_of(passed, operation), reply_of(passed)
        self.run.target.record(
            replace(
                request,
                path=mask.path(request.path),
                headers=mask.headers(request.headers),
                body=mask.body(request.body, MOST_SHOWN).encode(),
            ),
            replace(reply, headers=mask.headers(reply.headers), body=mask.body(reply.body, MOST_SHOWN).encode()),
        )

    def _lose(self, stream: Listening, why: str) -> None:
        if not stream.lost:
            stream.lost = True
            self._count(why)

    def _count(self, why: str) -> None:
        with self._lock:
            why = why if why in self.unjudged or len(self.unjudged) < MOST_REASONS else "other reasons"
            self.unjudged[why] += 1
            first = self.unjudged[why] == 1
        if first and why:
            self._say(f"passed on, but not judged: {why} (told once; a body of at most {MOST_BODY:,} bytes is judged)")


def _lose(passing: Passing) -> None:
    passing.sent.lose()
    passing.told.lose()
