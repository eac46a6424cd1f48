"""AITasker, broken in what is sent and what is kept."""

from tests.deployments.aitasker.market import BRAND_KIT, TASK, TASKS, drafted, is_done, made, read, ways
from tests.deployments.breaking import recontracted
from tests.deployments.deployment import Caller, Data, twin
from tests.deployments.fault import Faults

from tasktwin import Provider
from tasktwin.behaviour.step import Step
from tasktwin.effects.aitasker import complete_task, keep_values
from tasktwin.server.asgi import App

FAULTS = Faults("aitasker")


def empty_draft_is_published(caller: Caller) -> bool:
    """A draft without a description is published."""
    return is_done(caller, f"{drafted(caller, title='Orders', description='')}/publish")


@FAULTS.of_rules(
    "published-empty",
    "validation",
    "SEED2: the minimum length is enforced when a draft is published",
    empty_draft_is_published,
)
def publish_without_content(data: Data) -> None:
    """A draft without a description is published."""
    ways(data)["publish"].update(effects=["give_title"])


def smallest_budget_is_refused(caller: Caller) -> bool:
    """A task for 3 dollars is refused, one for 4 is not."""
    answers = [caller.post(TASKS, "poster", json={**TASK, "budget_usd": budget}) for budget in (3, 4)]
    return [answer.status_code for answer in answers] == [422, 201]


@FAULTS.of_provider("bounds-excluded", "validation", "SEED1: 3 <= budget_usd <= 300", smallest_budget_is_refused)
def exclude_bounds(provider: Provider) -> App:
    """The smallest and the largest budget are refused."""

    def change(document: Data) -> None:
        budget = document["components"]["schemas"]["TaskCreate"]["properties"]["budget_usd"]
        budget |= {"exclusiveMinimum": budget.pop("minimum"), "exclusiveMaximum": budget.pop("maximum")}

    return twin(recontracted(provider, change))


def zero_is_lost(caller: Caller) -> bool:
    """A task is to be done without experiments."""
    return bool(read(caller, made(caller, experimentation=0))["experimentation"] != 0)


@FAULTS.of_effect("zero-is-nothing", "validation", "SEED1: 0 <= experimentation <= 1", zero_is_lost, "complete_task")
def take_zero_for_nothing(step: Step) -> None:
    """An experimentation of 0 becomes the default."""
    complete_task(step)
    step.set(experimentation=step.row["experimentation"] or 0.3)


def brand_kit_is_lost(caller: Caller) -> bool:
    """A draft with a brand kit gets another title."""
    draft = drafted(caller, brand_kit_id=BRAND_KIT)
    caller.patch(draft, "poster", json={"title": "Orders"})
    return read(caller, draft)["brand_kit_id"] is None


@FAULTS.of_effect(
    "autosave-clears", "contract", "SEED2: partial update, all fields optional", brand_kit_is_lost, "keep_values"
)
def save_whole_model(step: Step) -> None:
    """An autosave that does not mention the brand kit takes it away."""
    keep_values(step)
    if "brand_kit_id" not in step.body:
        step.set(brand_kit_id=None)


def requirements_are_not_kept(caller: Caller) -> bool:
    """The requirements of a draft are changed, and read again."""
    draft = drafted(caller)
    told = caller.patch(draft, "poster", json={"requirements": {"columns": 4}}).json()
    return bool(told["requirements"] != read(caller, draft)["requirements"])


@FAULTS.of_effect(
    "requirements-not-kept",
    "contract",
    "itself: PATCH and GET tell different things",
    requirements_are_not_kept,
    "keep_values",
)
def miss_changed_object(step: Step) -> None:
    """New requirements of a draft are answered and not kept."""
    keep_values(step)
    step.answer_as("task", step.row)
    step.set(requirements=(step.before or {})["requirements"])
