"""What a step's expressions can see."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasktwin.provider.scenario.expression import Expression
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json, loads


@dataclass(slots=True)
class Scope:
    """The values of one workflow that is being played. ``body`` is the present answer's, as a value.

    ``over`` are the workflows that were played before: their inputs and outputs. ``path`` and ``query`` are the
    parameters of the present request.
    """

    url: str
    inputs: Mapping[str, Json]
    sources: Mapping[str, str] = field(default_factory=dict)
    over: Mapping[str, tuple[Mapping[str, Json], Mapping[str, Json]]] = field(default_factory=dict)
    steps: dict[str, dict[str, Json]] = field(default_factory=dict)
    outputs: dict[str, Json] = field(default_factory=dict)
    request: Request | None = None
    path: Mapping[str, Json] = field(default_factory=dict)
    query: Mapping[str, Json] = field(default_factory=dict)
    reply: Reply | None = None
    body: Json = None

    def look(self, each: Expression) -> Json:
        """What an expression's root and name stand for; ``None`` if nothing is there."""
        match each.root:
            case "inputs":
                return self.inputs.get(each.name)
            case "outputs":
                return self.outputs.get(each.name)
            case "steps":
                return self.steps.get(each.owner, {}).get(each.name)
            case "workflows.inputs":
                return self.over.get(each.owner, ({}, {}))[0].get(each.name)
            case "workflows.outputs":
                return self.over.get(each.owner, ({}, {}))[1].get(each.name)
            case "sourceDescriptions":
                return self.sources.get(each.owner)
            case "request.path":
                return self.path.get(each.name)
            case "request.query":
                return self.query.get(each.name)
            case "response.body":
                return self.body
        return self._wire(each)

    def _wire(self, each: Expression) -> Json:
        """What is told by the request and its answer."""
        if self.request is not None:
            match each.root:
                case "url":
                    return self.url + self.request.path
                case "method":
                    return self.request.method
                case "request.header":
                    headers = {name.lower(): value for name, value in self.request.headers.items()}
                    return headers.get(each.name.lower())
                case "request.body":
                    return as_value(self.request.body)
        if self.reply is not None:
            match each.root:
                case "statusCode":
                    return self.reply.status
                case "response.header":
                    return self.reply.headers.get(each.name.lower())
        return None


def as_value(body: bytes) -> Json:
    """A body as a value: JSON, else text."""
    if not body:
        return None
    try:
        return loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
