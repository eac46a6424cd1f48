"""PostHog Tasks, broken in the ways in which agents' tasks, runs, logs and streams break."""

from starlette.middleware.gzip import GZipMiddleware
from tests.deployments.breaking import fronted, turned, wait
from tests.deployments.deployment import Asked, Told, preceded, twin
from tests.deployments.fault import whole
from tests.deployments.posthog import access, lists, runs, streams, tasks

from tasktwin import Provider
from tasktwin.server.asgi import App


def differ_in_nothing_that_matters(provider: Provider) -> App:
    """Other words, other identifiers, further members and headers, in another order, compressed, and slower."""

    def alter(_asked: Asked, answered: Told) -> None:
        answered.headers |= {"x-request-id": "req-1", "vary": "Cookie"}
        value = answered.json()
        if answered.headers.get("content-type") != "application/json":
            return
        if isinstance(value, dict):
            for each in value.get("results", [value]):
                each.update({"team": 1} if "created_at" in each else {})
            for name in {"detail", "error"} & value.keys() if answered.status >= 400 else ():
                value[name] = f"Sorry: {value[name]}"
        answered.say(turned(value))

    return GZipMiddleware(preceded(fronted(twin(provider, seed=7), alter), wait), minimum_size=200)


DEPLOYMENTS = whole(
    [*access.FAULTS.all, *tasks.FAULTS.all, *lists.FAULTS.all, *runs.FAULTS.all, *streams.FAULTS.all],
    differ_in_nothing_that_matters,
)
