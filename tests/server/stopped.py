"""A twin that is stopped finds all at once what was sent to it meanwhile."""

import json
import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.server.front import Reply, ask, connect, message, read_all, replies

Asked: TypeAlias = tuple[str, str, Any, dict[str, str]]
"""A request: method, target, body, headers."""

READY = 40
"""So many connections a twin has accepted before it is stopped."""


@dataclass
class Twin:
    """A served twin, and what is sent to it while it is stopped."""

    url: str
    process: "subprocess.Popen[str]"
    wires: list[socket.socket] = field(default_factory=list)
    ready: list[socket.socket] = field(default_factory=list)

    def stop(self, ready: int = READY) -> None:
        """It does nothing from now on. What is sent to it comes together: connections are accepted one a turn, so before."""
        self.ready = [connect(self.url) for _ in range(ready)]
        ask(self.url, "GET", "/_tasktwin/health")
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def send(self, world: str, *asked: Asked) -> None:
        """Send requests to a world, one behind the other on one connection, which ends with the last."""
        sent = b""
        for number, (method, target, body, head) in enumerate(asked, 1):
            lines = [*head.items(), ("Tasktwin-World", world), ("Content-Type", "application/json")]
            lines += [("Connection", "close")] if number == len(asked) else []
            sent += message(method, target, lines, json.dumps(body).encode() if body is not None else b"")
        wire = self.ready.pop() if self.ready else connect(self.url)
        wire.settimeout(30)
        wire.sendall(sent)
        self.wires.append(wire)

    def go_on(self) -> None:
        """It finds all that came."""
        while self.ready:
            self.ready.pop().close()
        self.process.send_signal(signal.SIGCONT)

    def heard(self) -> list[list[Reply]]:
        """The answers, by connection."""
        wires, self.wires = self.wires, []
        found = []
        for wire in wires:
            with wire:
                found.append(replies(read_all(wire)))
        return found
