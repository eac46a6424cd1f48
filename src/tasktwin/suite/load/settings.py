"""What the process of ``tasktwin load`` tells those of Locust: by an environment variable, and no secret is in it."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from tasktwin.errors import MisuseError
from tasktwin.suite.command.order import Order
from tasktwin.wire import dumps, loads

VARIABLE: Final = "TASKTWIN_LOAD"


@dataclass(frozen=True, slots=True)
class Settings:
    """``writes``: globs of operations that may write. ``scenarios``: names. ``control``: the control plane's URL of a
    target that gives each user a world, else "".
    """

    url: str
    provider: str
    credentials: str
    writes: tuple[str, ...]
    scenarios: tuple[str, ...]
    control: str

    @property
    def order(self) -> Order:
        """What the rest of the suite is asked with."""
        return Order("load", self.url, self.provider, ("scenarios",), self.credentials, writes=self.writes)

    def as_environment(self) -> dict[str, str]:
        """The environment of a process that is to have them."""
        return {**os.environ, VARIABLE: dumps(asdict(self)).decode()}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Those of this process. Raises ``MisuseError`` where nobody gave any."""
        try:
            found: dict[str, Any] = loads(environment[VARIABLE].encode())
            return cls(**{**found, "writes": tuple(found["writes"]), "scenarios": tuple(found["scenarios"])})
        except (KeyError, ValueError, TypeError):
            raise MisuseError(f"{VARIABLE} holds no settings: `tasktwin load` starts Locust with them") from None
