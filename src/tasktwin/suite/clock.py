"""The target's time: moved where the target offers that, as a served twin does, else waited for if that is affordable.

What is asked of a control plane is no traffic of the API: it has no credentials, is not recorded and not counted.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from tasktwin.state import elapsed, format_instant
from tasktwin.suite.target import WORLD, Target, UnreachableError
from tasktwin.wire import Json, dumps, loads

if TYPE_CHECKING:
    import httpx2

CONTROL: Final = "/_tasktwin"
WORLDS: Final = "/_tasktwin/worlds/"

MOST: Final = 262_144
"""Bytes that are read of an answer of a control plane."""

LONGEST_WAIT: Final = 30.0
"""Seconds that are waited for real in a run whose time has no bound."""

SLICE: Final = 0.5
"""Seconds for which a wait cannot be interrupted."""


@dataclass(slots=True)
class TargetTime:
    """The time of one world of a target. ``world`` is "" for the one that requests without a header come to.

    ``passed`` are the microseconds that were made to pass. Whether the target has a control plane is found out once.
    """

    target: Target
    world: str = ""
    passed: int = 0
    _base: str | None = None

    @property
    def offered(self) -> bool:
        """Whether the target lets its clock be moved. Raises ``UnreachableError``."""
        return bool(self._control())

    @property
    def headers(self) -> dict[str, str]:
        """What a request says to be in this world."""
        return {WORLD: self.world} if self.world else {}

    @property
    def control(self) -> str:
        """The control plane's URL, "" if there is none: for scripts."""
        return self._control()

    def world_of(self, name: str) -> "TargetTime":
        """The same target's time in a world of its own, as it began; this one where there are no worlds to choose from."""
        if not self.offered or WORLDS in self.target.url:
            return self
        other = TargetTime(self.target, name, 0, self._control())
        return other if other._ask("POST", "/reset", {}) is not None else self

    def advance(self, seconds: float) -> bool:
        """Move the target's clock forward, and tell ``Target.shift``; whether it did."""
        if self._ask("POST", "/clock", {"advance": seconds}) is None:
            return False
        microseconds = round(seconds * 1_000_000)
        self.passed += microseconds
        self.target.shift(microseconds)
        return True

    def pass_time(self, seconds: float) -> str:
        """Let so much time pass; "" when it has, else why it cannot. Raises ``SpentError`` and ``UnreachableError``."""
        if seconds <= 0:
            return ""
        if self.offered:
            return "" if self.advance(seconds) else f"the target would not advance its clock by {seconds:g} s"
        left = self.target.budget.left
        if seconds > (left if left != float("inf") else LONGEST_WAIT):
            return f"the target offers no clock, and {seconds:g} s are more than there is time for"
        self.wait(seconds)
        return ""

    def begin(self, name: str, now: int) -> "TargetTime | None":
        """A new world in which it is ``now`` (µs), which the target's time is from here on; ``None`` if there is none."""
        if not self.offered or WORLDS in self.target.url:
            return None
        other = TargetTime(self.target, name, 0, self._control())
        if other._ask("POST", "/worlds", {"name": name, "now": format_instant(now, "microseconds")}) is None:
            return None
        self.target.shift(now - self.target.now())
        return other

    @contextmanager
    def own_world(self, name: str, now: int) -> Iterator[bool]:
        """What is sent meanwhile goes to a new world, as ``begin`` makes it, which is deleted afterwards; False if there is none.

        Raises ``UnreachableError``.
        """
        target, ahead = self.target, self.target.ahead
        time = self.begin(name, now)
        if time is None:
            yield False
            return
        outer = target.clock, target.world
        target.clock, target.world = time, time.world
        try:
            yield True
        finally:
            target.clock, target.world = outer
            target.shift(ahead - target.ahead)
            time.forget()

    def forget(self) -> None:
        """This world is no longer needed: it is deleted."""
        if self.world:
            self._ask("DELETE", f"/worlds/{self.world}", {})

    def leave(self) -> None:
        """What happens next happens in another world, whose time this one's says nothing of."""
        if self.world:
            self.target.shift(-self.passed)
            self.passed = 0

    def taken(self) -> Mapping[str, Mapping[str, int]]:
        """The transitions that were taken in this world, by lifecycle; nothing where nobody tells."""
        told = self._ask("GET", "/coverage", {}) if self.offered else None
        found = told.get("transitions") if isinstance(told, dict) else None
        return found if isinstance(found, dict) else {}

    def wait(self, seconds: float) -> None:
        """Wait for real. Raises ``SpentError`` when the run's time is over before."""
        ahead = seconds
        while ahead > 0:
            self.target.budget.check()
            self.target.stopped.wait(min(ahead, SLICE))
            ahead -= SLICE

    def fire(self, trigger: str, key: str, collection: str = "") -> str:
        """Let something happen that no call causes; "" when it has, else why it cannot."""
        if not self.offered:
            return f"only a twin lets {trigger!r} happen by order"
        wish = {"id": key, **({"collection": collection} if collection else {})}
        if self._ask("POST", f"/events/{quote(trigger, safe='')}", wish) is None:
            return f"the target would not let {trigger!r} happen to {key!r}"
        return ""

    def look(self) -> None:
        """See that somebody is there. Raises ``UnreachableError``."""
        self._control()

    def _control(self) -> str:
        """The control plane's URL, "" if there is none."""
        if self._base is None:
            self._base = self._find()
        return self._base

    def _find(self) -> str:
        head, mark, world = self.target.url.rpartition(WORLDS)
        if mark and world.endswith("/api"):
            base = f"{head}{WORLDS}{world.removesuffix('/api')}/control"
        else:
            head, base = self.target.url, self.target.url + CONTROL
        health = self._get(f"{head}{CONTROL}/health")
        is_twin = isinstance(health, dict) and health.get("status") == "ok" and "providers" in health
        return base if is_twin and isinstance(self._get(f"{base}/clock"), dict) else ""

    def _get(self, url: str) -> Json:
        import httpx2  # noqa: PLC0415 - heavy

        try:
            return self._call("GET", url, b"")
        except httpx2.HTTPError as error:
            about = str(error) or type(error).__name__
            raise UnreachableError(f"{self.target.url} cannot be reached: {about}") from error

    def _ask(self, method: str, path: str, wish: Mapping[str, Json]) -> Json:
        """The answer to an order, ``None`` if it was not obeyed."""
        import httpx2  # noqa: PLC0415 - heavy

        try:
            return self._call(method, self._control() + path, dumps(dict(wish)) if method == "POST" else b"")
        except httpx2.HTTPError:
            return None

    def _call(self, method: str, url: str, body: bytes) -> Json:
        """The JSON of a success, else ``None``. Redirects are not followed."""
        headers = {"content-type": "application/json", **self.headers} if body else self.headers
        with self.target.client.stream(method, url, content=body or None, headers=headers) as response:
            raw = _first(response, self.target.patience)
        return _value(raw) if response.is_success else None


def _first(response: "httpx2.Response", patience: float) -> bytes:
    raw, until = b"", elapsed() + patience
    for chunk in response.iter_bytes():
        raw += chunk
        if len(raw) > MOST or elapsed() > until:
            return b""
    return raw


def _value(raw: bytes) -> Json:
    try:
        return loads(raw)
    except ValueError:
        return None
