"""What was played of a scenario, and which lines of it are needed to come to the last one's answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tasktwin.provider.scenario import Step
from tasktwin.provider.scenario.condition import operands
from tasktwin.provider.scenario.expression import Expression
from tasktwin.suite.finding import Line
from tasktwin.suite.scenario.request import uses

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Played:
    """A step that was sent, and to which row its trigger came, if it has one. ``wait`` are seconds that passed before."""

    flow: str
    step: Step
    line: Line
    triggered: str = ""
    wait: float = -1.0

    @property
    def waited(self) -> float:
        """Seconds that passed before it, with those before steps that were left out."""
        return self.step.wait if self.wait < 0 else self.wait

    @property
    def changed(self) -> bool:
        """Whether it may have changed something."""
        return bool(self.triggered) or (self.line.request.method not in SAFE and self.line.reply.good)


def needed(played: Sequence[Played]) -> list[Played]:
    """The lines without which the last one would not come to the same: those whose outputs are used, and the changes
    of what it is about. Where workflows call each other every change is kept.
    """
    if not played:
        return []
    several = len({each.flow for each in played}) > 1
    last = played[-1]
    kept, wanted = [last], {each.text: each for each in (*uses(last.step), *_judged(last.step))}
    for each in reversed(played[:-1]):
        own = {one.text: one for one in uses(each.step)}
        gives = any(one.root == "steps" and one.owner == each.step.id for one in wanted.values())
        if gives or (each.changed and (several or own.keys() & wanted.keys())):
            kept.append(each)
            wanted |= own
        elif each.waited > 0:
            kept[-1] = replace(kept[-1], wait=kept[-1].waited + each.waited)
    return kept[::-1]


def _judged(step: Step) -> Iterable[Expression]:
    """What the criteria of a step compare with."""
    for each in (*step.criteria, *step.own_criteria):
        for operand in operands(each.simple) if each.simple else ():
            if isinstance(operand, Expression):
                yield operand
