"""The composition root: providers in, one ASGI application out."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tasktwin import __version__
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.errors import DeniedError, MisuseError, UnavailableError
from tasktwin.exchange.pipeline import Pipeline, Responses
from tasktwin.provider import Provider, load
from tasktwin.server.asgi import App, Receive, Scope, Send
from tasktwin.server.control.call import ProblemError, answer, problem
from tasktwin.server.control.guard import check_sender
from tasktwin.server.control.page import page
from tasktwin.server.control.plane import Control
from tasktwin.server.cors import Cors
from tasktwin.server.stream import PATIENCE, Hub
from tasktwin.server.transport import CONTROL, Listener, ProviderApp, is_preflight, named_by, raw_path

if TYPE_CHECKING:
    from tasktwin.server.herald import Herald
    from tasktwin.server.turns import Turns
    from tasktwin.state.redis_link import RedisLink


MEMORY = "memory"
"""The store that nobody shares."""


@dataclass(slots=True)
class Application:
    """What ``create_app`` makes: ASGI, with the parts in reach of whoever runs it."""

    apps: tuple[ProviderApp, ...]
    landing: App
    cors: Cors
    link: "RedisLink | None" = None
    by_prefix: dict[str, ProviderApp] = field(init=False)

    def __post_init__(self) -> None:
        """Find an application by the first segment of the path."""
        self.by_prefix = {app.prefix: app for app in self.apps}

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every exchange once it is answered."""
        for app in self.apps:
            app.listeners.append(listener)

    def trouble(self) -> str:
        """What is wrong with the store that is shared; "" if nothing is. Raises ``MisuseError`` if that will not pass."""
        if self.link is None:
            return ""
        try:
            self.link.check()
            for app in self.apps:
                app.worlds.get().agree(lambda: None)
        except DeniedError as error:
            raise MisuseError(
                f"{_unended(error)}. Name one that may: --store redis://USER:PASSWORD@HOST:PORT, with all commands, and keys and channels that begin with tasktwin:"
            ) from None
        except UnavailableError as error:
            return f"{_unended(error)}. Until that is mended, requests are answered with 503"
        return ""

    def close(self) -> None:
        """Let all open streams end, so that the server can stop."""
        for app in self.apps:
            app.hub.close()

    def is_quick(self, scope: Scope) -> bool:
        """Whether a request is for an API, which never makes one wait for long; not for the control plane or a page."""
        path: str = scope["path"]
        if "" not in self.by_prefix:
            prefix = "/" + path.removeprefix("/").partition("/")[0]
            if prefix not in self.by_prefix:
                return False
            path = path.removeprefix(prefix)
        return not path.startswith(CONTROL) or not named_by(path)[2]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or play the lifespan."""
        if scope["type"] == "http":
            if app := self.by_prefix.get(""):
                await app(scope, receive, send)
                return
            first = "/" + raw_path(scope).removeprefix("/").partition("/")[0]
            if app := self.by_prefix.get(first):
                await app(scope, receive, send)
                return
            origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
            if origin is not None and first not in ("/", CONTROL):
                send = self.cors.sharing(origin, send)
                if await is_preflight(self.cors, scope, origin, send):
                    return
        await self.landing(scope, receive, send)


def create_app(
    *providers: Provider | str,
    plan: Plan | None = None,
    responses: Responses = "strict",
    control_token: str = "",
    mounted: bool | None = None,
    patience: float = PATIENCE,
    cors: Sequence[str] | str | None = None,
    store: str = "",
) -> Application:
    """The twin of one or several APIs as an ASGI application.

    A text is a bundled name or a folder, which is loaded. One provider is served at the root, several (or one with ``mounted``) each under ``/<name>``. Who reads a stream
    and takes in nothing for ``patience`` seconds is dropped. ``cors`` are the origins whose web pages may read the API's
    answers: ``None`` those of this machine, else as browsers write them, ``*`` for any or ``none``. ``store`` is ``memory``
    or the URL of a Redis, in which all applications that name it share their worlds; if nothing is said, it is what
    the environment variable ``TASKTWIN_STORE`` says, else ``memory``. Raises
    ``MisuseError`` when one lacks the seeds, two have one name, an origin is none, or the store is none.
    """
    if not providers:
        raise MisuseError("there is nothing to serve: give at least one provider")
    loaded = [load(each) if isinstance(each, str) else each for each in providers]
    names = [each.name for each in loaded]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise MisuseError(f"two of the providers are called {twice[0]!r}: each needs a name of its own")
    mounted = len(loaded) > 1 if mounted is None else mounted
    pages = Cors.of(cors)
    common = _Common(
        plan or Plan(),
        responses,
        control_token,
        patience,
        pages,
        *_shared(store or os.environ.get("TASKTWIN_STORE") or MEMORY),
    )
    apps = tuple(_provider_app(each, f"/{each.name}" if mounted else "", common) for each in loaded)
    return Application(apps, _landing(apps, has_token=bool(control_token)), pages, common.link)


@dataclass(frozen=True, slots=True)
class _Common:
    """What all providers of an application have in common."""

    plan: Plan
    responses: Responses
    token: str
    patience: float
    cors: Cors
    link: "RedisLink | None"
    herald: "Herald | None"
    turns: "Turns | None"

    def worlds(self, provider: Provider) -> Worlds:
        """The provider's worlds, where they are kept."""
        if self.link is None:
            return Worlds(provider.rules, provider.seeds, self.plan)
        from tasktwin.behaviour.shared_worlds import SharedWorlds  # noqa: PLC0415 - only who shares a store pays for it

        prefix = f"{self.link.prefix}{provider.name}-{provider.fingerprint()}"
        return SharedWorlds(provider.rules, provider.seeds, self.plan, self.link, prefix)


