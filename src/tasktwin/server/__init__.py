"""The twin over HTTP. The only floor that imports Starlette."""

from tasktwin.server.application import create_app
from tasktwin.server.twin import Twin

__all__ = ["Twin", "create_app"]
