"""The control plane: one world's rows, clock, triggers, journal and snapshots, over HTTP.

It obeys its own contract, ``control.json``, by the same means as any provider: matched, read and checked by it.
"""

import hmac
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import resources
from io import StringIO
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from tasktwin import __version__
from tasktwin.behaviour.fault import parse_faults
from tasktwin.behaviour.rules import Collection
from tasktwin.behaviour.world import Fired, Saved, World, canonical
from tasktwin.behaviour.worlds import DEFAULT, MOST_SNAPSHOTS, NAME, Plan, TooManyWorldsError, Worlds
from tasktwin.contract import Contract, Match, NoMethod, Reading, compile_contract
from tasktwin.errors import MisuseError, Refusal
from tasktwin.server.asgi import Receive, Scope, Send
from tasktwin.server.coverage import coverage, lifecycles, rows_by_state
from tasktwin.server.har import as_har, as_json
from tasktwin.server.journal_feed import FeedResponse, JournalFeed
from tasktwin.server.page import page
from tasktwin.server.pipeline import Pipeline
from tasktwin.server.preference import preferences
from tasktwin.server.stream import Hub
from tasktwin.server.transport import CONTROL, raw_path
from tasktwin.state import LATEST, Query, Row, format_instant, parse_instant
from tasktwin.wire import Json, dumps, loads

BODY_LIMIT = 1_048_576

WORLDLESS = frozenset({"getPage", "getHealth", "getContract", "listWorlds", "createWorld", "getWorld", "deleteWorld"})
"""Operations that act on no world, and so make none."""

TIMELESS = frozenset({"reset", "setClock", "restoreSnapshot"})
"""Operations that set the world's time themselves; all others see what time has done until now."""

LISTS = frozenset({"type", "maxItems"})
"""What a schema can find wrong with a body as a whole that could be read and ought to be a list."""


@cache
def control_document() -> Json:
    """The control plane's OpenAPI document."""
    return loads((resources.files("tasktwin.server") / "control.json").read_bytes())


@cache
def control_contract() -> Contract:
    """The same, compiled when the control plane is first used."""
    return compile_contract(control_document())


