"""An application served beside the program that uses it: a thread of its own, any free port of this machine."""

import socket
from threading import Thread

from tasktwin.server.application import Application
from tasktwin.server.run import GRACE, Place, bind, server_of

SLACK = 2.0
"""Seconds that the thread has to end beyond those that open requests have."""


class Background:
    """Serves from the moment it is made until ``stop``. ``url`` is the base URL.

    It handles no signals, and the thread does not keep the process alive. Raises ``MisuseError`` when no port is free.
    """

    def __init__(self, application: Application) -> None:
        self._listener: socket.socket
        self._listener, self.url = bind(Place(port=0))
        self._server = server_of(application)
        sockets = {"sockets": [self._listener]}
        self._thread = Thread(target=self._server.run, kwargs=sockets, name="tasktwin", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the open requests and streams, and close the port."""
        self._server.should_exit = True
        self._thread.join(GRACE + SLACK)
        self._listener.close()
