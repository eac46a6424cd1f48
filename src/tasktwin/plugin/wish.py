"""What a test wants its twin to be, as its marker or a call of ``twin_factory`` says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Self

from tasktwin.errors import MisuseError
from tasktwin.wire import Json

BEGINNINGS = {"seeds": "seeds", "seed": "seed", "now": "now", "clock": "mode", "limits": "limits", "faults": "faults"}
"""How a world begins: what tests call it, and what the control plane does, which says what is wrong with a value."""

OPTIONS = (*BEGINNINGS, "strict")


@dataclass(frozen=True, slots=True)
class WorldWish:
    """A provider, by its bundled name or its folder, how its world begins, and whether wrong requests fail the test.

    ``provider`` is empty and ``strict`` is ``None`` when nothing was said of them.
    """

    provider: str = ""
    begins: Mapping[str, Json] = field(default_factory=dict)
    strict: bool | None = None

    @classmethod
    def read(cls, arguments: Sequence[object], options: Mapping[str, Json]) -> Self:
        """From the arguments of a marker or a call. Raises ``MisuseError`` for what none of them can be."""
        if len(arguments) > 1 or any(not isinstance(each, str) or not each for each in arguments):
            told = ", ".join(map(repr, arguments))
            raise MisuseError(f"twin({told}): give one provider, its name or its folder; all else is named")
        for name in options:
            if name not in OPTIONS:
                close = get_close_matches(name, OPTIONS, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(OPTIONS)}"
                raise MisuseError(f"twin(…): there is no argument {name!r}: {hint}")
        strict = options.get("strict")
        if not isinstance(strict, bool | None):
            raise MisuseError(f"twin(…): strict is True or False, not {strict!r}")
        begins = {BEGINNINGS[name]: _plain(value) for name, value in options.items() if name in BEGINNINGS}
        return cls(str(arguments[0]) if arguments else "", begins, strict)


def _plain(value: Json) -> Json:
    """A ``datetime`` as the control plane reads it; all else as it is."""
    return value.isoformat() if hasattr(value, "isoformat") else value
