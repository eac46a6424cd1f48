"""AITasker, broken in the ways in which a market of drafts, bids and deliveries breaks."""

from starlette.middleware.gzip import GZipMiddleware
from tests.deployments.aitasker import access, answers, content, life, lists
from tests.deployments.breaking import fronted, turned, wait
from tests.deployments.deployment import Asked, Told, preceded, twin
from tests.deployments.fault import whole

from tasktwin import Provider
from tasktwin.server.asgi import App


def differ_in_nothing_that_matters(provider: Provider) -> App:
    """Other words, other identifiers, further members and headers, in another order, compressed, and slower."""

    def alter(asked: Asked, told: Told) -> None:
        told.headers |= {"x-request-id": "req-1", "server-timing": "app;dur=30"}
        value = told.json()
        if not isinstance(value, (dict, list)) or not asked.path.startswith("/api/"):
            return
        if isinstance(value, dict) and isinstance(value.get("detail"), str):
            value["detail"] = f"Sorry, {value['detail'].lower()}!"
        for each in value if isinstance(value, list) else [value]:
            each["request_id"] = "req-1"
        told.say(turned(value))

    return GZipMiddleware(preceded(fronted(twin(provider, seed=7), alter), wait), minimum_size=200)


DEPLOYMENTS = whole(
    [*life.FAULTS.all, *access.FAULTS.all, *lists.FAULTS.all, *content.FAULTS.all, *answers.FAULTS.all],
    differ_in_nothing_that_matters,
)
