"""What an API says: operations, compiled checks, examples.

``compile_contract`` turns an OpenAPI document into a ``Contract``; ``Contract.match`` finds the ``Operation`` of a
request, ``Operation.read`` decodes and checks the request, ``Operation.check_response`` checks an answer. What they
find are ``Violation`` values. ``verify`` is the slow and complete check of the document itself.
"""

from tasktwin.contract.document import Contract, compile_contract
from tasktwin.contract.operation import Operation, Reading, Requirement, content_type
from tasktwin.contract.reference import verify
from tasktwin.contract.router import Match, NoMethod, NoPath
from tasktwin.contract.schema import Schema
from tasktwin.contract.security import SecurityScheme
from tasktwin.contract.violation import Violation

__all__ = [
    "Contract",
    "Match",
    "NoMethod",
    "NoPath",
    "Operation",
    "Reading",
    "Requirement",
    "Schema",
    "SecurityScheme",
    "Violation",
    "compile_contract",
    "content_type",
    "verify",
]
