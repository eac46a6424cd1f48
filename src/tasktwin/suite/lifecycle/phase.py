"""The phase ``lifecycle``: tours through all states and transitions, then random walks, beside the oracle."""

from collections.abc import Sequence
from functools import partial

from tasktwin.suite.lifecycle.boundary import edges
from tasktwin.suite.lifecycle.ground import ground_of
from tasktwin.suite.lifecycle.tour import Guide, Tour
from tasktwin.suite.lifecycle.walk import Planner
from tasktwin.suite.run import Run
from tasktwin.suite.story.pursue import pursue
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Step

MOST_BEGINNINGS = 12
"""So often a tour begins anew after a trial that changed something."""


def lifecycle(run: Run) -> None:
    """Walk through the lifecycles on the target and on the oracle."""
    ground = ground_of(run)
    for name in sorted(ground.theatre.inputs.keys() - ground.desk.inputs.keys() - run.provider.rules.streams):
        run.skip("lifecycle", name, "it writes, and was not allowed")
    guide = Guide(ground.desk, ground.atlas, ground.principals, run.asked_for)
    tours = [*guide.tours(), *edges(ground.desk, ground.atlas)]
    planner = Planner(ground.desk, ground.principals, run.options.seed, may_wait=run.target.has_clock)
    _take(run, ground.theatre, tours)
    if not run.options.operations:
        for walks in planner.batches(run.options.max_examples):
            _take(run, ground.theatre, walks)


def _take(run: Run, theatre: Theatre, tours: Sequence[Tour]) -> None:
    run.work("lifecycle", [(tour.name, partial(go, theatre, tour)) for tour in tours])
    run.target.budget.check()


def go(theatre: Theatre, tour: Tour) -> None:
    """Go on a tour; after a trial that parted the two sides, begin anew behind it."""
    left: Sequence[Step] = tour.trials
    for _ in range(MOST_BEGINNINGS):
        done = 0
        with theatre.stage() as stage:
            if not _play(theatre, stage, tour.prelude):
                return
            for step in left:
                done += 1
                if not _play(theatre, stage, [step]):
                    break
        left = left[done:]
        if not left:
            return


def _play(theatre: Theatre, stage: Stage, steps: Sequence[Step]) -> bool:
    """Take steps; whether the two sides are still in the same state."""
    for step in steps:
        if step.base and theatre.alike:
            continue
        taken = stage.take(step)
        look_into(theatre, stage, taken)
        if not taken.in_step:
            return False
    return True


def look_into(theatre: Theatre, stage: Stage, taken: Taken) -> None:
    """Report what is wrong with a step."""
    for mismatch in taken.found:
        pursue(theatre, stage, taken, mismatch)
