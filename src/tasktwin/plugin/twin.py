"""One API in one world of a served twin: what the fixture ``twin`` hands to a test."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from tasktwin.errors import MisuseError
from tasktwin.plugin.link import CONTROL, AbsentError, Link
from tasktwin.plugin.seen import Seen
from tasktwin.plugin.trouble import Faults
from tasktwin.wire import Json

if TYPE_CHECKING:
    import httpx2

    from tasktwin.provider import Provider

__tracebackhide__ = True  # of what goes wrong here, pytest shows the line in the test


class ServedTwin:
    """A world of its own for one test, which its fixture ends. All that is wrong is told as ``MisuseError``.

    ``url`` is the API's base URL for any client, ``control_url`` that of the world's control plane, ``world`` the
    world's name. ``faults`` are the trouble that is ordered, ``journal`` is what was asked and answered.
    """

    def __init__(self, provider: "Provider", link: Link, world: str, *, strict: bool = False) -> None:
        self.provider = provider
        self.world = world
        self.strict = strict
        self.url = f"{link.url}{CONTROL}/worlds/{world}/api"
        self.control_url = f"{link.url}{CONTROL}/worlds/{world}/control"
        self._link = link
        self._clients: list[httpx2.Client] = []
        self.faults = Faults(self._ask)
        self.journal = Seen(self._ask, provider.rules.contract)

    def client(self, as_: str = "", **options: Any) -> "httpx2.Client":
        """An HTTP client with the base URL and a demo caller's credentials; without ``as_``, nobody's.

        ``options`` are those of ``httpx2.Client``. The fixture closes it.
        """
        import httpx2  # noqa: PLC0415 - only who uses a twin pays for it

        headers = httpx2.Headers(self.headers(as_))
        headers.update(options.pop("headers", None))
        given = {"base_url": self.url, "trust_env": self._link.is_remote, **options}
        client = httpx2.Client(headers=headers, **given)
        self._clients.append(client)
        return client

    def headers(self, as_: str = "") -> dict[str, str]:
        """A demo caller's credentials, for any other client."""
        known: Mapping[str, Any] = self.provider.rules.principals
        if not as_:
            return {}
        if as_ not in known:
            raise MisuseError(f"there is no demo caller {as_!r}; there are {', '.join(known) or 'none'}")
        return dict(known[as_].headers)

    @property
    def now(self) -> str:
        """The world's time, ISO 8601."""
        return str(self._ask("GET", "/clock")["now"])

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> list[Json]:
        """Move the clock forward; the timers that fired, each with ``at``, ``collection``, ``id`` and ``transition``."""
        span = seconds + 60 * minutes + 3_600 * hours + 86_400 * days
        return list(self._ask("POST", "/clock", {"advance": span})["fired"])

    def read(self, collection: str, key: str | int) -> dict[str, Json] | None:
        """A row as it is kept, ``None`` if there is none."""
        try:
            row: dict[str, Json] = self._ask("GET", f"/state/{_step(collection)}/{_step(key)}")
        except AbsentError:
            if collection in self._ask("GET", "/state")["collections"]:
                return None
            raise
        return row

    def trigger(self, name: str, key: str | int, collection: str = "") -> dict[str, Json]:
        """Fire a lifecycle's trigger on a row, which comes back as it is then."""
        told = {"id": str(key), **({"collection": collection} if collection else {})}
        row: dict[str, Json] = self._ask("POST", f"/events/{_step(name)}", told)
        return row

    def reset(self) -> None:
        """Back to how the world began: rows, identifiers, clock, faults, journal."""
        self.journal.wrong()
        self._ask("POST", "/reset")
        self.journal.begin_again()

    def close(self) -> None:
        """Close the clients and forget the world. A second time does nothing."""
        clients, self._clients = self._clients, []
        for each in clients:
            each.close()
        try:
            self._link.ask("DELETE", f"{CONTROL}/worlds/{self.world}")
        except AbsentError:
            return  # somebody else forgot it: a running twin that was started anew

    def _ask(self, method: str, path: str, body: Json = None, **query: Json) -> Json:
        return self._link.ask(method, f"{CONTROL}/worlds/{self.world}/control{path}", body, **query)


class TwinFactory(Protocol):
    """What the fixture ``twin_factory`` is."""

    def __call__(self, *provider: str, **options: Any) -> ServedTwin:
        """A further twin: the provider and the arguments of the marker ``twin``, as named arguments."""


def _step(name: str | int) -> str:
    return quote(str(name), safe="")
