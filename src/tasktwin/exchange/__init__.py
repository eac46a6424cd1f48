"""One request, answered, without HTTP: the floor that both the server and the suite's oracle stand on."""

from tasktwin.exchange.twin import Twin

__all__ = ["Twin"]
