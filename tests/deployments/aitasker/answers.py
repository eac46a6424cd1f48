"""AITasker, broken in how it answers."""

from tests.deployments.aitasker.market import BRAND_KIT, LONGEST_TITLE, TASK, TASKS, drafted
from tests.deployments.breaking import fronted
from tests.deployments.deployment import Asked, Caller, Data, Told, edited, twin
from tests.deployments.fault import Faults

from tasktwin import Provider
from tasktwin.behaviour.step import Step, effect
from tasktwin.effects.aitasker import complete_task
from tasktwin.server.asgi import App

FAULTS = Faults("aitasker")


def missing_is_fine(caller: Caller) -> bool:
    """A task is read that is not there."""
    answer = caller.get(f"{TASKS}/{BRAND_KIT}", "poster")
    return answer.status_code == 200


@FAULTS.of_provider(
    "missing-is-fine", "error", "HTTP: RFC 9110, 15.3.1; GET: the answer of 200 is a task", missing_is_fine
)
def tell_errors_as_fine(provider: Provider) -> App:
    """A task that is not there is answered with 200 and an error."""

    def alter(asked: Asked, told: Told) -> None:
        if told.status == 404 and asked.path.startswith(f"{TASKS}/"):
            told.status = 200

    return fronted(twin(provider), alter)


def longest_title_breaks(caller: Caller) -> bool:
    """A task has the longest title that is allowed."""
    return caller.post(TASKS, "poster", json={**TASK, "title": "x" * LONGEST_TITLE}).status_code == 500


@FAULTS.of_provider("longest-title", "error", "SEED1: title has at most 200 characters", longest_title_breaks)
def break_on_longest_title(provider: Provider) -> App:
    """The longest title that is allowed is answered with 500."""

    @effect("broken")
    def complete(step: Step) -> None:
        if len(step.row["title"] or "") == LONGEST_TITLE:
            step.refuse("broken")
        complete_task(step)

    def change(data: Data) -> None:
        unforeseen = {"status": 500, "media": "text/plain", "message": "", "shape": "Internal Server Error"}
        data["errors"]["kinds"]["broken"] = {**unforeseen, "provenance": "observed FASTAPI"}

    return twin(edited(provider, change, complete_task=complete))


def published_lacks_fields(caller: Caller) -> bool:
    """A draft is published."""
    return "compute_budget" not in caller.post(f"{drafted(caller)}/publish", "poster").json()


@FAULTS.of_provider(
    "nulls-left-out", "contract", "GET: compute_budget is required and may be null", published_lacks_fields
)
def leave_out_nulls(provider: Provider) -> App:
    """What is null is left out when a draft is published."""

    def alter(asked: Asked, told: Told) -> None:
        if asked.path.endswith("/publish") and told.status == 200:
            told.say({name: value for name, value in told.json().items() if value is not None})

    return fronted(twin(provider), alter)


def nothing_is_used_up(caller: Caller) -> bool:
    """The categories are read three times."""
    answers = [caller.get("/api/v1/categories", "poster") for _ in range(3)]
    return len({answer.headers["x-ratelimit-remaining"] for answer in answers}) == 1


@FAULTS.of_provider("never-used-up", "limit", "OVERVIEW: every response has X-RateLimit-Remaining", nothing_is_used_up)
def count_nobody(provider: Provider) -> App:
    """However often one asks, only one request counts as made."""

    def alter(_asked: Asked, told: Told) -> None:
        if limit := told.headers.get("x-ratelimit-limit"):
            told.headers["x-ratelimit-remaining"] = str(int(limit) - 1)

    return fronted(twin(provider), alter)
