"""What the control plane says of itself."""

from functools import cache
from importlib import resources

from tasktwin.contract import Contract, compile_contract
from tasktwin.wire import Json, loads


@cache
def control_document() -> Json:
    """The control plane's OpenAPI document."""
    return loads((resources.files("tasktwin.server.control") / "control.json").read_bytes())


@cache
def control_contract() -> Contract:
    """The same, compiled when the control plane is first used."""
    return compile_contract(control_document())
