"""A small run, made by hand: what the reports are tried on. Nothing is sent."""

from functools import cache

from tasktwin import Provider, load
from tasktwin.suite.budget import Budget
from tasktwin.suite.finding import Basis, Finding, Line
from tasktwin.suite.run import Ended, Options, Run
from tasktwin.suite.target import Callers, Target
from tasktwin.suite.traffic import Reply, Request, Sent
from tasktwin.wire import dumps

URL = "http://127.0.0.1:8080"
COMMAND = f"tasktwin fuzz {URL} --provider uumit --seed 7"
JSON = {"content-type": "application/json"}
MORNING = 1_767_225_600_000_000
SECRET = "s3cr3t-Key/of+Alice&Bob"

STATED = Basis("stated", "Only the poster may accept an application.", "https://uumit.com/en/docs/api/tasks/")
ASSUMED = Basis("assumed", "A closed task takes no further applications.")


@cache
def uumit() -> Provider:
    return load("uumit")


def line(method: str, path: str, status: int, sent: object = None, answered: object = None) -> Line:
    request = Request(
        method, path, "human_bob", JSON if sent else {}, dumps(sent) if sent else b"", "acceptApplication"
    )
    return Line(request, Reply(status, JSON, dumps(answered), 0.012, MORNING), "the other one accepts")


STORY = (
    line("POST", "/api/v1/tasks/", 200, {"title": "Übersetzen"}, {"code": 0, "data": {"id": "t1", "status": "open"}}),
    line("POST", "/api/v1/tasks/t1/applications/a1/accept", 200, None, {"code": 0, "data": {"status": "accepted"}}),
)


def finding(title: str = "A stranger accepts an application", **other: object) -> Finding:
    values: dict[str, object] = {
        "rule": "lifecycle.refused",
        "operation": "acceptApplication",
        "title": title,
        "expected": "refused with 403 (code 40301)",
        "actual": "200, and the application is accepted",
        "basis": STATED,
        "cause": f"lifecycle.refused:acceptApplication:{title}",
        "phase": "lifecycle",
        "story": STORY,
        "script": 'curl -sS -X POST "$URL/api/v1/tasks/" -H "X-Api-Key: $BOB"\ncurl -sS -X POST "$URL/accept"\n',
    }
    return Finding(**{**values, **other})  # type: ignore[arg-type]


def small_run(*findings: Finding, callers: Callers | None = None, cut: str = "") -> Run:
    """Two phases that ended, the second by time, with what is given found in them."""
    target = Target(URL, callers or Callers({"human_bob": {"X-Api-Key": "demo-bob"}}), Budget())
    run = Run(uumit(), target, Options(phases=("protocol", "lifecycle"), seed=7), cut=cut)
    for each in findings:
        run.report(each)
    run.units += ["protocol:isolation getTask", "lifecycle:walk 1", "lifecycle:walk 2"]
    run.skip("protocol", "stream generation", "it would take 300 s")
    run.ended += [Ended("protocol", 1.25, ""), Ended("lifecycle", 64.0, cut or "the time is over")]
    run.taken.update(
        {("task", "publish"): 0, ("application", next(iter(uumit().rules.lifecycles["application"].transitions))): 2}
    )
    run.answered.update({("createTask", 200): 12, ("createTask", 599): 1, ("getTask", 404): 3})
    run.leftovers.append("task t9: deleteTask answered 409")
    for number, step in enumerate(STORY, 1):
        target.traffic.append(Sent(number, "lifecycle", step.request, step.reply, MORNING))
    target.sent = len(STORY)
    return run
