"""What a provider does with every request, whatever the operation: who calls, how refusals look, keys, limits, storage."""

from collections.abc import Iterable
from http import HTTPStatus

from tasktwin.behaviour.asked import Dialect
from tasktwin.behaviour.condition import ALWAYS
from tasktwin.behaviour.expression import compile_template
from tasktwin.behaviour.rules import (
    ENGINE_KINDS,
    STEPS,
    Channel,
    ErrorAnswer,
    ErrorTable,
    Idempotency,
    Limit,
    Look,
    Place,
    Storage,
)
from tasktwin.behaviour.signed import Jwt
from tasktwin.contract.violation import token
from tasktwin.dialect import DIALECTS, find_dialect
from tasktwin.errors import DataError, Problem
from tasktwin.provider.resolver import UNTOLD, Data, Resolver, parse_provenance
from tasktwin.wire import Json

# RFC 9457 §4.2.1: of "about:blank" the title is the status's own phrase.
PROBLEM_SHAPE = {
    "type": "about:blank",
    "title": "$error#/title",
    "status": "$error#/status",
    "detail": "$error#/detail",
}

COUNTED: dict[str, Json] = {"caller": {"$first": ["$principal#/name", "$address"]}, "address": "$address"}
"""Who is counted, in the words of `per`."""

MOST_SLIDING = 100_000
"""The largest quota of a sliding limit."""


