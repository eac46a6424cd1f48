"""The small task API of ``tests.provider.small`` as rules and worlds, without files once it is read."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.provider.small import edited, write

from tasktwin.behaviour.perform import perform
from tasktwin.behaviour.rules import Effect, Rules
from tasktwin.behaviour.seed import Seeds
from tasktwin.behaviour.shared_worlds import SharedWorlds
from tasktwin.behaviour.verb import Call, Outcome
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import DEFAULT, Plan, Worlds
from tasktwin.contract import compile_contract
from tasktwin.provider.build import Builder
from tasktwin.provider.data_file import read_data
from tasktwin.provider.document import read_document
from tasktwin.provider.seed_file import read_seeds
from tasktwin.state import parse_instant
from tasktwin.state.redis_link import RedisLink

NOON = parse_instant("2026-01-01T12:00:00Z")
HOUR = 3_600


def rules(
    folder: Path, files: Mapping[str, str] | None = None, effects: Mapping[str, Effect] | None = None
) -> tuple[Rules, dict[str, Seeds]]:
    """The rules and seeds of the folder that ``write`` makes, with these effects."""
    root = write(folder, dict(files or {}))
    contract = compile_contract(read_document(root / "openapi.yaml", "openapi.yaml"))
    built = Builder(read_data(root / "provider.yaml", "provider.yaml", "provider"), contract, effects or {}).build()
    return built, read_seeds(root, built)


def worlds(folder: Path, files: Mapping[str, str] | None = None, effects: Mapping[str, Effect] | None = None, **plan: Any) -> Worlds:  # fmt: skip
    """All worlds of such rules; they begin at noon and time stands still."""
    plan_ = Plan(**{"now": NOON, "mode": "frozen", **plan})
    if store := os.environ.get("TASKTWIN_STORE"):
        return _SharedWorlds(*rules(folder, files, effects), plan_, RedisLink(store), uuid4().hex)
    return Worlds(*rules(folder, files, effects), plan_)


class _SharedWorlds(SharedWorlds):
    """Worlds that are used without a server, which would join them."""

    def get(self, name: str = DEFAULT) -> World:
        """The world, joined."""
        world = super().get(name)
        world.agree(lambda: None)
        return world


def world(folder: Path, *edits: tuple[str, str], effects: Mapping[str, Effect] | None = None) -> World:
    """One world, with texts of provider.yaml replaced."""
    text = None
    for old, new in edits:
        text = edited("provider.yaml", old, new, text)["provider.yaml"]
    return worlds(folder, {"provider.yaml": text} if text else None, effects).get()


def ask(world: World, operation: str, job: str = "", who: str = "ann", **parts: Any) -> Outcome:
    """Perform an operation as somebody, on a job."""
    query = {"page": 1, "size": 20, **parts.pop("query", {})}
    path = {"job_id": job} if job else {}
    return perform(world, Call(operation, {"name": who, "user": who}, path, query, **parts))


def titles(outcome: Outcome) -> list[str]:
    """The titles of the jobs of a page."""
    return [job["title"] for job in outcome.body["items"]]
