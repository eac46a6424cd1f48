"""Routes about rows, as they are kept."""

from starlette.responses import Response

from tasktwin.behaviour.amount import canonical
from tasktwin.behaviour.rules import Collection
from tasktwin.errors import Refusal
from tasktwin.server.control.call import Call, Handler, ProblemError, answer
from tasktwin.state import Query, Row
from tasktwin.wire import Json


def get_state(call: Call) -> Response:
    """How many rows there are."""
    sizes = call.world.store.sizes()
    return answer(200, {"collections": {name: sizes.get(name, 0) for name in call.rules.collections}})


def list_rows(call: Call) -> Response:
    """Rows of a collection."""
    name = _collection(call)
    query = Query(name)
    rows = call.world.store.find(query, call.read.query["offset"], call.read.query["limit"])
    return answer(200, {"items": rows, "total": call.world.store.count(query)})


def get_row(call: Call) -> Response:
    """One row."""
    return answer(200, _row(call))


def put_row(call: Call) -> Response:
    """Put a row; it is held against the contract's schema."""
    collection = call.rules.collections[_collection(call)]
    row: Row = {**collection.blank, **call.read.body, collection.id_field: _key(collection, call.read.path["id"])}
    unknown = sorted(set(call.read.body) - set(collection.blank))
    if unknown:
        raise ProblemError(422, f"{collection.name} has no field {unknown[0]!r}; it has {', '.join(collection.blank)}")
    _write_decimals(collection, row)
    if collection.schema:
        shown = {key: value for key, value in row.items() if key not in collection.private}
        shown |= {join.field: join.otherwise for join in collection.joins}
        found = collection.schema.check(shown)
        if found:
            told = [{"where": each.where, "pointer": each.pointer, "message": each.message} for each in found]
            raise ProblemError(
                422, f"the row breaks the contract: {told[0]['pointer']}: {told[0]['message']}", violations=told
            )
    if fault := collection.fault(row):
        raise ProblemError(422, f"the row is not what the provider's data says: {fault}")
    with call.world.transaction():
        call.world.store.put(collection.name, str(row[collection.id_field]), row)
        call.world.arm(collection, row, call.world.instant)
    return answer(200, row)


def delete_row(call: Call) -> Response:
    """Remove a row."""
    _row(call)
    call.world.store.delete(_collection(call), call.read.path["id"])
    return Response(status_code=204)


def _collection(call: Call) -> str:
    name: str = call.read.path["collection"]
    if name not in call.rules.collections:
        raise ProblemError(404, f"there is no collection {name!r}; there are {', '.join(call.rules.collections)}")
    return name


def _row(call: Call) -> Row:
    row = call.world.store.get(_collection(call), call.read.path["id"])
    if row is None:
        raise ProblemError(404, f"there is no {call.read.path['collection']} {call.read.path['id']!r}")
    return row


def _key(collection: Collection, text: str) -> Json:
    """The identifier that a path names, as the collection's rows have it."""
    is_number = collection.make_id == "number" and text.isascii() and text.isdecimal() and len(text) < 16
    return int(text) if is_number and str(int(text)) == text else text


def _write_decimals(collection: Collection, row: Row) -> None:
    """Decimals as they are kept. Where no schema says which may be null, none may."""
    missing = [name for name in collection.decimals if row.get(name) is None and collection.schema is None]
    if missing:
        raise ProblemError(422, f"{collection.name} needs the decimal {' and '.join(missing)}")
    try:
        canonical(row, collection)
    except Refusal as refusal:
        raise ProblemError(422, refusal.detail) from None


ROUTES: dict[str, Handler] = {
    "getState": get_state,
    "listRows": list_rows,
    "getRow": get_row,
    "putRow": put_row,
    "deleteRow": delete_row,
}
