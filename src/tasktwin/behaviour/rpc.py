"""JSON-RPC 2.0 over one operation: each method stands for an operation of the contract.

The rules are those of https://www.jsonrpc.org/specification, with one restriction that the data states: a batch is
refused. A request without ``id`` is a notification: it is obeyed, and nothing is answered.
"""

from dataclasses import replace

from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.idempotency import find_key, keep, recall
from tasktwin.behaviour.rules import Binding, Method
from tasktwin.behaviour.verb import Call, Outcome, act
from tasktwin.behaviour.world import World
from tasktwin.errors import Refusal
from tasktwin.wire import Json

PARSE_ERROR = (-32700, "Parse error")
INVALID_REQUEST = (-32600, "Invalid Request")
METHOD_NOT_FOUND = (-32601, "Method not found")
INVALID_PARAMS = (-32602, "Invalid params")
INTERNAL_ERROR = (-32603, "Internal error")

EXACT = 2**53
"""From here on a number that was read as a double need not be the one that was sent."""


def answer(world: World, binding: Binding, call: Call) -> Outcome:
    """Answer one JSON-RPC request. Never raises ``Refusal``: a refusal becomes a JSON-RPC error."""
    if call.unreadable:
        return _error(None, PARSE_ERROR, call.unreadable)
    request = call.body
    if isinstance(request, list):
        return _error(None, INVALID_REQUEST, "batches are not supported: send one request object")
    fault = _fault(request)
    if fault:
        return _error(None, INVALID_REQUEST, fault)
    outcome = _dispatch(world, binding, call, request)
    if "id" not in request:
        return Outcome(None, outcome.reason, status=204)
    return outcome


def _fault(request: Json) -> str:
    """What makes this no request object; empty when it is one."""
    if not isinstance(request, dict):
        return "a request is an object"
    if request.get("jsonrpc") != "2.0":
        return 'jsonrpc must be "2.0"'
    if not isinstance(request.get("method"), str):
        return "method must be a string"
    if "params" in request and not isinstance(request["params"], (dict, list)):
        return "params must be an object or an array"
    return _fault_of_id(request.get("id"))


def _fault_of_id(key: Json) -> str:
    if isinstance(key, (dict, list, bool)):
        return "id must be a string, a number or null"
    if isinstance(key, float) and abs(key) >= EXACT:
        return "id is a number that would not come back as it was sent: send it as a string"
    return ""


def _dispatch(world: World, binding: Binding, call: Call, request: dict[str, Json]) -> Outcome:
    key = request.get("id")
    method = binding.methods.get(request["method"])
    if method is None:
        return _error(key, METHOD_NOT_FOUND, f"{request['method']} is none of {', '.join(sorted(binding.methods))}")
    params = request.get("params", {})
    violations = method.params.check(params) if method.params else ()
    if violations:
        return _error(key, INVALID_PARAMS, "; ".join(f"{each.pointer or '/'}: {each.message}" for each in violations))
    try:
        return _obey(world, method, call, params, key)
    except Refusal as refusal:
        code, message = {**binding.rpc_errors, **method.errors}.get(refusal.kind, INTERNAL_ERROR)
        return _error(key, (code, message), str(refusal.detail or refusal.kind), f"refused: {refusal.kind}")


def _obey(world: World, method: Method, call: Call, params: Json, key: Json) -> Outcome:
    scope: Scope = {**world.scope(), "params": params, "principal": call.principal}
    body = _body(world, method, scope)
    inner = Call(method.operation, call.principal, path=method.path(scope), header=call.header, body=body)
    inner.stream, inner.bounded, inner.also = method.stream, call.bounded, {"params": params, "rpc": {"id": key}}
    rule = world.rules.idempotency
    verb = world.rules.contract.operations[method.operation].method
    once = find_key(rule, verb, method.operation, call.header, inner.body) if rule else None
    # What REST kept for the same key is another answer, in another shape: the two never meet.
    asked = replace(inner, operation=f"{call.operation} {method.operation}")
    if once and (row := recall(world, asked, once)):
        return Outcome({"jsonrpc": "2.0", "id": key, "result": row["result"]}, "replay")
    with world.transaction():
        outcome = act(world, world.rules.bindings[method.operation], inner)
    if outcome.refusal:
        raise outcome.refusal
    if outcome.stream:
        return outcome
    result = method.result({**scope, "response.body": outcome.body})
    if once and rule:
        keep(world, rule, asked, once, result=result)
    return Outcome({"jsonrpc": "2.0", "id": key, "result": result}, outcome.reason)


def _body(world: World, method: Method, scope: Scope) -> Json:
    """The body that REST would have been sent: parameters that were not given are absent. Raises ``Refusal``."""
    body = method.body(scope)
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if value is not None}
    declared = world.rules.contract.operations[method.operation].body
    medium = declared.content.first_json() if declared else None
    violations = medium.check(body, "body") if medium and body is not None else ()
    if violations:
        raise Refusal("invalid", "; ".join(f"{each.pointer or '/'}: {each.message}" for each in violations), violations)
    return body


def _error(key: Json, error: tuple[int, str], detail: str, reason: str = "") -> Outcome:
    code, message = error
    body = {"jsonrpc": "2.0", "id": key, "error": {"code": code, "message": message, "data": {"detail": detail}}}
    return Outcome(body, reason or f"refused: {message.lower()}")
