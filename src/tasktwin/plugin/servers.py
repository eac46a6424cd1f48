"""The twins that one pytest process uses: each provider is served once, or found at a running server."""

from itertools import count
from pathlib import Path
from re import sub
from typing import TYPE_CHECKING

from tasktwin.errors import MisuseError, TasktwinError
from tasktwin.plugin.link import CONTROL, ConflictError, Link
from tasktwin.plugin.twin import ServedTwin
from tasktwin.plugin.wish import WorldWish

if TYPE_CHECKING:
    from tasktwin.provider import Provider
    from tasktwin.server.background import Background

LONGEST = 56
"""Characters of a test's name in the name of its world, which has room for 64 with the number."""

MOST_TRIES = 1_000
"""So many names are tried before one is found that no other run has taken."""


class Servers:
    """Starts what is asked for when it is asked for. With a ``url`` nothing is started: a running twin is used.

    ``root`` is the folder from which providers' folders are named, ``token`` the running twin's control token.
    """

    def __init__(self, root: Path, url: str = "", token: str = "") -> None:
        self.root = root
        self.url = url
        self.token = token
        self._found: dict[str, tuple[Provider, Link] | TasktwinError] = {}
        self._running: list[Background] = []
        self._numbers: dict[str, count[int]] = {}

    def twin(self, wish: WorldWish, test: str, *, strict: bool = False) -> ServedTwin:
        """A twin in a world of its own, named after the test. Raises ``DataError`` or ``MisuseError``."""
        provider, link = self._find(wish.provider)
        stem = _stem(test)
        numbers = self._numbers.setdefault(f"{link.url} {stem}", count(1))
        for _ in range(MOST_TRIES):
            name = f"{stem}-{next(numbers)}"
            try:
                link.ask("POST", f"{CONTROL}/worlds", {"name": name, **wish.begins})
            except ConflictError:
                continue
            wanted = strict if wish.strict is None else wish.strict
            return ServedTwin(provider, link, name, strict=wanted)
        raise MisuseError(f"{link.url} has {MOST_TRIES} worlds named like {name}: restart it")

    def close(self) -> None:
        """Stop what was started."""
        for found in self._found.values():
            if not isinstance(found, TasktwinError):
                found[1].close()
        for each in self._running:
            each.stop()

    def _find(self, name: str) -> "tuple[Provider, Link]":
        """The provider and the way to it. A failure is told anew to each who asks, without another try."""
        if name not in self._found:
            try:
                self._found[name] = self._begin(name)
            except TasktwinError as error:
                self._found[name] = error
        found = self._found[name]
        if isinstance(found, TasktwinError):
            raise found
        return found

    def _begin(self, name: str) -> "tuple[Provider, Link]":
        from tasktwin.provider import bundled, load  # noqa: PLC0415 - only who uses a twin pays for it

        folder = self.root / name
        provider = load(str(folder) if name not in bundled() and folder.exists() else name)
        return provider, self._connect(provider.name) if self.url else self._start(provider)

    def _start(self, provider: "Provider") -> Link:
        from tasktwin.server import create_app  # noqa: PLC0415 - as above
        from tasktwin.server.background import Background  # noqa: PLC0415 - as above

        running = Background(create_app(provider))
        self._running.append(running)
        return Link(running.url)

    def _connect(self, name: str) -> Link:
        """The way to a provider at the running server, where it is alone at the root or one of several."""
        link = Link(self.url, self.token, is_remote=True)
        try:
            link.url += _prefix(link, name)
        except MisuseError:
            link.close()
            raise
        return link


def _stem(test: str) -> str:
    """The end of a test's name, which tells most of it, in the letters that a world's name may have."""
    plain = sub(r"[^A-Za-z0-9_.]+", "-", test.rpartition("/")[2].replace(".py::", "."))
    return plain[-LONGEST:].strip("-_.") or "test"


def _prefix(link: Link, name: str) -> str:
    """Where a provider is at a twin: at the root, or under its name. Raises ``MisuseError`` if it is not there."""
    served = _served(link)
    if name not in served:
        raise MisuseError(f"the twin at {link.url} serves {', '.join(served)}, not {name}")
    return f"/{name}" if _is_mounted(link, name) else ""


def _served(link: Link, prefix: str = "") -> list[str]:
    """The names of the providers that are served. Raises ``MisuseError`` where no twin answers."""
    told = link.ask("GET", f"{prefix}{CONTROL}/health")
    if isinstance(told, dict) and isinstance(told.get("providers"), list):
        return list(map(str, told["providers"]))
    raise MisuseError(f"what answers at {link.url} is no twin")


def _is_mounted(link: Link, name: str) -> bool:
    """Whether the provider is served under its name; at the root that path is some path of the API."""
    try:
        return _served(link, f"/{name}") == [name]
    except MisuseError:
        return False
