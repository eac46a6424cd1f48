"""The twin over HTTP. The only floor that imports Starlette."""

from tasktwin.server.application import create_app

__all__ = ["create_app"]
