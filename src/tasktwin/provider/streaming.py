"""The streams of a provider's data, built."""

from tasktwin.behaviour.condition import ALWAYS, Condition
from tasktwin.behaviour.telling import Pause, Saying, StreamRule, Telling
from tasktwin.contract import Operation
from tasktwin.errors import DataError, Problem
from tasktwin.provider.policy import PolicyBuilder
from tasktwin.provider.resolver import Data, parse_provenance
from tasktwin.wire import Json

NEVER_SHARED = ("$request", "$principal", "$params", "$rpc", "$response", "$now", "$row")
"""Roots that differ between readers, or between their times; a topic's own row may change while it is read."""


class StreamBuilder(PolicyBuilder):
    """Builds the streams of operations and of JSON-RPC methods."""

    def _stream(self, operation: Operation, spec: Data, at: str) -> StreamRule:
        self._streams_events(operation, at)
        lines = spec.get("events", [{}])
        if spec.get("id") == "row" and not isinstance(spec.get("bad_id", ""), str):
            hint = "Name a kind of refusal: what is told in a stream comes after the row was made."
            raise DataError(Problem("an id of the form row must be refused when it is none", f"{at}/bad_id", hint=hint))
        return StreamRule(
            topic=self._template(f"{at}/topic", spec["topic"]),
            events=tuple(self._telling(each, f"{at}/events/{n}") for n, each in enumerate(lines)),
            provenance=parse_provenance(spec["provenance"]),
            begin=self._template(f"{at}/begin", spec.get("begin", "beginning")),
            resume=self._template(f"{at}/resume", spec.get("resume")),
            ids=spec.get("id", "number"),
            now=self._telling(spec["now"], f"{at}/now") if "now" in spec else None,
            gone="" if spec.get("gone") == "skip" else self._kind(spec.get("gone", "gone"), f"{at}/gone"),
            bad_id=self._bad_id(spec.get("bad_id", "invalid"), f"{at}/bad_id"),
            retry=self._duration(spec["retry"], f"{at}/retry") // 1_000 if "retry" in spec else None,
            heartbeat=self._pause(spec, "heartbeat", "every", at),
            wait=self._pause(spec, "wait", "for", at),
            lasts=self._pause(spec, "lasts", "for", at),
            bounded=spec.get("bounded", False),
            shared=not any(root in str(lines) for root in NEVER_SHARED),
        )

    def _streams_events(self, operation: Operation, at: str) -> None:
        response = operation.responses.find(operation.success)
        if response is None or response.content is None or response.content.choose("text/event-stream") is None:
            hint = f"Declare text/event-stream under the {operation.success} of {operation.id}."
            raise DataError(Problem("the contract answers no stream here", at, hint=hint))

    def _telling(self, spec: Data, at: str) -> Telling:
        says = any(key in spec for key in ("event", "data", "comment"))
        return Telling(
            kinds=frozenset(spec.get("kinds", ())),
            say=self._saying(spec, at) if says else None,
            when=self._condition(f"{at}/when", spec["when"]) if "when" in spec else ALWAYS,
            identified=spec.get("id", True),
            ends=self._ends(spec.get("ends", False), at),
        )

    def _ends(self, spec: Json, at: str) -> Condition | None:
        if isinstance(spec, bool):
            return ALWAYS if spec else None
        return self._condition(f"{at}/ends", spec)

    def _saying(self, spec: Data, at: str) -> Saying:
        data = self._template(f"{at}/data", spec["data"]) if "data" in spec else None
        return Saying(spec.get("event", ""), data, spec.get("comment", ""))

    def _bad_id(self, spec: Json, at: str) -> str | Saying:
        return self._kind(spec, at) if isinstance(spec, str) else self._saying(spec, at)

    def _pause(self, spec: Data, key: str, span: str, at: str) -> Pause | None:
        if key not in spec:
            return None
        found = spec[key]
        return Pause(self._duration(found[span], f"{at}/{key}/{span}"), self._saying(found, f"{at}/{key}"))
