"""A twin of a task API that you can run, break, time-travel and hold a real deployment against.

- ``load(name_or_folder)`` → ``Provider``: an API as its data describes it. Raises ``errors.DataError``.
- ``create_app(*providers, **options)``: the twin as an ASGI application.
- ``Twin(provider, …)``: the twin in process, without sockets.
- ``errors``: everything this package raises on purpose.

Nothing heavy is imported until it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasktwin import errors
    from tasktwin.exchange import Twin
    from tasktwin.provider import Provider, load
    from tasktwin.server import create_app

__version__ = "0.1.0"
__all__ = ["Provider", "Twin", "__version__", "create_app", "errors", "load"]

_HOMES = {
    "Provider": "tasktwin.provider",
    "Twin": "tasktwin.exchange",
    "create_app": "tasktwin.server",
    "load": "tasktwin.provider",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    from importlib import import_module  # noqa: PLC0415 - that is the point

    if name == "errors":
        return import_module("tasktwin.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'tasktwin' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """What ``from tasktwin import`` offers."""
    return sorted(__all__)
