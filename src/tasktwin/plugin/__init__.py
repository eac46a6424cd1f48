"""What pytest's fixtures hand to a test: twins of its own, reached through the control plane, wherever they are served."""

from tasktwin.plugin.servers import Servers
from tasktwin.plugin.twin import ServedTwin, TwinFactory
from tasktwin.plugin.wish import WorldWish

__all__ = ["ServedTwin", "Servers", "TwinFactory", "WorldWish"]
