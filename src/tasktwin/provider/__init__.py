"""One API, read from its folder. The only floor that opens files and knows YAML."""

from tasktwin.provider.catalogue import bundled
from tasktwin.provider.provider import Provider, load

__all__ = ["Provider", "bundled", "load"]
