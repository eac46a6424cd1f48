"""``python -m tests.deployments NAME``: serves one faulty deployment until told to stop; its base URL comes first."""

import argparse
import contextlib
import socket

import click
import uvicorn
from tests.deployments.catalogue import BY_NAME
from tests.deployments.deployment import CLOCK, Deployment

from tasktwin import load
from tasktwin.server.protocol import Protocol
from tasktwin.server.run import Place, bind

GRACE = 1
"""Seconds that open streams have when the deployment is told to stop."""


def main() -> None:
    """Serve a deployment, or list all."""
    parser = argparse.ArgumentParser(prog="python -m tests.deployments", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*BY_NAME], metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the name, the kind and the fault of each")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--clock", default="real", help="real, frozen or x60")
    chosen = parser.parse_args()
    if chosen.list or chosen.name is None:
        for each in BY_NAME.values():
            click.echo(f"{each.name}\t{each.kind}\t{each.about}")
        return
    CLOCK.set(chosen.clock)
    listener, url = bind(Place(chosen.host, chosen.port))
    serve(BY_NAME[chosen.name], listener, url)


def serve(deployment: Deployment, listener: socket.socket, url: str) -> None:
    """Serve it, quietly."""
    app = deployment.break_(load(deployment.provider))
    click.echo(url)
    config = uvicorn.Config(
        app,
        http=Protocol,
        log_level="critical",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    with contextlib.closing(listener), contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
