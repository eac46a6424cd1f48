"""The control plane: one world's rows, clock, triggers, journal and snapshots, over HTTP.

It obeys its own contract, ``control.json``, by the same means as any provider: matched, read and checked by it.
"""

import hmac
import traceback

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tasktwin.behaviour.fault import parse_faults
from tasktwin.behaviour.order import hint, quoted
from tasktwin.behaviour.worlds import DEFAULT, Worlds
from tasktwin.contract import Match, NoMethod, Operation, Reading
from tasktwin.errors import ConflictError, MisuseError, Refusal, TooManyWorldsError, UnavailableError
from tasktwin.exchange.pipeline import Pipeline
from tasktwin.server.asgi import Receive, Scope, Send
from tasktwin.server.control import orders, rows, seen, time, tokens, worlds
from tasktwin.server.control.call import Call, Handler, ProblemError, problem
from tasktwin.server.control.contract import control_contract
from tasktwin.server.control.guard import check_sender
from tasktwin.server.stream import Hub
from tasktwin.server.transport import CONTROL, raw_path

BODY_LIMIT = 1_048_576

WORLDLESS = frozenset({"getPage", "getHealth", "getContract", "listWorlds", "createWorld", "getWorld", "deleteWorld"})
"""Operations that act on no world, and so make none."""

TIMELESS = frozenset({"reset", "setClock", "restoreSnapshot"})
"""Operations that set the world's time themselves; all others see what time has done until now."""

LISTS = frozenset({"type", "maxItems"})
"""What a schema can find wrong with a body as a whole that could be read and ought to be a list."""


HANDLERS: dict[str, Handler] = {
    **worlds.ROUTES,
    **rows.ROUTES,
    **time.ROUTES,
    **seen.ROUTES,
    **orders.ROUTES,
    **tokens.ROUTES,
}
"""What answers each operation of the contract."""


class Control:
    """The control plane of one provider. With a ``token`` every call must carry it as a bearer token."""

    def __init__(self, pipeline: Pipeline, worlds: Worlds, hub: Hub, prefix: str = "", token: str = "") -> None:
        self.pipeline = pipeline
        self.hub = hub
        self.worlds = worlds
        self.prefix = prefix
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except ClientDisconnect:
            return
        except ProblemError as error:
            answer = problem(error.status, error.detail, error.headers, **error.more)
        except TooManyWorldsError as error:
            answer = problem(503, str(error))
        except MisuseError as error:
            answer = problem(400, str(error))
        except Refusal as error:
            answer = problem(409, str(error))
        except (UnavailableError, ConflictError) as error:
            answer = problem(503, f"the store that is shared cannot be used now, try again: {error}")
        except Exception as error:  # noqa: BLE001 - a defect of the twin is told in the control plane's own words too
            traceback.print_exc()
            answer = problem(500, f"the twin has a defect: {type(error).__name__}: {error}")
        if request.method == "HEAD":
            answer.body = b""
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path, name = self._place(request)
        if path != f"{CONTROL}/health":  # whoever waits for it may call it anything, and it tells nothing
            check_sender(request.scope, has_token=bool(self.token))
        found = control_contract().match(request.method, path)
        if isinstance(found, NoMethod):
            allowed = ", ".join(found.allowed)
            if request.method == "OPTIONS":
                return Response(status_code=204, headers={"allow": allowed})
            raise ProblemError(405, f"this route takes {allowed}", {"allow": allowed})
        if not isinstance(found, Match):
            raise ProblemError(
                404, f"the control plane has no route {path}; GET {self.prefix}{CONTROL}/openapi.json lists them"
            )
        if self.token and found.operation.id != "getHealth":
            self._check_token(request)
        _check_query(found.operation, request)
        body = await _body(request)
        reading = found.operation.read(found.path_values, request.scope["query_string"], request.scope["headers"], body)
        if reading.violations:
            _explain(found.operation.id, reading)
            raise _unreadable(reading)
        world = None if found.operation.id in WORLDLESS else self.worlds.get(name)
        call = Call(request, reading, name, world, self.worlds, self.pipeline, self.hub, self.prefix)
        return _act(found.operation.id, call)

    def _place(self, request: Request) -> tuple[str, str]:
        """The route's path, and the world that it acts on: named by the path, by the header, or the default one."""
        path = raw_path(request.scope).removeprefix(self.prefix)
        by_path, _, rest = path.removeprefix(f"{CONTROL}/worlds/").partition("/")
        if path.startswith(f"{CONTROL}/worlds/") and (rest == "control" or rest.startswith("control/")):
            return CONTROL + (rest.removeprefix("control") or "/"), by_path
        return path, request.headers.get("tasktwin-world", DEFAULT)

    def _check_token(self, request: Request) -> None:
        word, _, given = request.headers.get("authorization", "").partition(" ")
        if word.lower() != "bearer" or not hmac.compare_digest(given.encode(), self.token.encode()):
            raise ProblemError(
                401,
                "the control plane needs the token that was given or printed when the twin started: Authorization: Bearer TOKEN",
                {"www-authenticate": "Bearer"},
            )


def _act(operation: str, call: Call) -> Response:
    """Do what the operation does, as one with all who share the world."""
    world, handle = call.acted_on, HANDLERS[operation]
    if world is None:
        return handle(call)
    if operation in seen.ROUTES:
        world.look()

    def act() -> Response:
        if operation not in TIMELESS:
            world.tick()
        return handle(call)

    return world.agree(act)


def _check_query(operation: Operation, request: Request) -> None:
    """Whoever misspells a filter would be answered with everything. Raises ``ProblemError``."""
    known = [each.name for each in operation.declared if each.where == "query"]
    for name in request.query_params:
        if name not in known:
            told = hint(name, known) if known else "This route takes none"
            raise ProblemError(400, f"there is no query parameter {quoted(name)}. {told}")


def _explain(operation: str, reading: Reading) -> None:
    """Say of an order of faults which entry is wrong and what was probably meant; a schema cannot."""
    if operation == "putFaults" and all(each.pointer or each.keyword in LISTS for each in reading.violations):
        parse_faults(reading.body)
    if operation == "createWorld" and any(each.pointer.startswith("/faults") for each in reading.violations):
        parse_faults(reading.body["faults"], pointer="/faults")


def _unreadable(reading: Reading) -> ProblemError:
    told = [{"where": each.where, "pointer": each.pointer, "message": each.message} for each in reading.violations]
    status = 415 if any(each.keyword == "media-type" for each in reading.violations) else 400
    detail = "; ".join(f"{each['pointer'] or each['where']}: {each['message']}" for each in told)
    if status == 415:
        detail += ". Send Content-Type: application/json"
    return ProblemError(status, detail, violations=told)


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            raise ProblemError(413, f"the body is larger than {BODY_LIMIT} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
