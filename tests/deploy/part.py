"""What stands in ``deploy/``, read: services, resources, and the command lines in them."""

from dataclasses import dataclass
from typing import Any

import yaml
from tests.npm import ROOT

from tasktwin.cli import main

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
BALANCER = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
RESOURCES: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
HEALTH = "/_tasktwin/health"


def service(name: str) -> Any:
    """A service of Compose."""
    return COMPOSE["services"][name]


def resource(kind: str, name: str) -> Any:
    """A resource of Kubernetes."""
    (found,) = [each for each in RESOURCES if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pod(kind: str, name: str) -> Any:
    """The pods that a resource of Kubernetes makes."""
    return resource(kind, name)["spec"]["template"]


def container(kind: str, name: str) -> Any:
    """The one container of those pods."""
    (found,) = pod(kind, name)["spec"]["containers"]
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where one of the files starts twins and Redis, and how."""

    twin: list[str]
    redis: list[str]


COMMANDS = {
    "compose": Place(service("twin")["command"], service("redis")["command"]),
    "kubernetes": Place(
        container("Deployment", "tasktwin")["args"], ["redis-server", *container("StatefulSet", "redis")["args"]]
    ),
}


def options(command: list[str]) -> dict[str, Any]:
    """What the real command line makes of what follows ``tasktwin``; nothing is run. Raises ``click.UsageError``."""
    # Within the program's own context: a command remembers how it was asked for help first.
    parent = main.make_context("tasktwin", list(command))
    return main.commands[command[0]].make_context(command[0], list(command[1:]), parent=parent).params
