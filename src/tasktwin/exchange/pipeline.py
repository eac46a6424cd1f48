"""One request, readable in one place: the steps that every request takes, in order.

The world's time is set first. From there on nothing waits, so that a request is one transaction: of two that race,
the second sees what the first did. Whoever refuses raises ``Refusal``; all leave through one door.
"""

import traceback
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from functools import partial
from typing import Any, Literal

from tasktwin.behaviour import idempotency
from tasktwin.behaviour.asked import Asked
from tasktwin.behaviour.deed import StreamFault
from tasktwin.behaviour.limit import count
from tasktwin.behaviour.perform import perform
from tasktwin.behaviour.remembered import Shown
from tasktwin.behaviour.rules import Binding, Rules
from tasktwin.behaviour.sign_in import identify
from tasktwin.behaviour.stream import BROKEN, DEFECT, Subscription
from tasktwin.behaviour.telling import Told
from tasktwin.behaviour.verb import admit
from tasktwin.contract import Match, NoMethod, NoPath, Operation, Reading, Violation, content_type
from tasktwin.errors import ConflictError, Refusal, TooManyWorldsError, UnavailableError
from tasktwin.exchange.exchange import Exchange, written
from tasktwin.exchange.ordered import answer_with, strike
from tasktwin.exchange.outline import needed, proofs, unit
from tasktwin.exchange.recorder import Recorder, all_told, plain, told
from tasktwin.exchange.spoil import disturbed, spoil
from tasktwin.exchange.wish import WishError, grant
from tasktwin.state import elapsed
from tasktwin.state.journal import CLOSED
from tasktwin.wire import Json, dumps

Found = Match[Operation] | NoPath | NoMethod
Responses = Literal["strict", "log"]

UNDECLARED = frozenset({"not_modelled", "unavailable"})
"""Refusals of the twin's own, which no contract knows."""

MOST_SHOWN = 128
"""So many answers each world remembers, so that whoever polls is answered fast."""


