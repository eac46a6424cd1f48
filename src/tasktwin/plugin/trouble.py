"""Trouble that a test orders for its own world."""

from collections.abc import Callable

from tasktwin.errors import MisuseError
from tasktwin.wire import Json

__tracebackhide__ = True  # of what goes wrong here, pytest shows the line in the test
KINDS = ("status", "delay", "drop", "truncate", "corrupt", "stream")
"""What trouble there is; each is also the argument that says how."""

COUNTED = ("matched", "struck")
"""What the twin tells of an order, and is not told."""


class Faults:
    """The faults of one world, in the order in which they were added."""

    def __init__(self, ask: Callable[..., Json]) -> None:
        self._ask = ask

    def add(  # noqa: PLR0913 - what a fault can match
        self,
        kind: str,
        *,
        name: str | None = None,
        about: str | None = None,
        operation: str | None = None,
        principal: str | None = None,
        method: str | None = None,
        probability: float | None = None,
        times: int | None = None,
        after: int | None = None,
        **how: Json,
    ) -> str:
        """Order one more; its name. ``how``: the kind's own argument, such as ``status=500`` or ``delay=2``, and others.

        ``operation``, ``principal`` and ``method`` are globs. It strikes at most ``times`` requests, each with the
        ``probability``, once ``after`` requests passed untouched. Raises ``MisuseError`` for an order that cannot be.
        """
        if kind not in how:
            told = f"faults.add({kind!r}, …) needs {kind}=…" if kind in KINDS else f"there is no trouble {kind!r}"
            raise MisuseError(f"{told}; there are {', '.join(KINDS)}, such as faults.add('status', status=500)")
        match = {"operation": operation, "principal": principal, "method": method, "probability": probability}
        order = {"name": name, "about": about, "match": _given(match | {"times": times, "after": after}), "do": how}
        told = self._ask("PUT", "/faults", [*map(_left, self.entries()), _given(order)])
        return str(told[-1]["name"])

    def clear(self) -> None:
        """No more trouble."""
        self._ask("DELETE", "/faults")

    def entries(self) -> list[Json]:
        """The orders, each with how many requests it ``matched`` and ``struck`` since the last one was added."""
        return list(self._ask("GET", "/faults"))


def _given(values: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in values.items() if value is not None}


def _left(order: dict[str, Json]) -> Json:
    """What is left of an order: the twin counts anew when it takes a further one."""
    match = dict(order.get("match", {}))
    if "times" in match:
        match["times"] = max(0, match["times"] - order["struck"])
    if "after" in match:
        match["after"] = max(0, match["after"] - order["matched"])
    return {key: value for key, value in order.items() if key not in COUNTED} | {"match": match}