def _shared(store: str) -> tuple["RedisLink | None", "Herald | None", "Turns | None"]:
    """The way to the store that is shared, if it is."""
    if store == MEMORY:
        return None, None, None
    try:
        from tasktwin.server.herald import Herald  # noqa: PLC0415 - as above
        from tasktwin.server.turns import Turns  # noqa: PLC0415
        from tasktwin.state.redis_link import RedisLink  # noqa: PLC0415

        link = RedisLink(store)
    except ImportError as error:
        raise MisuseError(f"to share a store, {error.name} is needed: pip install 'tasktwin[redis]'") from None
    return link, Herald(link.url), Turns(link)


def _provider_app(provider: Provider, prefix: str, common: _Common) -> ProviderApp:
    pipeline = Pipeline(provider.rules, common.responses)
    worlds = common.worlds(provider)
    with suppress(UnavailableError):  # then it is taken in once the store that is shared answers
        worlds.get().agree(lambda: None)
    hub = Hub(common.patience, common.herald)
    control = Control(pipeline, worlds, hub, prefix, common.token)
    return ProviderApp(pipeline, worlds, control, prefix, hub, common.cors, common.turns)


def _unended(error: Exception) -> str:
    """What it says, without the full stop that it may end with."""
    return str(error).rstrip(".")


def _landing(apps: Sequence[ProviderApp], *, has_token: bool) -> App:
    """What is at the root when every provider has its own prefix."""

    async def index(request: Request) -> Response:
        try:
            check_sender(request.scope, has_token=has_token)
        except ProblemError as error:
            return problem(error.status, error.detail)
        origin = f"{request.url.scheme}://{request.url.netloc}"
        bases = [origin + each.prefix for each in apps]
        return HTMLResponse(page([each.pipeline.rules for each in apps], bases))

    async def health(_request: Request) -> Response:
        return answer(
            200, {"status": "ok", "version": __version__, "providers": [each.pipeline.rules.name for each in apps]}
        )

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            return (
                Response(status_code=204, headers=headers)
                if request.method == "OPTIONS"
                else problem(405, "this is only read", headers)
            )
        names = ", ".join(each.prefix for each in apps)
        return problem(
            404, f"{request.url.path} is served by nobody: the providers are under {names}, each with its own {CONTROL}"
        )

    routes = [Route("/", index), Route(f"{CONTROL}/health", health)]
    return Starlette(routes=routes, exception_handlers={HTTPException: refuse})
