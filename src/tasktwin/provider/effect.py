"""Effects are found through the entry point group ``tasktwin.effects``: a provider's data names one of them."""

from collections.abc import Callable
from importlib.metadata import entry_points

from tasktwin.behaviour.rules import Effect
from tasktwin.errors import DataError, Problem
from tasktwin.provider.yaml_file import did_you_mean

GROUP = "tasktwin.effects"


def find_effects(name: str | None) -> tuple[dict[str, Effect], dict[str, Callable[..., bool]]]:
    """The effects and the tests by name: what ``effect`` and ``predicate`` marked. Raises ``DataError`` if unknown."""
    if name is None:
        return {}, {}
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        raise DataError(
            Problem(f"no installed package offers the effects {name!r}", "/effects", hint=did_you_mean(name, [*known]))
        )
    found = vars(known[name].load())
    effects = {key: each for key, each in found.items() if getattr(each, "refuses", None) is not None}
    return effects, {key: each for key, each in found.items() if getattr(each, "tests", False)}
