"""How Schemathesis's requests reach the deployment: through the target, like everybody else's."""

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from http.client import responses
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from schemathesis.core.transport import Response, is_event_stream
from schemathesis.engine.run.unit._case import BudgetExpired
from schemathesis.generation.case import Case
from schemathesis.generation.overrides import Override
from schemathesis.transport.requests import REQUESTS_TRANSPORT, RequestsTransport

from tasktwin.errors import MisuseError
from tasktwin.suite.budget import SpentError
from tasktwin.suite.finding import Line
from tasktwin.suite.target import Target, UnreachableError
from tasktwin.suite.traffic import NOBODY, Reply, Request

BOUNDED = "stream=bounded"
"""What a deployment is asked to prefer, so that a body which is read to its end has one."""

_NOT_OURS = frozenset({"user-agent", "accept-encoding", "connection", "content-length", "x-schemathesis-testcaseid"})
"""Headers that say who sends rather than what; the target has its own."""


class TargetTransport(RequestsTransport):
    """Sends each case through ``target`` and keeps what was sent and what came, by the case's id, in ``lines``.

    ``operation_of`` names the operation of a method and a path template; ``answered`` counts the answers of each. When the run must end, ``ended`` is why, and
    ``give_up`` is called once; the engine then winds down and keeps what it found.
    """

    def __init__(
        self, target: Target, operation_of: Callable[[str, str], str], answered: Counter[tuple[str, int]]
    ) -> None:
        super().__init__()
        self._copy_serializers_from(REQUESTS_TRANSPORT)
        self.target = target
        self.operation_of = operation_of
        self.answered = answered
        self.callers = [*target.callers.headers]
        self.scenario_as = ""
        self.lines: dict[str, Line] = {}
        self.doubted: set[str] = set()
        self.ended: SpentError | UnreachableError | None = None
        self.give_up: Callable[[], None] = lambda: None

    def send(self, case: Case[Any], *, session: requests.Session | None = None, **kwargs: Any) -> Response:
        """Send a case. Raises what makes the engine end when the budget is spent or the target is gone."""
        del session
        given = {name: kwargs.get(name) for name in ("base_url", "headers", "params", "cookies")}
        prepared = requests.Request(**self.serialize_case(case, **given)).prepare()
        request = self._request(case, prepared)
        reply = self._ask(request, prepared)
        if is_broken(reply) and request.operation not in self.doubted:
            self.doubted.add(request.operation)
            reply = self._ask(request, prepared)
        self.lines[case.id] = Line(request, reply)
        return _response(prepared, reply, Override.from_send_kwargs(kwargs))

    def caller_of(self, case: Case[Any]) -> str:
        """Who sends a case: the scenario's caller, else one by what the case asks; the same for the same case.

        The first caller comes every second time: the one that providers name first may do most.
        """
        if not case._has_explicit_auth or not self.callers:  # noqa: SLF001 - the mark that a probe without sign-in lacks
            return NOBODY
        if self.scenario_as:
            return self.scenario_as
        asked = repr((case.operation.label, case.path_parameters, case.query, case.body)).encode("utf-8", "replace")
        mark = int.from_bytes(blake2b(asked, digest_size=8).digest(), "big") % (2 * len(self.callers))
        return self.callers[mark] if mark < len(self.callers) else self.callers[0]

    def _request(self, case: Case[Any], prepared: requests.PreparedRequest) -> Request:
        caller = self.caller_of(case)
        own = {name.lower() for name in self.target.callers.headers.get(caller, {})} | _NOT_OURS
        headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
        headers = {name: value for name, value in headers.items() if name not in own}
        headers.setdefault("prefer", BOUNDED)
        path = prepared.path_url.removeprefix(urlsplit(self.target.url).path)
        method = str(prepared.method)
        return Request(
            method,
            path if path.startswith("/") else f"/{path}",
            caller,
            headers,
            _bytes(prepared.body),
            self.operation_of(method, case.path),
        )

    def _ask(self, request: Request, prepared: requests.PreparedRequest) -> Reply:
        if self.ended is not None:
            raise BudgetExpired
        try:
            reply = self.target.send(request)
        except (SpentError, UnreachableError) as error:
            self.ended = error
            self.give_up()
            raise BudgetExpired from error
        except MisuseError as error:
            raise requests.exceptions.InvalidURL(str(error), request=prepared) from error
        self.answered[request.operation, reply.status] += 1
        return reply


def _bytes(body: object) -> bytes:
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def is_broken(reply: Reply) -> bool:
    """Whether no whole answer came, though it is no stream, which may be left in the middle."""
    return reply.cut and not (reply.status and is_event_stream(reply.media))


def _response(prepared: requests.PreparedRequest, reply: Reply, override: Override | None) -> Response:
    return Response(
        status_code=reply.status,
        headers={name: [value] for name, value in reply.headers.items()},
        content=reply.body,
        request=prepared,
        elapsed=reply.seconds,
        verify=False,
        message=responses.get(reply.status, ""),
        encoding=get_encoding_from_headers(CaseInsensitiveDict(reply.headers)),
        stream_cut_short=reply.cut,
        _override=override,
    )
