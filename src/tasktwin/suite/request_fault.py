"""How the provider itself would read a request: what it finds wrong with it, and where that is known from."""

from collections.abc import Sequence

from tasktwin.behaviour.asked import Asked
from tasktwin.contract import Match, Violation
from tasktwin.provider import Provider
from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis
from tasktwin.suite.traffic import Request


def faults(provider: Provider, request: Request) -> tuple[Violation, ...]:
    """What is wrong with a request by the contract; nothing where the provider is known to read it all the same.

    Frameworks convert (``false`` is a number to some), and JSON-RPC answers for its own bodies.
    """
    rules = provider.rules
    path, _, query = request.path.partition("?")
    match = rules.contract.match(request.method, path)
    if not isinstance(match, Match):
        return ()
    operation, headers = match.operation, [(k.encode(), v.encode("latin-1")) for k, v in request.headers.items()]
    media = request.headers.get("content-type", "")
    found: tuple[Violation, ...] = operation.read(match.path_values, query.encode(), headers, request.body).violations
    if rules.dialect is not None:
        asked = Asked(operation, match.path_values, query.encode(), media, request.body)
        return found if rules.dialect(asked).faults else ()
    binding = rules.bindings.get(operation.id)
    if binding and binding.verb == "rpc" and all(_rpc_tells(each) for each in found):
        return ()
    return found


def basis_of_faults(provider: Provider, operation: str, found: Sequence[Violation]) -> Basis | None:
    """What it contradicts to take a request with these faults: the best known of them; ``None`` without any."""
    marks = {certainty.request_mark(provider, operation, each.where, each.pointer): each for each in reversed(found)}
    mark = certainty.surest(marks)
    return certainty.basis_of(provider, mark, str(marks[mark])) if mark else None


def _rpc_tells(violation: Violation) -> bool:
    return violation.where == "body" and violation.keyword != "media-type"