class Pipeline:
    """Answers the requests of one provider. ``broken`` counts the answers that would have broken the contract.

    ``is_full`` is asked before a stream is opened.
    """

    def __init__(self, rules: Rules, responses: Responses = "strict") -> None:
        self.responses = responses
        self.broken = 0
        self.is_full: Callable[[], bool] = lambda: False
        self.adopt(rules)

    def adopt(self, rules: Rules) -> None:
        """Answer by these rules from now on."""
        self.rules = rules
        self.steps: list[Callable[[Exchange], None]] = [getattr(self, f"_{name}") for name in needed(rules)]
        self.recorder = Recorder(rules)
        self.proofs = proofs(rules)
        self.words = self.proofs | {b"prefer"}
        self.unit = unit(rules)
        self.fleeting = frozenset(channel.name for channel in rules.channels if not channel.steady)

    def answer(self, exchange: Exchange) -> float:
        """Fill in the answer; the real seconds after which to call again, 0 when it is filled in.

        Never raises: what goes wrong in the twin itself becomes a 500 that says so.
        """
        started, begun = elapsed(), exchange.state if exchange.world.shared else None
        try:
            is_done = self._propose(exchange, begun)() if begun else self._settle(exchange)
        except Exception as error:  # noqa: BLE001 - see there
            is_done = self._give_up(exchange, begun, error)
        return self._end(exchange, started, is_done=is_done)

    async def answer_with_others(self, exchange: Exchange, known: Callable[[], Awaitable[None]]) -> float:
        """The same in a world that is shared, with others whose commits are made together: ``known`` waits until they are."""
        started, begun = elapsed(), exchange.state
        try:
            outcome = self._propose(exchange, begun)
            if exchange.world.proposed:
                await known()
            is_done = outcome()
        except Exception as error:  # noqa: BLE001 - see there
            is_done = self._give_up(exchange, begun, error)
        return self._end(exchange, started, is_done=is_done)

    def _give_up(self, exchange: Exchange, begun: dict[str, Any] | None, error: Exception) -> bool:
        """Something went wrong in the twin itself, which must not look like the API; whether it is answered: it is."""
        if begun:
            exchange.state = begun  # nothing of an attempt that came to nothing is answered: no stream, no header
        if isinstance(error, UnavailableError | ConflictError):
            self._leave(exchange, Refusal("unavailable", str(error)))
        elif isinstance(error, TooManyWorldsError):
            self._problem(exchange, "misuse", str(error), 503)
        else:
            self._fail(exchange, traceback.format_exc())
        return True

    def _end(self, exchange: Exchange, started: float, *, is_done: bool) -> float:
        """Write down what is answered; or pause."""
        if not is_done:
            exchange.world.flush()  # what was counted is known while it pauses
            return exchange.pause
        if exchange.held:
            self.abandon(exchange)
        self.recorder.record(exchange, elapsed() - started)
        return 0.0

    def abandon(self, exchange: Exchange) -> None:
        """Let go of the key of an exchange that goes on no longer."""
        world, held = exchange.world, exchange.held
        with suppress(UnavailableError, ConflictError):  # a key that is shared is let go by itself after a while
            world.agree(lambda: idempotency.end(world, held))

    def _settle(self, exchange: Exchange) -> bool:
        """Answer, or come to a pause; whether it is answered."""
        try:
            exchange.world.tick()
            if (exchange.left or not self._recall(exchange)) and not self._work(exchange):
                return False
        except Refusal as refusal:
            self._leave(exchange, refusal)
        if exchange.fault or exchange.world.faults:
            spoil(exchange)
        if exchange.held:
            idempotency.end(exchange.world, exchange.held)
            exchange.held = ""
        return True

    def _propose(self, exchange: Exchange, begun: dict[str, Any]) -> Callable[[], bool]:
        """The same as one with all who share the world: from the start again whenever somebody else was first."""
        is_again = False

        def settle() -> bool:
            nonlocal is_again
            if is_again:
                exchange.state = begun
            is_again = True
            return self._settle(exchange)

        return exchange.world.propose(settle)

    def _work(self, exchange: Exchange) -> bool:
        """Take the steps that are left, up to a pause; whether all are taken."""
        exchange.pause = 0.0
        if exchange.left and exchange.match and exchange.world.rules is not exchange.rules:
            self._match_anew(exchange)
        exchange.left, exchange.rules = exchange.left or iter(self.steps), self.rules
        for step in exchange.left:
            step(exchange)
            if exchange.replayed:
                break
            if exchange.pause:
                return False
        self._keep(exchange)
        return True

    # ── the steps ────────────────────────────────────────────────────────────────────────────────────────────────

    def _match(self, exchange: Exchange) -> None:
        found = self.rules.contract.match(exchange.method, exchange.path)
        if self.rules.redirect_slash and self._redirects(exchange, found):
            return
        if isinstance(found, Match):
            exchange.match, exchange.operation = found, found.operation
        elif isinstance(found, NoMethod):
            allowed = ", ".join(found.allowed)
            if exchange.method == "OPTIONS":
                exchange.status, exchange.replayed, exchange.reason = 204, True, "options"
                exchange.extra.append(("allow", allowed))
                return
            raise Refusal("method_not_allowed", f"this path takes {allowed}", headers={"allow": allowed})
        else:
            raise Refusal("no_such_path", "there is no such path")
        if exchange.too_large:
            raise Refusal("too_large", f"the body is larger than {self.rules.limit} bytes")

    def _match_anew(self, exchange: Exchange) -> None:
        """The rules are others than before the pause: what the request means is found by them."""
        exchange.reading, exchange.found, exchange.words = None, None, ()
        found = self.rules.contract.match(exchange.method, exchange.path)
        if not isinstance(found, Match):
            exchange.match = None
            raise Refusal("no_such_path", "there is no such path any more")
        exchange.match, exchange.operation = found, found.operation

    def _redirects(self, exchange: Exchange, found: Found) -> bool:
        """Whether the path is known but for its trailing slashes: then the answer leads there, whatever the method."""
        if isinstance(found, Match) and found.slash == "missing":
            path = f"{exchange.path}/"
        else:
            path = exchange.path.rstrip("/") or "/"
            known = path != exchange.path and self.rules.contract.match(exchange.method, path)
            if not known or isinstance(known, NoPath):
                return False
        query = f"?{exchange.query.decode('latin-1')}" if exchange.query else ""
        exchange.status, exchange.media, exchange.replayed, exchange.reason = 307, "", True, "redirect"
        exchange.extra.append(("location", f"{exchange.origin}{path}{query}"))
        return True

    def _count(self, exchange: Exchange) -> None:
        if exchange.world.limits == "off":
            return
        caller = {"principal": exchange.principal, "address": exchange.address}
        headers, refusal = count(exchange.world, caller, exchange.method, exchange.path)
        exchange.extra.extend(headers)
        if refusal:
            raise refusal

    def _authenticate(self, exchange: Exchange) -> None:
        carried = exchange.carried(self.proofs) if self.proofs else ()
        principal = exchange.principal = identify(
            exchange.world, exchange.operation, partial(self._credential, exchange), carried
        )
        if principal and self.rules.admission and exchange.match:
            exchange.admitted = admit(exchange.world, exchange.operation, principal, exchange.match.path_values)

    def _credential(self, exchange: Exchange, place: str) -> str | None:
        """What the request carries in a place. Whoever looks into the body finds first that it cannot be read."""
        if place.startswith("body:"):
            self._parse(exchange)
        return exchange.credential(place)

    def _replay(self, exchange: Exchange) -> None:
        rule, operation = self.rules.idempotency, exchange.operation
        if rule is None or operation.method not in rule.methods:
            return
        reading = exchange.read
        headers = {rule.header: exchange.header(rule.header), **reading.header}
        exchange.key = idempotency.find_key(rule, operation.method, operation.id, headers, reading.body)
        if exchange.key is None:
            if operation.id in rule.required:
                raise Refusal("key_missing", f"{operation.id} needs the header {rule.header}")
            return
        row = idempotency.recall(exchange.world, exchange.call, exchange.key)
        if row is not None and "topic" in row:
            exchange.topic = row["topic"]
        elif row is None:
            exchange.held = idempotency.begin(exchange.world, exchange.call, exchange.key)
        else:
            exchange.status, exchange.answer, exchange.media = row["status"], row["body"].encode(), row["media"]
            exchange.reason, exchange.replayed = "replay", True

    def _fault(self, exchange: Exchange) -> None:
        """Trouble that was ordered for the request: see ``strike``."""
        if exchange.world.faults:
            strike(exchange)

    def _parse(self, exchange: Exchange) -> None:
        if self.rules.dialect:
            if exchange.found is not None:
                return
            match = exchange.match
            assert match is not None
            asked = Asked(
                match.operation, match.path_values, exchange.query, content_type(exchange.headers), exchange.body
            )
            found = exchange.found = self.rules.dialect(asked)
            said = match.operation.headers(exchange.headers)
            exchange.reading = Reading(found.path, found.query, said, {}, found.body)
            if found.kind != "invalid":
                raise Refusal(found.kind, violations=found.faults)
            return
        violations = exchange.read.violations
        if not violations or self._forgives(exchange, violations):
            return
        if any(each.keyword == "media-type" for each in violations):
            raise Refusal("unsupported_media_type", all_told(violations), violations)
        if violations[0].where == "body" and violations[0].keyword in ("json", "encoding"):
            raise Refusal("malformed", all_told(violations), violations)

    def _check_request(self, exchange: Exchange) -> None:
        faults = exchange.found.faults if exchange.found else exchange.read.violations
        if not faults or self._forgives(exchange, exchange.read.violations):
            return
        binding = self.rules.bindings.get(exchange.operation.id)
        refusal = Refusal("invalid", "" if exchange.found else all_told(exchange.read.violations), faults)
        if binding and binding.checked_late:
            exchange.late = refusal
            return
        exchange.violations = exchange.read.violations
        raise refusal

    def _wish(self, exchange: Exchange) -> None:
        """An answer that the client prefers, told in ``Preference-Applied``: see ``wish``."""
        if exchange.wishes:
            try:
                grant(exchange, answer_with)
            except WishError as error:
                self._problem(exchange, "wish-not-granted", error.detail, error.status)
                exchange.reason, exchange.replayed = "refused: wish", True

    def _forgives(self, exchange: Exchange, violations: tuple[Violation, ...]) -> bool:
        """JSON-RPC answers for its own bodies."""
        binding = self.rules.bindings.get(exchange.operation.id)
        rpc = binding is not None and binding.verb == "rpc"
        return rpc and all(each.where == "body" and each.keyword != "media-type" for each in violations)

    def _perform(self, exchange: Exchange) -> None:
        if self.is_full() and exchange.operation.id in self.rules.streams:
            self._problem(exchange, "too-many-streams", "no further stream can be opened: close some", 503)
            exchange.replayed = True
            return
        outcome = exchange.outcome = perform(exchange.world, exchange.call)
        if outcome.refusal is not None:
            raise outcome.refusal
        exchange.status, exchange.reason = outcome.status or 200, outcome.reason
        if outcome.stream:
            self._open(exchange, outcome.stream)

    def _wrap(self, exchange: Exchange) -> None:
        outcome, wrap = exchange.outcome, self.rules.wrap
        assert outcome is not None
        exchange.shape = outcome.body
        exchange.media = outcome.media or exchange.media
        exchange.extra.extend(outcome.headers)
        if exchange.status == 204 or exchange.stream:
            return
        if wrap is not None and self._binding(exchange).wrap:
            scope = exchange.world.scope()
            scope["response.body"] = outcome.body
            exchange.shape = wrap(scope)
        exchange.answer = written(exchange.shape, exchange.media)

    def _check_response(self, exchange: Exchange) -> None:
        if exchange.stream:
            return  # each of its events is checked before it is sent
        if exchange.status == 204:
            found = exchange.operation.check_response(204, "", None)
        else:
            found = exchange.operation.check_response(exchange.status, exchange.media, exchange.shape)
        if found:
            self._break(exchange, found)

    def _remember(self, exchange: Exchange) -> None:
        rule = self.rules.idempotency
        if not rule or not exchange.key or exchange.status >= 400 or self._binding(exchange).verb == "rpc":
            return
        kept = {"status": exchange.status, "body": exchange.answer.decode(), "media": exchange.media}
        if exchange.stream:
            kept = {"topic": exchange.stream.topic}
        idempotency.keep(exchange.world, rule, exchange.call, exchange.key, **kept)

    # ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, exchange: Exchange, stream: Subscription) -> None:
        """A stream is answered instead of a body: every event is held against the contract before it is sent."""
        exchange.stream = stream
        stream.check = partial(self._may_send, exchange)
        if exchange.world.faults:
            name, method = exchange.operation.id, exchange.method
            found = exchange.world.faults.choose(name, exchange.caller, method, stream=True)
            exchange.disturbance = found.do if found and isinstance(found.do, StreamFault) else None
            exchange.reason = f"fault: {found.name}" if found else exchange.reason
        if exchange.bounded:
            exchange.extra.append(("preference-applied", "stream=bounded"))

    def _may_send(self, exchange: Exchange, told: Told) -> bool:
        """Whether an event keeps the contract, or may be sent all the same. What is sent is counted."""
        world, name = exchange.world, told.event or "message"
        world.told[exchange.operation.id, name] += 1
        if told.sound:
            return True
        found = exchange.operation.check_event(exchange.status, told.value)
        told.sound = not found
        if found:
            self.broken += 1
            exchange.violations = (*exchange.violations, *found)[:MOST_SHOWN]
        return told.sound or self.responses == "log"

    def collect(self, exchange: Exchange) -> None:
        """Read a bounded stream whole, so that it is an answer like any other."""
        stream, trouble = exchange.stream, disturbed(exchange, whole=True)
        assert stream is not None
        chunks = [trouble.begin()]
        while not (stream.over or trouble.cut):
            chunks.append(trouble.pass_on(stream.take()))
        exchange.answer = b"".join([*chunks, trouble.finish()])
        self.close(exchange, stream.over or "cut by a fault", 0.0)
        if stream.over == BROKEN:
            self._problem(exchange, "response-breaks-contract", "the next event would break the contract")

    def close(self, exchange: Exchange, why: str, seconds: float) -> None:
        """Write down that a stream is over, and why."""
        assert exchange.stream is not None
        self.broken += why == DEFECT
        exchange.reason = f"{CLOSED}{why}, after {exchange.stream.count} events"
        self.recorder.record(exchange, seconds, operation="")

    # ── what was asked before ────────────────────────────────────────────────────────────────────────────────────

    def _recall(self, exchange: Exchange) -> bool:
        """Answer a read that was asked before, by the same caller in the same words, while the rows are the same.

        It was matched, signed in, held against the contract and checked then; nothing that decided it has changed.
        Only the envelope is made anew when the time that it may tell is another.
        """
        if exchange.method != "GET" or exchange.body or exchange.too_large or exchange.world.faults:
            return False
        exchange.words = self._words(exchange)
        known = exchange.world.shown.get(exchange.words)
        if known is None:
            return False
        written = exchange.world.store.written()
        if known.checked != written:
            if known.stamps != exchange.world.stamps(known.sees):
                return False
            known.checked = written
        exchange.match, exchange.principal, exchange.outcome = known.answer
        exchange.operation, exchange.status, exchange.reason = exchange.match.operation, 200, exchange.outcome.reason
        if self.rules.limits:
            self._count(exchange)
        moment = exchange.world.instant // self.unit
        if known.moment != moment:
            self._wrap(exchange)
            known.moment, known.written = moment, (exchange.shape, exchange.answer, exchange.media)
        else:
            exchange.shape, exchange.answer, exchange.media = known.written
            exchange.extra.extend(exchange.outcome.headers)
        return True

    def _keep(self, exchange: Exchange) -> None:
        """Remember a good answer that rests on rows only; see ``_recall``."""
        if exchange.method != "GET" or exchange.body or exchange.status != 200 or exchange.violations:
            return
        if exchange.outcome is None or "wait" in exchange.wishes:
            return  # an order answered, not the rows; or a wait that is to be waited again
        binding = self.rules.bindings.get(exchange.operation.id) if exchange.match else None
        if binding is None or binding.sees is None or not (self.proofs or not exchange.operation.security):
            return
        if exchange.principal and exchange.principal.get("channel") in self.fleeting:
            return
        world = exchange.world
        if len(world.shown) >= MOST_SHOWN:
            world.shown.clear()
        answer = (exchange.match, exchange.principal, exchange.outcome)
        world.shown[exchange.words or self._words(exchange)] = Shown(binding.sees, world.stamps(binding.sees), answer)

    def _words(self, exchange: Exchange) -> tuple[Hashable, ...]:
        return (exchange.path, exchange.query, *exchange.carried(self.words))

    # ── the doors out ────────────────────────────────────────────────────────────────────────────────────────────

    def _leave(self, exchange: Exchange, refusal: Refusal) -> None:
        """The one door of all refusals: the provider's own status and body for the kind."""
        violations: list[Json] = [plain(each) if isinstance(each, Violation) else each for each in refusal.violations]
        scope = {**exchange.world.scope(), "method": exchange.method}
        if exchange.match:
            scope["request.path"] = exchange.match.path_values
        errors = self.rules.errors
        told = errors.body(scope, refusal.kind, refusal.detail, refusal.data, violations)
        exchange.status, exchange.media, exchange.shape = told
        exchange.answer = written(exchange.shape, exchange.media)
        exchange.reason = "not-modelled" if refusal.kind == "not_modelled" else f"refused: {refusal.kind}"
        exchange.violations = (
            tuple(each for each in refusal.violations if isinstance(each, Violation)) or exchange.violations
        )
        exchange.extra.extend({**errors.answers[refusal.kind].said(scope), **refusal.headers}.items())
        rule = self.rules.idempotency
        if rule and rule.failures and exchange.held and exchange.key:
            body, media = exchange.answer.decode(), exchange.media
            idempotency.keep(
                exchange.world, rule, exchange.call, exchange.key, status=exchange.status, body=body, media=media
            )
        if exchange.match is not None and refusal.kind not in UNDECLARED and not errors.own:
            found = exchange.operation.check_response(exchange.status, exchange.media, exchange.shape)
            if found:
                self._break(exchange, found)

    def _break(self, exchange: Exchange, found: tuple[Violation, ...]) -> None:
        """Our own answer breaks the contract: counted, and in strict mode not sent."""
        self.broken += 1
        exchange.violations = (*exchange.violations, *found)
        if self.responses == "strict":
            detail = f"the twin's answer ({exchange.status}) would break the contract: " + "; ".join(
                map(told, found[:5])
            )
            self._problem(exchange, "response-breaks-contract", detail)

    def _fail(self, exchange: Exchange, trace: str) -> None:
        self.broken += 1
        self._problem(exchange, "defect", trace.strip().splitlines()[-1])
        traceback.print_exc()

    def _problem(self, exchange: Exchange, kind: str, detail: str, status: int = 500) -> None:
        problem = {"type": f"urn:tasktwin:{kind}", "title": kind.replace("-", " "), "status": status, "detail": detail}
        exchange.status, exchange.media, exchange.reason = status, "application/problem+json", kind
        exchange.shape, exchange.answer = problem, dumps(problem)

    def _binding(self, exchange: Exchange) -> Binding:
        return self.rules.bindings[exchange.operation.id]
