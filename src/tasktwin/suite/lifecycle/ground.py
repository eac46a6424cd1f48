"""What the phases beside the oracle stand on: a theatre, a desk to sketch stories at, and the atlas of this API."""

from dataclasses import dataclass

from tasktwin.suite.lifecycle.atlas import Atlas, explore
from tasktwin.suite.lifecycle.tour import Guide
from tasktwin.suite.run import Run
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import Theatre
from tasktwin.suite.story.step import probe


@dataclass(frozen=True, slots=True)
class Ground:
    """Made once for a run."""

    theatre: Theatre
    desk: Desk
    atlas: Atlas
    principals: list[str]


def ground_of(run: Run) -> Ground:
    """The ground of a run: what may be sent, by whom, and how to get anywhere."""
    if not isinstance(run.ground, Ground):
        run.ground = _made(run)
    return run.ground


def _made(run: Run) -> Ground:
    theatre = Theatre(run)
    rules = run.provider.rules
    allowed = {
        name: each
        for name, each in theatre.inputs.items()
        if name not in rules.streams and run.target.may_send(probe(rules.contract, name))
    }
    desk = Desk(run.provider, allowed, theatre.oracle.now, run.options.seed)
    principals = [name for name in rules.principals if name in run.target.callers.headers]
    atlas = explore(desk, principals, may_wait=run.target.has_clock, streams=rules.streams)
    theatre.compare_beginnings(Guide(desk, atlas, principals, run.asked_for).beginnings())
    return Ground(theatre, desk, atlas, principals)