class ProblemError(Exception):
    """An answer that is a problem."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Json) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.more = more


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
        except Exception as error:  # noqa: BLE001 - a defect of the twin is told in the control plane's own words too
            traceback.print_exc()
            answer = problem(500, f"the twin has a defect: {type(error).__name__}: {error}")
        if request.method == "HEAD":
            answer.body = b""
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path, name = self._place(request)
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
        body = await _body(request)
        reading = found.operation.read(found.path_values, request.scope["query_string"], request.scope["headers"], body)
        if reading.violations:
            _explain(found.operation.id, reading)
            raise _unreadable(reading)
        handle: Callable[[Request, World | None, Reading], Response] = getattr(self, f"_on_{found.operation.id}")
        world = None if found.operation.id in WORLDLESS else self.worlds.get(name)
        if world and found.operation.id not in TIMELESS:
            world.tick()
        return handle(request, world, reading)

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

    # ── health and worlds ────────────────────────────────────────────────────────────────────────────────────────

    def _on_getPage(self, request: Request, _world: None, _reading: Reading) -> Response:  # noqa: N802
        base = f"{request.url.scheme}://{request.url.netloc}{self.prefix}"
        return HTMLResponse(page([self.pipeline.rules], [base]))

    def _on_getHealth(self, _request: Request, _world: None, _reading: Reading) -> Response:  # noqa: N802
        return answer(200, {"status": "ok", "version": __version__, "providers": [self.pipeline.rules.name]})

    def _on_getContract(self, _request: Request, _world: None, _reading: Reading) -> Response:  # noqa: N802
        return answer(200, control_document())

    def _on_listWorlds(self, request: Request, _world: None, _reading: Reading) -> Response:  # noqa: N802
        return answer(
            200, {"worlds": [self._told(request, world) for world in self.worlds], "limit": self.worlds.plan.limit}
        )

    def _on_createWorld(self, request: Request, _world: None, reading: Reading) -> Response:  # noqa: N802
        wish = reading.body or {}
        name = wish.get("name") or _free("world", len(self.worlds), self.worlds.find)
        if self.worlds.find(name):
            raise ProblemError(409, f"the world {name!r} exists already")
        plan, origin = self._origin(request, wish["from"]) if "from" in wish else (self.worlds.plan, None)
        given = {key: wish[key] for key in ("seeds", "seed", "mode") if key in wish}
        if "now" in wish:
            given["now"] = _instant(wish["now"])
        return answer(201, self._told(request, self.worlds.create(name, replace(plan, **given), origin)))

    def _origin(self, request: Request, name: str) -> tuple[Plan, Saved]:
        """A world as it is now, or a snapshot of the world that the request names; and how that world began."""
        here, other = self.worlds.find(self._place(request)[1]), self.worlds.find(name)
        saved = other.save() if other else here.snapshots.get(name) if here else None
        world = other or here
        if saved is None or world is None:
            raise ProblemError(404, f"there is no world and no snapshot {name!r}")
        began = world.beginning
        return replace(self.worlds.plan, seeds=began.seeds, seed=began.seed, mode=world.clock.mode, now=None), saved

    def _on_getWorld(self, request: Request, _world: None, reading: Reading) -> Response:  # noqa: N802
        return answer(200, self._told(request, self._existing(reading.path["name"])))

    def _on_deleteWorld(self, _request: Request, _world: None, reading: Reading) -> Response:  # noqa: N802
        self._existing(reading.path["name"])
        self.worlds.delete(reading.path["name"])
        return Response(status_code=204)

    def _on_reset(self, request: Request, world: World, _reading: Reading) -> Response:
        world.begin_again()
        return answer(200, self._told(request, world))

    def _existing(self, name: str) -> World:
        world = self.worlds.find(name)
        if world is None:
            raise ProblemError(404, f"there is no world {name!r}")
        return world

    def _told(self, request: Request, world: World) -> Json:
        root = f"{request.url.scheme}://{request.url.netloc}{self.prefix}{CONTROL}/worlds/{world.name}"
        return {
            "name": world.name,
            "base_url": f"{root}/api",
            "control_url": f"{root}/control",
            "seeds": world.beginning.seeds,
            "seed": world.beginning.seed,
            "now": format_instant(world.clock.now(), "microseconds"),
            "mode": world.clock.mode,
        }

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_getState(self, _request: Request, world: World, _reading: Reading) -> Response:  # noqa: N802
        sizes = world.store.sizes()
        return answer(200, {"collections": {name: sizes.get(name, 0) for name in self.pipeline.rules.collections}})

    def _on_listRows(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        name = self._collection(reading)
        query = Query(name)
        rows = world.store.find(query, reading.query["offset"], reading.query["limit"])
        return answer(200, {"items": rows, "total": world.store.count(query)})

    def _on_getRow(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        return answer(200, self._row(world, reading))

    def _on_putRow(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        collection = self.pipeline.rules.collections[self._collection(reading)]
        row: Row = {**collection.blank, **reading.body, collection.id_field: _key(collection, reading.path["id"])}
        unknown = sorted(set(reading.body) - set(collection.blank))
        if unknown:
            raise ProblemError(
                422, f"{collection.name} has no field {unknown[0]!r}; it has {', '.join(collection.blank)}"
            )
        _write_decimals(collection, row)
        if collection.schema:
            shown = {key: value for key, value in row.items() if key not in collection.private}
            shown |= {join.field: join.otherwise for join in collection.joins}
            found = collection.schema.check(shown)
            if found:
                told = [{"where": each.where, "pointer": each.pointer, "message": each.message} for each in found]
                raise ProblemError(
                    422, f"the row breaks the contract: {told[0]['pointer']}: {told[0]['message']}", violations=told
                )
        if fault := collection.fault(row):
            raise ProblemError(422, f"the row is not what the provider's data says: {fault}")
        with world.transaction():
            world.store.put(collection.name, str(row[collection.id_field]), row)
            world.arm(collection, row, world.instant)
        return answer(200, row)

    def _on_deleteRow(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        self._row(world, reading)
        world.store.delete(self._collection(reading), reading.path["id"])
        return Response(status_code=204)

    def _collection(self, reading: Reading) -> str:
        name: str = reading.path["collection"]
        if name not in self.pipeline.rules.collections:
            raise ProblemError(
                404, f"there is no collection {name!r}; there are {', '.join(self.pipeline.rules.collections)}"
            )
        return name

    def _row(self, world: World, reading: Reading) -> Row:
        row = world.store.get(self._collection(reading), reading.path["id"])
        if row is None:
            raise ProblemError(404, f"there is no {reading.path['collection']} {reading.path['id']!r}")
        return row

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_getClock(self, _request: Request, world: World, _reading: Reading) -> Response:  # noqa: N802
        return answer(200, self._time(world))

    def _on_setClock(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        wish, clock = reading.body, world.clock.copy()
        if "mode" in wish:
            clock.set_mode(wish["mode"])
        if "now" in wish:
            clock.set(_instant(wish["now"]))
        if "advance" in wish:
            clock.advance(round(wish["advance"] * 1_000_000))
        world.clock = clock
        fired = world.settle(clock.now())
        return answer(200, {**self._time(world), "fired": [_fired(each) for each in fired]})

    def _time(self, world: World) -> dict[str, Json]:
        world.tick()
        timers = world.store.timers()
        waiting = [
            {
                "due": format_instant(timer.due, "microseconds"),
                "lifecycle": timer.lifecycle,
                "id": timer.row,
                "transition": timer.name,
            }
            for timer in timers[:100]
            if timer.lifecycle and timer.due <= LATEST
        ]
        return {
            "now": format_instant(world.instant, "microseconds"),
            "mode": world.clock.mode,
            "timers": len(timers),
            "next": waiting,
        }

    def _on_fireTrigger(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        wish = reading.body
        return answer(200, world.trigger(reading.path["trigger"], wish["id"], wish.get("collection", "")))

    # ── what was seen ────────────────────────────────────────────────────────────────────────────────────────────

    def _on_getJournal(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        entries = world.journal.entries(**_filters(reading))
        return answer(200, {"entries": [as_json(entry) for entry in entries], "dropped": world.journal.dropped})

    def _on_clearJournal(self, _request: Request, world: World, _reading: Reading) -> Response:  # noqa: N802
        world.journal.clear()
        return Response(status_code=204)

    def _on_streamJournal(self, request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        wanted = {key: reading.query.get(key) for key in ("operation", "status")}
        _ = world.journal.entries(**wanted, limit=0)  # what is no status is refused before anything is sent
        seen = reading.header.get("last-event-id", reading.query.get("since"))
        position = world.journal.newest if seen is None else min(seen, world.journal.newest)
        bounded = preferences(request.scope["headers"]).get("stream") == "bounded"
        return FeedResponse(self.hub, JournalFeed(world, position, wanted, bounded))

    def _on_getHar(self, request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        origin = f"{request.url.scheme}://{request.url.netloc}{self.prefix}"
        file = StringIO()
        as_har(world.journal.entries(**_filters(reading)), origin, file)
        return Response(file.getvalue(), media_type="application/json")

    def _on_listLifecycles(self, _request: Request, world: World, _reading: Reading) -> Response:  # noqa: N802
        return answer(200, lifecycles(world))

    def _on_drawLifecycle(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        lifecycle = self.pipeline.rules.lifecycles.get(reading.path["name"])
        if lifecycle is None:
            known = ", ".join(self.pipeline.rules.lifecycles) or "none"
            raise ProblemError(404, f"there is no lifecycle {reading.path['name']!r}; there are {known}")
        taken = {label for owner, label in world.taken if owner == lifecycle.name}
        from tasktwin.diagram import svg  # noqa: PLC0415 - 10 ms that serving does not need

        return Response(svg(lifecycle, rows_by_state(world, lifecycle), taken), media_type="image/svg+xml")

    def _on_getCoverage(self, _request: Request, world: World, _reading: Reading) -> Response:  # noqa: N802
        return answer(200, coverage(world))

    # ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_getFaults(self, _request: Request, world: World, _reading: Reading) -> Response:  # noqa: N802
        return answer(200, world.faults.as_json())

    def _on_putFaults(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        world.faults.put(parse_faults(reading.body, self.pipeline.rules.contract.operations))
        return answer(200, world.faults.as_json())

    def _on_clearFaults(self, _request: Request, world: World, _reading: Reading) -> Response:  # noqa: N802
        world.faults.clear()
        return Response(status_code=204)

    # ── snapshots ────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_listSnapshots(self, _request: Request, world: World, _reading: Reading) -> Response:  # noqa: N802
        found = [
            {"name": name, "now": format_instant(saved.now, "microseconds")} for name, saved in world.snapshots.items()
        ]
        return answer(200, {"snapshots": found})

    def _on_takeSnapshot(self, _request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        name = (reading.body or {}).get("name") or _free("snapshot", len(world.snapshots), world.snapshots.get)
        assert NAME.fullmatch(name)
        if name not in world.snapshots and len(world.snapshots) >= MOST_SNAPSHOTS:
            raise ProblemError(409, f"a world keeps at most {MOST_SNAPSHOTS} snapshots")
        saved = world.snapshots[name] = world.save()
        return answer(201, {"name": name, "now": format_instant(saved.now, "microseconds")})

    def _on_restoreSnapshot(self, request: Request, world: World, reading: Reading) -> Response:  # noqa: N802
        saved = world.snapshots.get(reading.path["name"])
        if saved is None:
            known = ", ".join(world.snapshots) or "none"
            raise ProblemError(404, f"there is no snapshot {reading.path['name']!r}; there are {known}")
        world.restore(saved)
        return answer(200, self._told(request, world))


def answer(status: int, body: Json) -> Response:
    """A JSON answer."""
    return Response(dumps(body), status, media_type="application/json")


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Json) -> Response:
    """An RFC 9457 problem."""
    body = {"type": "urn:tasktwin:control", "title": "control plane", "status": status, "detail": detail, **more}
    return Response(dumps(body), status, headers, media_type="application/problem+json")


def _explain(operation: str, reading: Reading) -> None:
    """Say of an order of faults which entry is wrong and what was probably meant; a schema cannot."""
    if operation == "putFaults" and all(each.pointer or each.keyword in LISTS for each in reading.violations):
        parse_faults(reading.body)


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


def _free(stem: str, count: int, find: Callable[[str], object]) -> str:
    """``stem-N`` with the first number after ``count`` that nothing has yet."""
    return next(name for number in range(count + 1, 2 * count + 2) if not find(name := f"{stem}-{number}"))


def _key(collection: Collection, text: str) -> Json:
    """The identifier that a path names, as the collection's rows have it."""
    is_number = collection.make_id == "number" and text.isascii() and text.isdecimal() and len(text) < 16
    return int(text) if is_number and str(int(text)) == text else text


def _write_decimals(collection: Collection, row: Row) -> None:
    """Decimals as they are kept. Where no schema says which may be null, none may."""
    missing = [name for name in collection.decimals if row.get(name) is None and collection.schema is None]
    if missing:
        raise ProblemError(422, f"{collection.name} needs the decimal {' and '.join(missing)}")
    try:
        canonical(row, collection)
    except Refusal as refusal:
        raise ProblemError(422, refusal.detail) from None


def _instant(text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise ProblemError(400, str(error)) from None


def _filters(reading: Reading) -> dict[str, Any]:
    return {key: reading.query.get(key) for key in ("operation", "status", "since", "limit")}


def _fired(each: Fired) -> Json:
    return {
        "at": format_instant(each.instant, "microseconds"),
        "collection": each.collection,
        "id": each.row,
        "transition": each.transition,
    }
