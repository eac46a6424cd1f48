"""A provider in one value: what ``tasktwin list`` prints and scripts read."""

from tasktwin.provider.provenance import counts, facts
from tasktwin.provider.provider import Provider
from tasktwin.wire import Json


def summarise(provider: Provider) -> dict[str, Json]:
    """The shape is that of ``tasktwin list PROVIDER --json``."""
    rules = provider.rules
    found = facts(provider)
    return {
        "provider": provider.name,
        "title": provider.title,
        "about": provider.data.get("about", ""),
        "operations": [
            {
                "id": each.id,
                "method": each.method,
                "path": each.path,
                "provenance": str(each.extensions.get("x-provenance", "assumed: the document does not say")),
                "modelled": each.id in rules.bindings,
            }
            for each in rules.contract.operations.values()
        ],
        "lifecycles": {
            name: {
                "states": [*each.states],
                "transitions": [
                    {
                        "name": way.name,
                        "from": list(way.sources),
                        "to": way.to,
                        "cause": way.cause,
                        "provenance": str(way.provenance),
                    }
                    for way in each.transitions.values()
                ],
            }
            for name, each in rules.lifecycles.items()
        },
        "principals": [
            {"name": who.name, "headers": dict(who.headers), "about": who.about} for who in rules.principals.values()
        ],
        "seeds": [{"name": each.name, "about": each.about} for each in provider.seeds.values()],
        "scenarios": [path.name.removesuffix(".arazzo.yaml") for path in provider.scenarios],
        "provenance": counts(found),
        "assumptions": [
            {"about": fact.about, "why": fact.provenance.note} for fact in found if fact.provenance.kind == "assumed"
        ],
    }
