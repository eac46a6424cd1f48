"""One request, readable in one place: the steps that every request takes, in order.

The world's time is set first. From there on nothing waits, so that a request is one transaction: of two that race,
the second sees what the first did. Whoever refuses raises ``Refusal``; all leave through one door.
"""

import traceback
from collections.abc import Callable
from typing import Literal
from urllib.parse import unquote_plus

from tasktwin.behaviour import idempotency
from tasktwin.behaviour.perform import perform
from tasktwin.behaviour.rules import Binding, Rules
from tasktwin.behaviour.sign_in import identify
from tasktwin.contract import Match, NoMethod, Violation
from tasktwin.errors import Refusal
from tasktwin.server.exchange import Exchange
from tasktwin.state import REDACTED, elapsed
from tasktwin.wire import Json, dumps

Responses = Literal["strict", "log"]

SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


class Pipeline:
    """Answers the requests of one provider. ``broken`` counts the answers that would have broken the contract."""

    def __init__(self, rules: Rules, responses: Responses = "strict") -> None:
        self.rules = rules
        self.responses = responses
        self.broken = 0
        self.steps: list[Callable[[Exchange], None]] = [getattr(self, f"_{name}") for name in rules.steps]
        own = {scheme.key for scheme in rules.contract.schemes.values() if scheme.location == "header"}
        self.secret = frozenset(name.encode() for name in SECRET | own)
        self.secret_query = frozenset(scheme.key for scheme in rules.contract.schemes.values() if scheme.location == "query")

    def answer(self, exchange: Exchange) -> None:
        """Fill in the answer. Never raises: what goes wrong in the twin itself becomes a 500 that says so."""
        started = elapsed()
        try:
            try:
                exchange.world.tick()
                for step in self.steps:
                    step(exchange)
                    if exchange.replayed:
                        break
            except Refusal as refusal:
                self._leave(exchange, refusal)
        except Exception:  # noqa: BLE001 - a defect of the twin must not look like the API
            self._fail(exchange, traceback.format_exc())
        self._record(exchange, elapsed() - started)

    # ── the steps ────────────────────────────────────────────────────────────────────────────────────────────────

    def _match(self, exchange: Exchange) -> None:
        found = self.rules.contract.match(exchange.method, exchange.path)
        if isinstance(found, Match):
            exchange.match = found
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

    def _authenticate(self, exchange: Exchange) -> None:
        exchange.principal = identify(exchange.world, exchange.operation, exchange.credential)

    def _replay(self, exchange: Exchange) -> None:
        rule, operation = self.rules.idempotency, exchange.operation
        if rule is None or operation.method not in rule.methods:
            return
        reading = exchange.read
        exchange.key = idempotency.find_key(rule, operation.method, operation.id, reading.header, reading.body)
        if exchange.key is None:
            return
        row = idempotency.recall(exchange.world, exchange.call, exchange.key)
        if row is not None:
            exchange.status, exchange.answer, exchange.media = row["status"], row["body"].encode(), row["media"]
            exchange.reason, exchange.replayed = "replay", True

    def _check_request(self, exchange: Exchange) -> None:
        violations = exchange.read.violations
        if not violations:
            return
        exchange.violations = violations
        binding = self.rules.bindings.get(exchange.operation.id)
        if binding and binding.verb == "rpc" and all(each.where == "body" and each.keyword != "media-type" for each in violations):
            return
        first = violations[0]
        detail = "; ".join(_told(each) for each in violations[:5])
        if any(each.keyword == "media-type" for each in violations):
            raise Refusal("unsupported_media_type", detail, violations)
        if first.where == "body" and first.keyword in ("json", "encoding"):
            raise Refusal("malformed", detail, violations)
        raise Refusal("invalid", detail, violations)

    def _perform(self, exchange: Exchange) -> None:
        outcome = exchange.outcome = perform(exchange.world, exchange.call)
        if outcome.refusal is not None:
            raise outcome.refusal
        exchange.status, exchange.reason = outcome.status or 200, outcome.reason

    def _wrap(self, exchange: Exchange) -> None:
        outcome, wrap = exchange.outcome, self.rules.wrap
        assert outcome is not None
        exchange.shape = outcome.body
        if exchange.status == 204:
            return
        if wrap is not None and self._binding(exchange).wrap:
            scope = exchange.world.scope()
            scope["response.body"] = outcome.body
            exchange.shape = wrap(scope)
        exchange.answer = dumps(exchange.shape)

    def _check_response(self, exchange: Exchange) -> None:
        if exchange.status == 204:
            found = exchange.operation.check_response(204, "", None)
        else:
            found = exchange.operation.check_response(exchange.status, exchange.media, exchange.shape)
        if found:
            self._break(exchange, found)

    def _remember(self, exchange: Exchange) -> None:
        rule = self.rules.idempotency
        if rule and exchange.key and exchange.status < 400 and self._binding(exchange).verb != "rpc":
            body = exchange.answer.decode()
            idempotency.keep(
                exchange.world, rule, exchange.call, exchange.key, status=exchange.status, body=body, media=exchange.media
            )

    # ── the doors out ────────────────────────────────────────────────────────────────────────────────────────────

    def _leave(self, exchange: Exchange, refusal: Refusal) -> None:
        """The one door of all refusals: the provider's own status and body for the kind."""
        violations: list[Json] = [_plain(each) for each in refusal.violations]
        scope = exchange.world.scope()
        errors = self.rules.errors
        exchange.status, exchange.shape = errors.body(scope, refusal.kind, refusal.detail, refusal.data, violations)
        exchange.media, exchange.answer = errors.media, dumps(exchange.shape)
        exchange.reason = "not-modelled" if refusal.kind == "not_modelled" else f"refused: {refusal.kind}"
        exchange.violations = refusal.violations or exchange.violations
        exchange.extra.extend(refusal.headers.items())
        if exchange.match is not None and refusal.kind != "not_modelled" and not errors.own:
            found = exchange.operation.check_response(exchange.status, exchange.media, exchange.shape)
            if found:
                self._break(exchange, found)

    def _break(self, exchange: Exchange, found: tuple[Violation, ...]) -> None:
        """Our own answer breaks the contract: counted, and in strict mode not sent."""
        self.broken += 1
        exchange.violations = (*exchange.violations, *found)
        if self.responses == "strict":
            detail = f"the twin's answer ({exchange.status}) would break the contract: " + "; ".join(map(_told, found[:5]))
            self._problem(exchange, "response-breaks-contract", detail)

    def _fail(self, exchange: Exchange, trace: str) -> None:
        self.broken += 1
        self._problem(exchange, "defect", trace.strip().splitlines()[-1])
        traceback.print_exc()

    def _problem(self, exchange: Exchange, kind: str, detail: str) -> None:
        problem = {"type": f"urn:tasktwin:{kind}", "title": kind.replace("-", " "), "status": 500, "detail": detail}
        exchange.status, exchange.media, exchange.reason = 500, "application/problem+json", kind
        exchange.shape, exchange.answer = problem, dumps(problem)

    # ── bookkeeping ──────────────────────────────────────────────────────────────────────────────────────────────

    def _record(self, exchange: Exchange, seconds: float) -> None:
        world, match = exchange.world, exchange.match
        operation = match.operation.id if match else ""
        world.answered[operation, exchange.status] += 1
        world.journal.record(
            instant=world.instant,
            world=world.name,
            method=exchange.method,
            path=f"{exchange.path}?{self._query(exchange)}" if exchange.query else exchange.path,
            operation=operation,
            principal=str(exchange.principal["name"]) if exchange.principal else "",
            status=exchange.status,
            reason=exchange.reason,
            seconds=seconds,
            request_headers=tuple(
                [
                    (name.decode("latin-1"), REDACTED if name in self.secret else value.decode("latin-1"))
                    for name, value in exchange.headers
                ]
            ),
            request_body=exchange.body,
            response_headers=(("content-type", exchange.media), *exchange.extra),
            response_body=exchange.answer,
            violations=tuple([_plain(each) for each in exchange.violations]),
        )

    def _query(self, exchange: Exchange) -> str:
        """The query as it was sent, but for credentials."""
        query = exchange.query.decode("latin-1")
        if not self.secret_query:
            return query
        pairs = [(pair, pair.partition("=")[0]) for pair in query.split("&")]
        return "&".join(f"{name}={REDACTED}" if unquote_plus(name) in self.secret_query else pair for pair, name in pairs)

    def _binding(self, exchange: Exchange) -> Binding:
        return self.rules.bindings[exchange.operation.id]


def _told(violation: Violation) -> str:
    place = violation.pointer or ("the body" if violation.where == "body" else violation.where)
    return f"{place}: {violation.message}"


def _plain(violation: Violation) -> Json:
    return {
        "where": violation.where,
        "pointer": violation.pointer,
        "keyword": violation.keyword,
        "message": violation.message,
        "expected": violation.expected,
        "actual": violation.actual,
    }
