"""What a provider's rules leave to do for each of its requests: found once."""

from tasktwin.behaviour.rules import Rules

FOREVER = 1 << 80
"""More microseconds than there are."""

SECOND = 1_000_000


def needed(rules: Rules) -> list[str]:
    """The steps that can do something for this provider, in its order."""
    idle = set() if rules.limits else {"count"}
    if rules.idempotency is None:
        idle |= {"replay", "remember"}
    return [name for name in rules.steps if name not in idle]


def proofs(rules: Rules) -> frozenset[bytes]:
    """The headers that alone decide who calls; none when credentials may stand elsewhere too."""
    places = {place.scheme for channel in rules.channels for look in channel.looks for place in look.places}
    found = [rules.contract.schemes[scheme] for scheme in places if scheme]
    if "" in places or any(scheme.location != "header" for scheme in found):
        return frozenset()
    return frozenset(scheme.key.encode() for scheme in found)


def unit(rules: Rules) -> int:
    """The microseconds for which an envelope stays as it is; without one an answer tells no time at all."""
    if rules.wrap is None:
        return FOREVER
    return SECOND if rules.precision == "seconds" else 1