class PolicyBuilder(Resolver):
    """Builds the parts of the rules that no operation owns."""

    def _channel(self, _n: str, spec: Data) -> Channel:
        names = {look["as"] for look in spec["look_ups"]}
        looks = tuple(self._look(f"/look_ups/{n}", look, names) for n, look in enumerate(spec["look_ups"]))
        principal = self._template("/principal", spec["principal"], names)
        steady = "$now" not in str(spec) and not any(look.jwt for look in looks)
        sees = tuple(look.collection for look in looks if look.collection)
        return Channel(spec["channel"], looks, principal, parse_provenance(spec["provenance"]), sees, steady)

    def _look(self, at: str, look: Data, names: Iterable[str]) -> Look:
        places = [Place(**each) for each in look.get("places", ({"scheme": look.get("scheme", "")},))]
        for place in places:
            if not place.field:
                self._known("security scheme", place.scheme, self.contract.schemes, f"{at}/scheme")
        unknown = self._kind(look["unknown"], f"{at}/unknown")
        if "jwt" in look:
            if spare := look.keys() & {"collection", "where", "absent"}:
                raise DataError(Problem("a signed token is sought in no collection", f"{at}/{min(spare)}"))
            jwt = self._jwt(f"{at}/jwt", look["jwt"], unknown)
            return Look(look["as"], tuple(places), "", ALWAYS, unknown, jwt=jwt)
        self._owner(look["collection"], f"{at}/collection")
        where = self._condition(f"{at}/where", look["where"], names)
        return Look(look["as"], tuple(places), look["collection"], where, unknown, look.get("absent", False))

    def _jwt(self, at: str, spec: Data, unknown: str) -> Jwt:
        return Jwt(
            key=spec["key"],
            algorithms=tuple(spec["algorithms"]),
            expired=self._kind(spec.get("expired", unknown), f"{at}/expired"),
            early=self._kind(spec.get("early", unknown), f"{at}/early"),
            claims=self._template(f"{at}/claims", spec["claims"]),
            lasts=self._duration(spec["lasts"], f"{at}/lasts"),
            leeway=self._duration(spec["leeway"], f"{at}/leeway") if "leeway" in spec else 0,
            issuer=spec.get("issuer"),
            audience=spec.get("audience"),
        )

    def _errors(self) -> ErrorTable:
        spec = self.data.get("errors", {})
        answers = {
            kind: ErrorAnswer(kind, status, {"title": HTTPStatus(status).phrase}, compile_template(meaning), UNTOLD)
            for kind, (status, meaning) in ENGINE_KINDS.items()
        }
        for kind, each in self.kinds.items():
            with self._at(f"/errors/kinds{token(kind)}"):
                fields = {key: each[key] for key in ("code", "type") if key in each} | each.get("fields", {})
                message = self._template("/message", each["message"])
                shaped = self._template("/shape", each["shape"]) if "shape" in each else None
                source = parse_provenance(each["provenance"])
                answers[kind] = ErrorAnswer(
                    kind=kind,
                    status=self._status(each["status"]),
                    fields=fields,
                    message=message,
                    provenance=source,
                    rule=parse_provenance(each["rule"]) if "rule" in each else None,
                    shape=shaped,
                    media=each.get("media", ""),
                    headers={
                        name: self._template(f"/headers/{name}", text) for name, text in each.get("headers", {}).items()
                    },
                )
        shape = self._template("/errors/shape", spec.get("shape", PROBLEM_SHAPE))
        media = spec.get("media", "application/json" if spec else "application/problem+json")
        return ErrorTable(answers, shape, media, own=not spec)

    def _status(self, status: Json) -> int:
        """A status, written out or chosen by a setting."""
        if isinstance(status, int):
            return status
        name = status.removeprefix("$setting#/")
        chosen: int = self.data.get("settings", {})[
            self._known("setting", name, self.data.get("settings", {}), "/status")
        ]
        return chosen

    def _dialect(self) -> Dialect | None:
        name = self.data.get("dialect")
        with self._at("/dialect"):
            return find_dialect(self._known("dialect", name, DIALECTS, "")) if name else None
        return None

    def _limit(self, name: str, spec: Data) -> Limit:
        per = spec.get("per", "caller")
        if spec.get("style") == "sliding" and spec["quota"] > MOST_SLIDING:
            raise DataError(
                Problem(f"a sliding limit keeps the time of each request: at most {MOST_SLIDING}", "/quota")
            )
        told = spec.get("headers", {})
        headers = {header: self._template(f"/headers/{header}", each) for header, each in told.items()}
        late = [header for header, each in told.items() if each == "$limit#/wait"]
        return Limit(
            name=name,
            quota=spec["quota"],
            window=self._duration(spec["window"], "/window"),
            per=self._template("/per", COUNTED[per] if per in ("caller", "address") else per),
            paths=tuple(spec["paths"]),
            methods=frozenset(spec["methods"]),
            headers={header: read for header, read in headers.items() if header not in late},
            refusal_headers={header: headers[header] for header in late},
            provenance=parse_provenance(spec["provenance"]),
            further=spec.get("further", False),
            style=spec.get("style", "fixed"),
            refuse=self._kind(spec.get("refuse", "throttled"), "/refuse"),
            counts_refused=spec.get("counts_refused", False),
        )

    def _steps(self, order: tuple[str, ...]) -> tuple[str, ...]:
        if sorted(order) != sorted(STEPS) or "match" not in order[:2] or order[0] not in ("match", "count"):
            hint = f"They are: {', '.join(STEPS)}."
            self.problems.append(
                Problem("`steps` must name each step once, beginning with match (or count, match)", "/steps", hint=hint)
            )
        return order

    def _storage(self, spec: Data | None) -> Storage | None:
        if not spec:
            return None
        with self._at("/storage"):
            owner = self._owner(spec["collection"], "/collection")
            for field in ("size", "content_type", "content"):
                self._field(owner.name, field, owner.blank, "/collection")
            return Storage(spec["bucket"], owner.name, self._duration(spec["lasts"], "/lasts") // 1_000_000)
        return None

    def _idempotency(self, spec: Data | None) -> Idempotency | None:
        if not spec:
            return None
        with self._at("/idempotency"):
            fields = {
                self._operation(name, f"/fields{token(name)}").id: field
                for name, field in spec.get("fields", {}).items()
            }
            required = [self._operation(name, f"/required/{n}").id for n, name in enumerate(spec.get("required", ()))]
            return Idempotency(
                header=spec["header"].lower(),
                methods=frozenset(spec["methods"]),
                fields=fields,
                keep=self._duration(spec["keep"], "/keep"),
                provenance=parse_provenance(spec["provenance"]),
                failures=spec.get("replay", "successes") == "all",
                required=frozenset(required),
            )
        return None
