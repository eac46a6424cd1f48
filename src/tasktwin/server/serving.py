"""What ``tasktwin serve`` serves, as it was ordered: the same in each of its processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tasktwin.behaviour.worlds import Plan
from tasktwin.exchange.exchange import Exchange
from tasktwin.exchange.pipeline import Responses
from tasktwin.provider import Provider, load
from tasktwin.server.application import MEMORY, Application, create_app
from tasktwin.server.run import json_line, text_line


@dataclass(frozen=True, slots=True)
class Serving:
    """The providers by name or folder, and how they are served. ``log`` says how requests are told, "" not at all."""

    providers: tuple[str, ...]
    plan: Plan
    responses: Responses = "strict"
    control_token: str = ""
    cors: tuple[str, ...] = ()
    mounted: bool = False
    store: str = MEMORY
    log: Literal["", "text", "json"] = ""

    def application(self, loaded: Sequence[Provider] = ()) -> Application:
        """The ASGI application. Raises ``DataError`` and ``MisuseError`` as ``load`` and ``create_app`` do."""
        return create_app(
            *(loaded or [load(name) for name in self.providers]),
            plan=self.plan,
            responses=self.responses,
            control_token=self.control_token,
            cors=self.cors or None,
            mounted=self.mounted,
            store=self.store,
        )

    @property
    def line(self) -> Callable[[Exchange], None] | None:
        """What tells of a request."""
        return {"": None, "text": text_line, "json": json_line}[self.log]
