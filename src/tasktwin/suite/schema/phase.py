"""The four schema phases. Schemathesis is loaded when the first of them begins."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from tasktwin.contract import Operation
from tasktwin.errors import MisuseError
from tasktwin.suite.run import Run

if TYPE_CHECKING:
    from tasktwin.suite.schema.engine import Engine

LINKS = "links"
"""The unit of the stateful phase: its scenarios go from operation to operation, so that it cannot be divided by them."""


def examples(run: Run) -> None:
    """Send the examples that the contract gives."""
    _by_operation(run, "examples")


def coverage(run: Run) -> None:
    """Send the boundary values of every parameter and body, one at a time, and methods that are not declared."""
    _by_operation(run, "coverage")


def fuzzing(run: Run) -> None:
    """Send random requests, valid and invalid ones."""
    _by_operation(run, "fuzzing")


def stateful(run: Run) -> None:
    """Follow the contract's links from answer to request. Scenarios go on from what they made themselves."""
    with _opened(run, "stateful") as engine:
        schema = engine.only(*engine.operations)
        if not schema.statistic.transitions.selected:
            run.skip("stateful", LINKS, "no links between the operations that may be sent")
            return
        run.work("stateful", [(LINKS, lambda: engine.work(LINKS, schema, run.target.budget.left))])
        engine.see_that_all_was_sent()


def _opened(run: Run, phase: str) -> AbstractContextManager["Engine"]:
    """The engine. Raises ``MisuseError`` where it is not installed, or cannot read the contract."""
    try:
        from schemathesis.errors import SchemathesisError  # noqa: PLC0415 - heavy

        from tasktwin.suite.schema.engine import opened  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise MisuseError(f"the phase {phase} needs Schemathesis: pip install 'tasktwin[fuzz]' ({error})") from error
    try:
        return opened(run, phase)
    except SchemathesisError as error:
        raise MisuseError(f"the phase {phase} cannot use the contract: {error}") from error


def _by_operation(run: Run, phase: str) -> None:
    """Each operation is a unit of its own, with its fair share of the time that is left."""
    with _opened(run, phase) as engine:
        own = [each.id for each in engine.operations if run.mine(f"{phase}:{each.id}")]

        def do(operation: Operation) -> None:
            due = len(own) - own.index(operation.id)
            engine.work(operation.id, engine.only(operation), run.target.budget.left / due)

        units: list[tuple[str, Callable[[], None]]] = [(each.id, partial(do, each)) for each in engine.operations]
        run.work(phase, units)
        engine.see_that_all_was_sent()
