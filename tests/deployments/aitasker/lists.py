"""AITasker, broken in its lists."""

from dataclasses import replace

from tests.deployments.aitasker.market import TASKS
from tests.deployments.breaking import rebound
from tests.deployments.deployment import Caller, twin
from tests.deployments.fault import Faults

from tasktwin import Provider
from tasktwin.behaviour.expression import Scope
from tasktwin.server.asgi import App
from tasktwin.wire import Json

FAULTS = Faults("aitasker")


def row_comes_twice(caller: Caller) -> bool:
    """The second page repeats the last row of the first."""
    pages = [caller.get(f"{TASKS}?limit=3&offset={offset}", "poster").json() for offset in (0, 3)]
    first, second = ([task["id"] for task in page] for page in pages)
    return not set(first).isdisjoint(second)


@FAULTS.of_provider("pages-overlap", "paging", "itself: offset is how many tasks to skip", row_comes_twice)
def overlap_pages(provider: Provider) -> App:
    """The second page begins with the last row of the first."""
    paging = provider.rules.bindings["listTasks"].paging
    assert paging is not None
    start = paging.start

    def earlier(scope: Scope) -> Json:
        offset = start(scope)
        return offset - 1 if isinstance(offset, int) and offset > 0 else offset

    return twin(rebound(provider, "listTasks", paging=replace(paging, start=earlier)))


def filter_finds_too_few(caller: Caller) -> bool:
    """One cancelled task is asked for, and there is one, but not among the newest."""
    whole = caller.get(TASKS, "poster").json()
    found = caller.get(f"{TASKS}?status=cancelled&limit=1", "poster").json()
    return any(task["status"] == "cancelled" for task in whole) and found == []


@FAULTS.of_provider(
    "page-filtered", "filter", "itself: the same filter finds it on a larger page", filter_finds_too_few
)
def filter_the_page(provider: Provider) -> App:
    """Only the rows of a page are filtered, so that a small page finds nothing of what there is."""
    paging = provider.rules.bindings["listTasks"].paging
    assert paging is not None

    def fitting(scope: Scope) -> Json:
        wanted = {name: scope["request.query"].get(name) for name in ("status", "category")}
        asked = {name: value for name, value in wanted.items() if value is not None}
        return [row for row in scope["page"]["items"] if all(row[name] == value for name, value in asked.items())]

    return twin(rebound(provider, "listTasks", filters=(), paging=replace(paging, answer=fitting)))
