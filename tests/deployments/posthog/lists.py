"""PostHog Tasks, broken in its lists."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tests.deployments.breaking import rebound
from tests.deployments.deployment import Caller, twin
from tests.deployments.fault import Faults
from tests.deployments.posthog.project import TASKS, noted, read

from tasktwin import Provider
from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.step import Step
from tasktwin.effects.posthog import log_entries
from tasktwin.effects.posthog_log import MOST_ENTRIES
from tasktwin.server.asgi import App
from tasktwin.state import Row
from tasktwin.wire import Json

FAULTS = Faults("posthog")


def count_is_of_the_page(caller: Caller) -> bool:
    """There is a next page, and yet no more than this one holds."""
    page = read(caller, f"{TASKS}?limit=2")
    return page["next"] is not None and page["count"] == 2


@FAULTS.of_provider("counts-the-page", "paging", "API: count is how many there are after filters", count_is_of_the_page)
def count_the_page(provider: Provider) -> App:
    """The count of a list is that of the page."""
    paging = provider.rules.bindings["listTasks"].paging
    assert paging is not None
    tell = paging.answer

    def count(scope: Scope) -> Json:
        page = tell(scope)
        return {**page, "count": len(page["results"])}

    return twin(rebound(provider, "listTasks", paging=replace(paging, answer=count)))


def next_page_is_of_all(caller: Caller) -> bool:
    """The next page of a filtered list is followed."""
    page = read(caller, f"{TASKS}?repository=acme/app&limit=1")
    return any(task["repository"] != "acme/app" for task in read(caller, page["next"])["results"])


@FAULTS.of_provider(
    "next-forgets-filters", "paging", "PROBE: links keep the other query parameters", next_page_is_of_all
)
def link_without_filters(provider: Provider) -> App:
    """The link to the next page leaves out the filters."""
    paging = provider.rules.bindings["listTasks"].paging
    assert paging is not None
    tell = paging.answer

    def bare(link: str | None) -> str | None:
        if link is None:
            return None
        parts = urlsplit(link)
        kept = [pair for pair in parse_qsl(parts.query) if pair[0] in ("limit", "offset")]
        return urlunsplit(parts._replace(query=urlencode(kept)))

    def forget(scope: Scope) -> Json:
        page = tell(scope)
        return {**page, "next": bare(page["next"]), "previous": bare(page["previous"])}

    return twin(rebound(provider, "listTasks", paging=replace(paging, answer=forget)))


def old_status_is_found(caller: Caller) -> bool:
    """A task is listed as failed whose latest run is in progress."""
    found = read(caller, f"{TASKS}?status=failed")["results"]
    return any(task["latest_run"]["status"] != "failed" for task in found)


@FAULTS.of_provider("status-of-any-run", "filter", "API: status is that of the latest run", old_status_is_found)
def any_run_counts(provider: Provider) -> App:
    """A list filtered by status has tasks of which an earlier run had it."""

    def has_had_status(step: Step, row: Row, value: str) -> bool:
        return step.count("run", task=row["id"], status=value) > 0

    filters = provider.rules.bindings["listTasks"].filters
    joined = tuple(replace(each, test=has_had_status) if each.field == "status" else each for each in filters)
    return twin(rebound(provider, "listTasks", filters=joined))


def more_is_promised(caller: Caller) -> bool:
    """A log is read in as many entries as it has."""
    run = noted(caller, 2)
    first, second = (caller.get(f"{run}session_logs/?limit=2&offset={offset}", "ada") for offset in (0, 2))
    return first.headers["x-has-more"] == "true" and second.json() == []


@FAULTS.of_effect("more-after-the-last", "paging", "API: X-Has-More", more_is_promised, "log_entries")
def more_after_the_last(step: Step) -> Json:
    """The last part of a log says that there is more when it is full."""
    part = log_entries(step)
    more = str(len(part) == (step.scope["request.query"].get("limit") or MOST_ENTRIES)).lower()
    said = step.scope["told"]
    said["headers"] = tuple((name, more if name == "X-Has-More" else value) for name, value in said["headers"])
    return part
