"""What makes one doubt that a run says anything of the deployment: the wrong address, or credentials that it does not know."""

from collections import defaultdict
from collections.abc import Iterator

from tasktwin.suite.run import Run
from tasktwin.suite.traffic import NOBODY

UNKNOWN = 401
TOO_MANY = 429


def doubts(run: Run) -> Iterator[str]:
    """Each as a sentence that says what to look at."""
    if not run.target.sent and not run.cut and (cut := next((each.cut for each in run.ended if each.cut), "")):
        yield f"not one request was sent: {cut}"
    statuses = {status for _, status in run.answered}
    if statuses - {0, TOO_MANY} and not any(200 <= each < 300 for each in statuses):
        yield "no answer was a success: is this the API's base URL, and are the credentials valid there?"
    elif unknown := _unknown(run):
        whose = "these" if run.target.callers.secret else "the demo"
        other = "" if run.target.callers.secret else " --credentials FILE says which to send."
        yield (
            f"of {', '.join(unknown)} nothing succeeded that needs credentials, and {sum(unknown.values()):,} requests "
            f"were answered {UNKNOWN}: are {whose} credentials valid there?{other}"
        )


def _unknown(run: Run) -> dict[str, int]:
    """The callers for whom no request succeeded that needs credentials, and how often each was answered 401."""
    closed = {
        each.id for each in run.provider.rules.contract.operations.values() if each.security and all(each.security)
    }
    good: defaultdict[str, int] = defaultdict(int)
    refused: defaultdict[str, int] = defaultdict(int)
    for sent in tuple(run.target.traffic):
        who = sent.request.as_
        if who != NOBODY and sent.request.operation in closed:
            good[who] += sent.reply.good
            refused[who] += sent.reply.status == UNKNOWN
    return {who: refused[who] for who in run.target.callers.headers if refused[who] and not good[who]}
