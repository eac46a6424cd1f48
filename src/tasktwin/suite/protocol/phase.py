"""The phase ``protocol``: promises that no schema tells."""

from collections.abc import Callable

from tasktwin.suite.lifecycle.ground import ground_of
from tasktwin.suite.protocol import idempotency, limit, paging, race, rpc, stream, upload
from tasktwin.suite.run import Run

PARTS = (idempotency, paging, upload, stream, rpc, race, limit)
"""What is looked at, in this order: what costs least first."""


def protocol(run: Run) -> None:
    """Hold the target against what its protocol promises."""
    ground = ground_of(run)
    units: list[tuple[str, Callable[[], None]]] = []
    for part in PARTS:
        units += part.units(ground.theatre, ground.atlas, ground.desk)
    run.work("protocol", units)
