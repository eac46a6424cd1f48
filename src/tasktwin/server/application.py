"""The composition root: providers in, one ASGI application out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tasktwin import __version__
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.errors import MisuseError
from tasktwin.exchange.pipeline import Pipeline, Responses
from tasktwin.provider import Provider, load
from tasktwin.server.asgi import App, Receive, Scope, Send
from tasktwin.server.control.call import ProblemError, answer, problem
from tasktwin.server.control.guard import check_sender
from tasktwin.server.control.page import page
from tasktwin.server.control.plane import Control
from tasktwin.server.cors import Cors
from tasktwin.server.stream import PATIENCE, Hub
from tasktwin.server.transport import CONTROL, Listener, ProviderApp, is_preflight, raw_path


@dataclass(slots=True)
class Application:
    """What ``create_app`` makes: ASGI, with the parts in reach of whoever runs it."""

    apps: tuple[ProviderApp, ...]
    landing: App
    cors: Cors
    by_prefix: dict[str, ProviderApp] = field(init=False)

    def __post_init__(self) -> None:
        """Find an application by the first segment of the path."""
        self.by_prefix = {app.prefix: app for app in self.apps}

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every exchange once it is answered."""
        for app in self.apps:
            app.listeners.append(listener)

    def close(self) -> None:
        """Let all open streams end, so that the server can stop."""
        for app in self.apps:
            app.hub.close()

    def is_quick(self, scope: Scope) -> bool:
        """Whether a request is for an API, which never makes one wait for long; not for the control plane or a page."""
        path: str = scope["path"]
        if "" in self.by_prefix:
            return not path.startswith(CONTROL)
        prefix = "/" + path.removeprefix("/").partition("/")[0]
        return prefix in self.by_prefix and not path.removeprefix(prefix).startswith(CONTROL)

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
) -> Application:
    """The twin of one or several APIs as an ASGI application.

    A text is a bundled name or a folder, which is loaded. One provider is served at the root, several (or one with ``mounted``) each under ``/<name>``. Who reads a stream
    and takes in nothing for ``patience`` seconds is dropped. ``cors`` are the origins whose web pages may read the API's
    answers: ``None`` those of this machine, else as browsers write them, ``*`` for any or ``none``. Raises
    ``MisuseError`` when one lacks the seeds, two have one name, or an origin is none.
    """
    if not providers:
        raise MisuseError("there is nothing to serve: give at least one provider")
    loaded = [load(each) if isinstance(each, str) else each for each in providers]
    names = [each.name for each in loaded]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise MisuseError(f"two of the providers are called {twice[0]!r}: each needs a name of its own")
    mounted = len(loaded) > 1 if mounted is None else mounted
    pages = Cors.of(cors)
    apps = tuple(
        _provider_app(
            each, f"/{each.name}" if mounted else "", plan or Plan(), responses, control_token, patience, pages
        )
        for each in loaded
    )
    return Application(apps, _landing(apps, has_token=bool(control_token)), pages)


def _provider_app(
    provider: Provider, prefix: str, plan: Plan, responses: Responses, token: str, patience: float, cors: Cors
) -> ProviderApp:
    pipeline = Pipeline(provider.rules, responses)
    worlds = Worlds(provider.rules, provider.seeds, plan)
    worlds.get()
    hub = Hub(patience)
    return ProviderApp(pipeline, worlds, Control(pipeline, worlds, hub, prefix, token), prefix, hub, cors)


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
