"""AITasker, broken in who may."""

from dataclasses import replace

from tests.deployments.aitasker.market import OTHERS, TASKS, drafted, is_done, made, read
from tests.deployments.breaking import rebound, recontracted
from tests.deployments.deployment import Caller, Data, edited, twin
from tests.deployments.fault import Faults

from tasktwin import Provider
from tasktwin.behaviour.condition import ALWAYS
from tasktwin.server.asgi import App

FAULTS = Faults("aitasker")


def gallery_is_others(caller: Caller) -> bool:
    """Somebody else's gallery is read, whose task is not there."""
    return [caller.get(f"{OTHERS}{path}", "poster").status_code for path in ("", "/bids")] == [404, 200]


@FAULTS.of_provider("foreign-gallery", "isolation", "itself: the task alone is not found by others", gallery_is_others)
def gallery_for_all(provider: Provider) -> App:
    """Anybody with a key reads the bids for a task, and with them the task."""
    task = replace(provider.rules.collections["task"], visible=ALWAYS)
    return twin(rebound(provider, "getBidGallery", collection=task))


def nobody_reads(caller: Caller) -> bool:
    """A task is read without a key, as its owner reads it."""
    task = made(caller)
    answer = caller.get(task)
    return answer.status_code == 200 and bool(answer.json() == read(caller, task))


@FAULTS.of_provider("read-by-nobody", "isolation", "GET: the header Authorization is required", nobody_reads)
def read_by_nobody(provider: Provider) -> App:
    """A task can be read without credentials."""

    def open_up(document: Data) -> None:
        document["paths"][TASKS + "/{task_id}"]["get"]["security"].append({})

    def change(data: Data) -> None:
        data["collections"]["task"]["visible"] = [data["collections"]["task"]["visible"], {"$principal": None}]

    return twin(recontracted(edited(provider, change), open_up))


def reader_publishes(caller: Caller) -> bool:
    """A draft is published with a read-only key."""
    return is_done(caller, f"{drafted(caller)}/publish", "reader")


@FAULTS.of_provider("reader-publishes", "isolation", "KEYS: read-only variants of the keys", reader_publishes)
def publish_by_readers(provider: Provider) -> App:
    """A read-only key publishes drafts."""

    def change(document: Data) -> None:
        document["paths"][TASKS + "/{task_id}/publish"]["post"]["security"] = [{"Bearer": []}]

    return twin(recontracted(provider, change))
