"""What is written down of each exchange, without its credentials."""

from urllib.parse import unquote_plus

from tasktwin.behaviour.rules import Rules
from tasktwin.behaviour.world import JOURNAL
from tasktwin.contract import Violation
from tasktwin.exchange.exchange import Exchange
from tasktwin.state import REDACTED
from tasktwin.state.journal import Note
from tasktwin.wire import Json

SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_HIDDEN = REDACTED.encode()


class Recorder:
    """Knows where a provider's credentials stand, and leaves them out."""

    def __init__(self, rules: Rules) -> None:
        schemes = rules.contract.schemes.values()
        own = {scheme.key for scheme in schemes if scheme.location == "header"}
        self.secret = frozenset(name.encode() for name in SECRET | own)
        self.secret_query = frozenset(scheme.key for scheme in schemes if scheme.location == "query")

    def record(self, exchange: Exchange, seconds: float, operation: str | None = None) -> None:
        """Write an exchange down. With an ``operation`` it is the end of a stream, which is not counted."""
        world, match, secret = exchange.world, exchange.match, self.secret
        if operation is None:
            operation = match.operation.id if match else ""
            if exchange.cut != -1:
                world.answered[operation, exchange.status] += 1
        note = Note(  # by place, for the sake of time
            world.instant,
            world.name,
            exchange.method,
            f"{exchange.path}?{self._query(exchange)}" if exchange.query else exchange.path,
            exchange.status,
            operation,
            exchange.caller,
            exchange.reason,
            seconds,
            [(pair[0], _HIDDEN) if pair[0] in secret else pair for pair in exchange.headers],
            exchange.body,
            exchange.media,
            exchange.extra,
            exchange.answer,
            tuple([plain(each) for each in exchange.violations]) if exchange.violations else (),
            exchange.trouble,
        )
        world.journal.note(note)
        if world.watched:
            world.news.add(JOURNAL)

    def _query(self, exchange: Exchange) -> str:
        """The query as it was sent, but for credentials."""
        query = exchange.query.decode("latin-1")
        if not self.secret_query:
            return query
        pairs = [(pair, pair.partition("=")[0]) for pair in query.split("&")]
        return "&".join(
            f"{name}={REDACTED}" if unquote_plus(name) in self.secret_query else pair for pair, name in pairs
        )


def plain(violation: Violation) -> Json:
    """A violation as JSON."""
    return {
        "where": violation.where,
        "pointer": violation.pointer,
        "keyword": violation.keyword,
        "message": violation.message,
        "expected": violation.expected,
        "actual": violation.actual,
    }


def all_told(violations: tuple[Violation, ...]) -> str:
    """The first violations in words."""
    return "; ".join(told(each) for each in violations[:5])


def told(violation: Violation) -> str:
    """A violation in words."""
    place = violation.pointer or ("the body" if violation.where == "body" else violation.where)
    return f"{place}: {violation.message}"
