"""PostHog Tasks, broken in who may."""

from tests.deployments.deployment import Caller, Data
from tests.deployments.fault import Faults
from tests.deployments.posthog.project import BENS, RUN, TASK, TASKS

FAULTS = Faults("posthog")


def mates_task_is_read(caller: Caller) -> bool:
    """Ada reads what Ben keeps for himself."""
    return caller.get(BENS, "ada").status_code == 200


@FAULTS.of_rules(
    "mates-task", "isolation", "VIS: a task is visible to who created it; TESTP: else 404", mates_task_is_read
)
def all_by_id(data: Data) -> None:
    """A team-mate's task, which no list shows, can be read, changed and run by its id."""
    anybody = {"project_id": "$project#/id", "$request.path.task_id": {"set": True}}
    data["collections"]["task"]["visible"].append(anybody)


def mates_run_is_read(caller: Caller) -> bool:
    """Ada reads the run of a task that she does not see, under a task of her own."""
    return caller.get(f"{TASK('01')}runs/{RUN('10')}/", "ada").status_code == 200


@FAULTS.of_rules("run-of-any-task", "isolation", "API: a run belongs to the task in its path", mates_run_is_read)
def run_of_any_task(data: Data) -> None:
    """A run is found under any task, so that runs of invisible tasks can be read."""
    del data["operations"]["retrieveRun"]["where"]


def another_tasks_run_is_resumed(caller: Caller) -> bool:
    """A run of one task goes on with what a run of another did."""
    answer = caller.post(f"{TASK('02')}run/", "ada", json={"resume_from_run_id": RUN("02")})
    return answer.status_code == 200


@FAULTS.of_rules(
    "resumes-any-run",
    "isolation",
    "API: resume_from_run_id is a run of the same task, else 400",
    another_tasks_run_is_resumed,
)
def resume_any_run(data: Data) -> None:
    """A run can resume one of another task, and takes over what that was given."""
    for name in ("runTask", "createRun"):
        for need in data["operations"][name]["needs"]:
            if need["as"] == "origin":
                del need["where"]


def limited_key_goes_elsewhere(caller: Caller) -> bool:
    """A key for the other project reads this one."""
    return caller.get(TASKS, "ada_beta").status_code == 200


@FAULTS.of_rules(
    "key-for-all-projects",
    "isolation",
    "PERM: API key does not have access to the requested project",
    limited_key_goes_elsewhere,
)
def key_for_all_projects(data: Data) -> None:
    """A key that is limited to one project is good for all of its owner's."""
    data["admission"].pop()
