"""What a twin has seen: its world's journal, and which requests of it break the contract."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tasktwin.wire import Json, dumps

if TYPE_CHECKING:
    from tasktwin.contract import Contract, Violation

__tracebackhide__ = True  # of what goes wrong here, pytest shows the line in the test
MOST = 10_000
"""So many entries the control plane gives at once."""

MOST_TOLD = 20
"""So many wrong requests are told."""

LONGEST = 300
"""Characters of an answer that is quoted."""

REDACTED = "[redacted]"
OURS = ("response", "response-header")
"""Where the twin, not the client, broke the contract."""

UNKNOWN = {
    "refused: no_such_path": "the contract has no such path",
    "refused: method_not_allowed": "the contract has this path, but not with this method",
}
UNREAD = {
    "refused: malformed": "the body cannot be read",
    "refused: unparsable": "the body cannot be taken apart",
    "refused: unsupported_media_type": "the contract has no such media type here",
}
AGAINST_RULES = "refused: invalid"


class Seen:
    """The journal of one world. Wrong requests stay known when it is cleared."""

    def __init__(self, ask: Callable[..., Json], contract: "Contract") -> None:
        self._ask = ask
        self._contract = contract
        self._number = 0
        self._wrong: list[str] = []

    def entries(
        self,
        operation: str | None = None,
        status: int | str | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> list[Json]:
        """What was asked and answered, oldest first, each as the control plane tells it.

        ``operation`` is a glob, ``status`` a status or a class such as ``4xx``, ``since`` the number after which to
        begin. Raises ``MisuseError`` for what is none of that.
        """
        query = {"operation": operation, "status": status, "since": since, "limit": limit or MOST}
        return list(self._ask("GET", "/journal", **query)["entries"])

    def count(self, operation: str | None = None, status: int | str | None = None) -> int:
        """How many exchanges match."""
        return len(self.entries(operation, status))

    def clear(self) -> None:
        """Forget what was seen."""
        self.wrong()
        self._ask("DELETE", "/journal")

    def begin_again(self) -> None:
        """The world was reset, and numbers its entries anew."""
        self._number = 0

    def wrong(self) -> str:
        """The requests so far that break the contract, each with what is wrong and where; empty if none does."""
        for entry in self.entries(since=self._number):
            self._number = entry["number"]
            if found := [*_breaches(entry, self._contract)]:
                self._wrong.append("\n".join([_headline(entry), *(f"    {each}" for each in found)]))
        more = len(self._wrong) - MOST_TOLD
        return "\n".join(self._wrong[:MOST_TOLD] + ([f"and {more} more"] if more > 0 else []))


def _headline(entry: Json) -> str:
    who = f" as {entry['principal']}" if entry["principal"] else ""
    what = f" {entry['operation']}" if entry["operation"] else ""
    return f"{entry['method']} {entry['path']}{what}{who}, answered {entry['status']} (journal entry {entry['number']})"


def _breaches(entry: Json, contract: "Contract") -> Iterator[str]:
    """What is wrong with a request, a line each."""
    reason = entry["reason"]
    if reason in UNKNOWN:
        yield UNKNOWN[reason]
        return
    told = [each for each in entry["violations"] if each["where"] not in OURS]
    if told:
        yield from (_line(each["where"], each["pointer"], each["message"], each["keyword"]) for each in told)
    elif reason in UNREAD or reason == AGAINST_RULES:
        found = [_line(each.where, each.pointer, each.message, each.keyword) for each in _read_anew(entry, contract)]
        yield from found or ([f"{UNREAD[reason]}: {_quoted(entry)}"] if reason in UNREAD else [])


def _line(where: str, pointer: str, message: str, keyword: str) -> str:
    return f"{where} {pointer or '/'}: {message} [{keyword}]"


def _read_anew(entry: Json, contract: "Contract") -> "list[Violation]":
    """What the contract finds in a request that a framework's own checks refused.

    They tell what they find in their own way, which the journal does not keep; and they refuse also what no contract
    says. Of secrets the journal keeps nothing, so nothing is said of them.
    """
    from tasktwin.contract import Match  # noqa: PLC0415 - rarely needed

    path, _, query = entry["path"].partition("?")
    found = contract.match(entry["method"], path)
    if not isinstance(found, Match):
        return []
    headers, body = entry["request"]["headers"], entry["request"]["body"]
    hidden = tuple([f"/{name}" for name, value in headers if value == REDACTED])
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    sent = body.encode() if isinstance(body, str) else b"" if body is None else dumps(body)
    read = found.operation.read(found.path_values, query.encode("latin-1"), raw, sent)
    return [each for each in read.violations if REDACTED not in str(each.actual) and each.pointer not in hidden]


def _quoted(entry: Json) -> str:
    body = entry["response"]["body"]
    text = body if isinstance(body, str) else dumps(body).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
