"""The composition root: providers in, one ASGI application out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tasktwin import __version__
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.errors import MisuseError
from tasktwin.provider import Provider
from tasktwin.server.control import Control, answer, problem
from tasktwin.server.pipeline import Pipeline, Responses
from tasktwin.server.transport import CONTROL, App, Listener, ProviderApp, Receive, Scope, Send, raw_path


@dataclass(slots=True)
class Application:
    """What ``create_app`` makes: ASGI, with the parts in reach of whoever runs it."""

    apps: tuple[ProviderApp, ...]
    landing: App
    by_prefix: dict[str, ProviderApp] = field(init=False)

    def __post_init__(self) -> None:
        """Find an application by the first segment of the path."""
        self.by_prefix = {app.prefix: app for app in self.apps}

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every exchange once it is answered."""
        for app in self.apps:
            app.listeners.append(listener)

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
        await self.landing(scope, receive, send)


def create_app(
    *providers: Provider,
    plan: Plan | None = None,
    responses: Responses = "strict",
    control_token: str = "",
    mounted: bool | None = None,
) -> Application:
    """The twin of one or several APIs as an ASGI application.

    One provider is served at the root, several (or one with ``mounted``) each under ``/<name>``. Raises
    ``MisuseError`` when one lacks the seeds, or two have one name.
    """
    if not providers:
        raise MisuseError("there is nothing to serve: give at least one provider")
    names = [each.name for each in providers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise MisuseError(f"two of the providers are called {twice[0]!r}: each needs a name of its own")
    mounted = len(providers) > 1 if mounted is None else mounted
    apps = tuple(
        _provider_app(each, f"/{each.name}" if mounted else "", plan or Plan(), responses, control_token)
        for each in providers
    )
    return Application(apps, _landing(providers))


def _provider_app(provider: Provider, prefix: str, plan: Plan, responses: Responses, token: str) -> ProviderApp:
    pipeline = Pipeline(provider.rules, responses)
    worlds = Worlds(provider.rules, provider.seeds, plan)
    worlds.get()
    return ProviderApp(pipeline, worlds, Control(pipeline, worlds, prefix, token), prefix)


def _landing(providers: Sequence[Provider]) -> App:
    """What is at the root when every provider has its own prefix."""

    async def page(request: Request) -> Response:
        return HTMLResponse(_page(providers, f"{request.url.scheme}://{request.url.netloc}"))

    async def health(_request: Request) -> Response:
        return answer(200, {"status": "ok", "version": __version__, "providers": [each.name for each in providers]})

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            return (
                Response(status_code=204, headers=headers)
                if request.method == "OPTIONS"
                else problem(405, "this is only read", headers)
            )
        names = ", ".join(f"/{each.name}" for each in providers)
        return problem(
            404, f"{request.url.path} is served by nobody: the providers are under {names}, each with its own {CONTROL}"
        )

    routes = [Route("/", page), Route(f"{CONTROL}/health", health)]
    return Starlette(routes=routes, exception_handlers={HTTPException: refuse})


def _page(providers: Sequence[Provider], origin: str) -> str:
    rows = []
    for each in providers:
        callers = "".join(
            f"<li><b>{escape(who.name)}</b> - {escape(who.about)}<pre>"
            + "\n".join(f"{escape(name)}: {escape(value)}" for name, value in who.headers.items())
            + "</pre></li>"
            for who in each.rules.principals.values()
        )
        base = escape(f"{origin}/{each.name}")
        rows.append(
            f"<section><h2>{escape(each.title)}</h2><p>Base URL <code>{base}</code> · "
            f'<a href="{base}{CONTROL}/openapi.json">control plane</a> · '
            f'<a href="{base}{CONTROL}/lifecycles">lifecycles</a></p><ul>{callers}</ul></section>'
        )
    style = "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
    style += (
        "pre,code{font-size:.9em;background:#8882;padding:.1em .4em;border-radius:4px}pre{padding:.6em;overflow:auto}"
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>tasktwin</title><style>{style}</style><h1>tasktwin {__version__}</h1>{''.join(rows)}</html>"
    )
