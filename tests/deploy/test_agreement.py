"""What no linter sees: that the files in ``deploy/`` agree with the real command, with each other and with themselves."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import pytest
import redis
from tests.deploy.part import (
    BALANCER,
    COMMANDS,
    COMPOSE,
    DEPLOY,
    DOCKERFILE,
    HEALTH,
    RESOURCES,
    container,
    options,
    pod,
    resource,
    service,
)
from tests.state import redis_server

NAMES = sorted(COMMANDS)
COMMENTED = [
    shlex.split(line)
    for path in sorted(DEPLOY.iterdir())
    for line in re.findall(r"^# .*\btasktwin (serve .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def found(pattern: str, text: str) -> str:
    """The group of the one match."""
    (value,) = re.findall(pattern, text, re.MULTILINE)
    return str(value)


# ── the real command ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", [*(COMMANDS[name].twin for name in NAMES), *COMMENTED], ids=" ".join)
def test_the_command_line_takes_what_is_written(command: list[str]) -> None:
    assert options(command)["host"] == "0.0.0.0"


def test_the_image_says_how_it_is_run() -> None:
    assert COMMENTED, "the Dockerfile begins with it"


def test_the_twins_are_started_alike() -> None:
    assert COMMANDS["compose"].twin == COMMANDS["kubernetes"].twin


def test_the_token_stands_in_no_command_line_and_in_no_file() -> None:
    assert not [each for name in NAMES for each in COMMANDS[name].twin if "token" in each]
    assert service("twin")["environment"]["TASKTWIN_CONTROL_TOKEN"].startswith("${TASKTWIN_CONTROL_TOKEN:?")
    (variable,) = container("Deployment", "tasktwin")["env"]
    secret = variable["valueFrom"]["secretKeyRef"]
    assert variable["name"] == "TASKTWIN_CONTROL_TOKEN"
    assert resource("Secret", secret["name"])["stringData"] == {secret["key"]: "REPLACE-ME"}


@pytest.mark.parametrize("name", NAMES)
def test_redis_keeps_what_was_answered(name: str) -> None:
    given = dict(zip(COMMANDS[name].redis[1::2], COMMANDS[name].redis[2::2], strict=True))
    assert (given["--appendonly"], given["--appendfsync"]) == ("yes", "always")
    assert given["--maxmemory-policy"] == "noeviction"


@pytest.mark.parametrize("name", NAMES)
def test_redis_takes_what_is_written(tmp_path: Path, name: str) -> None:
    port = redis_server.free_port()
    server = redis_server.start(port, str(tmp_path), *COMMANDS[name].redis[1:])
    with redis.Redis(port=port, decode_responses=True) as client:
        kept = cast("dict[str, str]", client.config_get("append*", "save"))
        client.shutdown(nosave=True)
    server.wait(timeout=10)
    assert {key: kept[key] for key in ("appendonly", "appendfsync", "save")} == {
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
    }


# ── ports, names, paths ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_the_store_is_the_redis_beside_it(name: str) -> None:
    store = urlsplit(options(COMMANDS[name].twin)["store"])
    (port,) = resource("Service", "redis")["spec"]["ports"]
    assert store.hostname in (COMPOSE["services"] if name == "compose" else ["redis"])
    assert store.port == port["port"] == 6379


def test_one_port_runs_through_all_files() -> None:
    twin = options(COMMANDS["compose"].twin)["port"]
    assert found(r"^EXPOSE (\d+)$", DOCKERFILE) == str(twin)
    assert found(r"server-template twin \d+ (\S+)", BALANCER) == f"twin:{twin}"
    assert [each["containerPort"] for each in container("Deployment", "tasktwin")["ports"]] == [twin]
    assert [each["port"] for each in resource("Service", "tasktwin")["spec"]["ports"]] == [twin]


def test_compose_publishes_what_the_balancer_listens_on() -> None:
    port = found(r"^    bind :(\d+)$", BALANCER)
    assert [each.rpartition(":")[2] for each in service("balancer")["ports"]] == [port]
    assert f"127.0.0.1:{port}{HEALTH}" in service("balancer")["healthcheck"]["test"][-1]


def test_compose_mounts_and_builds_what_is_there() -> None:
    (mount,) = service("balancer")["volumes"]
    assert (DEPLOY / mount.split(":")[0]).is_file()
    build = service("twin")["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert [each.split(":")[0] for each in service("redis")["volumes"]] == list(COMPOSE["volumes"])


def test_there_are_places_for_all_replicas() -> None:
    assert int(found(r"server-template twin (\d+) ", BALANCER)) > service("twin")["deploy"]["replicas"] > 1
    assert resource("Deployment", "tasktwin")["spec"]["replicas"] > 1


@pytest.mark.parametrize(("kind", "name"), [("Deployment", "tasktwin"), ("StatefulSet", "redis")])
def test_services_and_budgets_choose_the_pods_that_are_made(kind: str, name: str) -> None:
    labels = pod(kind, name)["metadata"]["labels"]
    wanted = [resource("Service", name)["spec"]["selector"], resource(kind, name)["spec"]["selector"]["matchLabels"]]
    others = ("PodDisruptionBudget", "tasktwin") if kind == "Deployment" else ("NetworkPolicy", "redis")
    spec = resource(*others)["spec"]
    wanted.append(spec.get("selector", spec.get("podSelector"))["matchLabels"])
    assert [each for each in wanted if not each.items() <= labels.items()] == []


def test_redis_lets_the_twins_in() -> None:
    (rule,) = resource("NetworkPolicy", "redis")["spec"]["ingress"]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"].items() <= pod("Deployment", "tasktwin")["metadata"]["labels"].items()


def test_named_ports_have_a_meaning() -> None:
    made = {each["name"] for each in _find("ports", RESOURCES) if "containerPort" in each}
    used = {each["targetPort"] for each in _find("ports", RESOURCES) if "targetPort" in each}
    assert used == made == {"http", "redis"}


def test_no_container_may_do_more_than_it_must() -> None:
    for kind, name in (("Deployment", "tasktwin"), ("StatefulSet", "redis")):
        spec, rights = pod(kind, name)["spec"], container(kind, name)["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert rights["readOnlyRootFilesystem"]
        assert not rights["allowPrivilegeEscalation"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
    user = pod("Deployment", "tasktwin")["spec"]["securityContext"]["runAsUser"]
    assert found(r"^USER (\d+):", DOCKERFILE) == str(user)


# ── health ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_ask_for_health_at_the_same_path() -> None:
    probes = [
        container("Deployment", "tasktwin")[f"{each}Probe"]["httpGet"] for each in ("startup", "readiness", "liveness")
    ]
    assert probes == [{"path": HEALTH, "port": "http"}] * 3
    assert found(r"option httpchk GET (\S+)", BALANCER) == HEALTH
    assert f"127.0.0.1:8080{HEALTH}" in service("twin")["healthcheck"]["test"][-1]


@pytest.mark.parametrize("host", ["10.0.0.7:8080", "twin.ci.example"])
def test_health_wants_no_token_whatever_the_twin_is_called(serve: Callable[..., str], host: str) -> None:
    twin = serve("uumit", "--control-token=sesame")
    assert httpx2.get(twin + HEALTH, headers={"Host": host}).status_code == 200
    assert httpx2.get(f"{twin}/_tasktwin/worlds", headers={"Host": host}).status_code == 401
    known = {"Host": host, "Authorization": "Bearer sesame"}
    assert httpx2.get(f"{twin}/_tasktwin/worlds", headers=known).status_code == 200


def _find(key: str, within: Any) -> list[dict[str, Any]]:
    """All that stands in the lists under a key, wherever."""
    if isinstance(within, list):
        return [each for part in within for each in _find(key, part)]
    if not isinstance(within, dict):
        return []
    own = within[key] if isinstance(within.get(key), list) else []
    return [*own, *(each for part in within.values() for each in _find(key, part))]
