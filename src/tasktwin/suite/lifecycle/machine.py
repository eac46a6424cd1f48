"""The Hypothesis state machine behind the walks. It draws; what a step is, the planner knows."""

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

if TYPE_CHECKING:
    from tasktwin.suite.lifecycle.walk import Planner


def machine(planner: "Planner") -> type[RuleBasedStateMachine]:
    """A state machine each of whose examples is one walk."""

    class Walk(RuleBasedStateMachine):
        @initialize(data=st.data())
        def begin(self, data: Any) -> None:
            self.walk = planner.begin(data.draw)

        @rule(data=st.data())
        def step(self, data: Any) -> None:
            planner.extend(self.walk, data.draw)

        def teardown(self) -> None:
            if hasattr(self, "walk"):
                planner.end(self.walk)

    return Walk
