"""Ways to break an API that any of them may be broken in."""

import asyncio
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from tests.deployments.deployment import Asked, Data, Told, altered, preceded

from tasktwin import Provider
from tasktwin.behaviour.world import World
from tasktwin.contract import compile_contract
from tasktwin.provider.build import Builder
from tasktwin.provider.effect import find_effects
from tasktwin.server.application import Application
from tasktwin.server.asgi import App
from tasktwin.wire import Json, dumps, loads

TRIES = 5
"""So often what depends on the moment is tried."""

PAUSE = 0.03
"""Seconds between a check and what relies on it: what a busy database takes."""

SEEN: ContextVar[Json] = ContextVar("SEEN", default=None)
"""What a request saw before it waited."""


def rebound(provider: Provider, operation: str, **changes: Any) -> Provider:
    """The provider with an operation that is bound in another way."""
    bindings = provider.rules.bindings
    binding = replace(bindings[operation], **changes)
    return replace(provider, rules=replace(provider.rules, bindings={**bindings, operation: binding}))


def recontracted(provider: Provider, change: Callable[[Data], object]) -> Provider:
    """The provider as it would be if it obeyed another contract than the one that it shows."""
    shown = provider.rules.contract.document
    document: Data = loads(dumps(shown))
    change(document)
    contract = compile_contract(document)
    contract.document = shown
    rules = Builder(provider.data, contract, *find_effects(provider.data["effects"])).build()
    return replace(provider, rules=rules)


def remembering(app: Application, wanted: str, look: Callable[[World, re.Match[str]], Json]) -> App:
    """The application behind a front that looks at the world, waits, and acts later on what it saw (``SEEN``).

    ``wanted`` is a pattern of method and path.
    """
    pattern = re.compile(wanted)

    async def look_and_wait(asked: Asked) -> None:
        found = pattern.fullmatch(f"{asked.method} {asked.path}")
        SEEN.set(look(app.apps[0].worlds.get(asked.world), found) if found else None)
        if found:
            await asyncio.sleep(PAUSE)

    return preceded(app, look_and_wait)


async def wait(_asked: Asked) -> None:
    """Be slower than one could."""
    await asyncio.sleep(PAUSE)


def fronted(app: App, alter: Callable[[Asked, Told], None]) -> App:
    """The application with altered answers. Without its body, HEAD cannot tell how long one would be (RFC 9110, 8.6)."""

    def alter_and_leave_length(asked: Asked, told: Told) -> None:
        alter(asked, told)
        if asked.method == "HEAD":
            told.headers.pop("content-length", None)

    return altered(app, alter_and_leave_length)


def turned(value: Json) -> Json:
    """The same value, the members of its objects in another order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value
