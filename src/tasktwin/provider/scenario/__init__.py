"""Scenarios: Arazzo documents, read and checked. Who plays them is the suite's business."""

from tasktwin.provider.scenario.document import (
    Action,
    Criterion,
    Parameter,
    Scenario,
    Step,
    StreamWish,
    Trigger,
    Workflow,
)
from tasktwin.provider.scenario.reading import check_scenario, read_scenario

__all__ = [
    "Action",
    "Criterion",
    "Parameter",
    "Scenario",
    "Step",
    "StreamWish",
    "Trigger",
    "Workflow",
    "check_scenario",
    "read_scenario",
]
