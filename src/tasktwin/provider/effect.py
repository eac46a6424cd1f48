"""Effects are found through the entry point group ``tasktwin.effects``: a provider's data names one of them."""

from importlib.metadata import entry_points

from tasktwin.behaviour.rules import Effect
from tasktwin.errors import DataError, Problem
from tasktwin.provider.yaml_file import did_you_mean

GROUP = "tasktwin.effects"


def find_effects(name: str | None) -> dict[str, Effect]:
    """The effects by name: the functions that ``behaviour.step.effect`` marked. Raises ``DataError`` if unknown."""
    if name is None:
        return {}
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        raise DataError(
            Problem(f"no installed package offers the effects {name!r}", "/effects", hint=did_you_mean(name, [*known]))
        )
    module = known[name].load()
    return {key: each for key, each in vars(module).items() if getattr(each, "refuses", None) is not None}
