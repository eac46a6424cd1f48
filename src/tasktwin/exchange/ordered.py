"""Answers that were ordered instead of earned: by a fault, or by a client's wish."""

from tasktwin.behaviour.deed import DelayFault, DropFault, StatusFault
from tasktwin.behaviour.verb import EVENT_STREAM
from tasktwin.exchange.exchange import Exchange, written


def strike(exchange: Exchange) -> None:
    """Choose the fault that this request meets, if any. What strikes the request itself is answered here."""
    faults = exchange.world.faults
    name, method = exchange.operation.id, exchange.method
    fault = exchange.fault = faults.choose(name, exchange.caller, method, stream=False)
    do = fault.do if fault else None
    if isinstance(do, DelayFault):
        exchange.pause = do.seconds
    elif isinstance(do, StatusFault):
        answer_with(exchange, do.status)
        exchange.replayed = True
        if do.wait is not None:
            exchange.extra.append(("retry-after", str(do.wait)))
    elif isinstance(do, DropFault) and do.when == "before":
        exchange.media, exchange.replayed = "", True


def answer_with(exchange: Exchange, status: int) -> None:
    """An answer of this status in the provider's own words, as far as its data and its contract have any."""
    exchange.status = status
    if status in (204, 304) or status < 200:
        return
    errors, example = exchange.world.rules.errors, exchange.operation.example(status)
    kind = next((name for name, each in errors.answers.items() if each.status == status), None)
    if example and example[0] != EVENT_STREAM and not (kind and status >= 400):
        exchange.media, exchange.shape = example
    elif status >= 400:
        like = [name for name, each in errors.answers.items() if each.status // 100 == status // 100]
        _, exchange.media, exchange.shape = errors.body(
            {**exchange.world.scope(), "method": exchange.method}, kind or next(iter(like), "invalid"), "", None, []
        )
    exchange.answer = written(exchange.shape, exchange.media)
