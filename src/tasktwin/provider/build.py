"""From a provider's data to the rules that the engine obeys: every name is resolved here, every mistake told here."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tasktwin.behaviour.condition import ALWAYS
from tasktwin.behaviour.lifecycle import NEW, Lifecycle, Otherwise, State, Transition
from tasktwin.behaviour.rules import (
    STEPS,
    Binding,
    Collection,
    DemoPrincipal,
    Filter,
    Guard,
    Join,
    Method,
    Need,
    Paging,
    Rules,
    Search,
    Unique,
)
from tasktwin.contract import Operation
from tasktwin.contract.violation import token
from tasktwin.errors import DataError, Problem
from tasktwin.provider.field import accepted, default_of, defaults_of, fault_finder, formats, left_out
from tasktwin.provider.names import unfit_operations, unknown_names
from tasktwin.provider.resolver import Data, parse_provenance
from tasktwin.provider.streaming import StreamBuilder
from tasktwin.wire import Json


class Builder(StreamBuilder):
    """Builds the rules of one provider: its lifecycles, collections and operations, and all else."""

    def build(self) -> Rules:
        """The rules. Raises ``DataError`` with all problems found."""
        data = self.data
        lifecycles = dict(self._each("lifecycles", self._lifecycle))
        by_collection = {each.collection: each for each in reversed(lifecycles.values())}
        for name, spec in data.get("collections", {}).items():
            with self._at(f"/collections{token(name)}"):
                self.collections[name] = self._collection(name, spec, by_collection.get(name))
        self._stop_if_wrong()
        self._join_up(lifecycles)
        self.paging = dict(self._each("paging", self._paging))
        self._stop_if_wrong()
        bindings = dict(self._each("operations", self._binding))
        channels = tuple(channel for _, channel in self._each("sign_in", self._channel))
        rules = Rules(
            name=data["provider"],
            title=data["title"],
            contract=self.contract,
            collections=self.collections,
            bindings=bindings,
            channels=channels,
            errors=self._errors(),
            effects=self.effects,
            wrap=self._template("/wrap", data["wrap"]) if data.get("wrap") is not None else None,
            idempotency=self._idempotency(data.get("idempotency")),
            principals={
                name: DemoPrincipal(name, each["headers"], each["about"])
                for name, each in data.get("principals", {}).items()
            },
            precision=data.get("time", "seconds"),
            steps=self._steps(tuple(data.get("steps", STEPS))),
            limit=data.get("body_limit", 1_048_576),
            dialect=self._dialect(),
            limits=tuple(limit for _, limit in self._each("limits", self._limit)),
            admission=self._admission(),
            includes={scope: tuple(each) for scope, each in data.get("scopes", {}).items()},
            redirect_slash=data.get("trailing_slash", "accept") == "redirect",
            settings=data.get("settings", {}),
            storage=self._storage(data.get("storage")),
        )
        self._stop_if_wrong()
        self.problems += [*unknown_names(data, rules), *unfit_operations(rules)]
        self._stop_if_wrong()
        return rules

    # ── lifecycles and collections ───────────────────────────────────────────────────────────────────────────────

    def _lifecycle(self, name: str, spec: Data) -> Lifecycle:
        states = {
            state: State(state, each.get("final", False), parse_provenance(each["provenance"]))
            for state, each in spec["states"].items()
        }
        refuse = self._kind(spec.get("refuse", "conflict"), "/refuse")
        transitions = {}
        for label, each in spec["transitions"].items():
            with self._at(f"/lifecycles{token(name)}/transitions{token(label)}"):
                transitions[label] = self._transition(label, each, states, refuse)
        lifecycle = Lifecycle(name, spec["collection"], spec["field"], states, transitions)
        if len(transitions) == len(spec["transitions"]):
            self.problems.extend(lifecycle.problems())
        return lifecycle

    def _transition(self, name: str, spec: Data, states: Mapping[str, State], refuse: str) -> Transition:
        sources = (spec["from"],) if isinstance(spec["from"], str) else tuple(spec["from"])
        for source in sources:
            self._known("state", source, [*states, NEW], "/from")
        if "to" in spec:
            self._known("state", spec["to"], states, "/to")
        if "operation" in spec:
            self._operation(spec["operation"], "/operation")
        for effect in spec.get("effects", ()):
            self._known("effect", effect, self.effects, "/effects")
        return Transition(
            name=name,
            sources=sources,
            to=spec.get("to"),
            provenance=parse_provenance(spec["provenance"]),
            operation=spec.get("operation"),
            trigger=spec.get("trigger"),
            after=self._duration(spec["after"], "/after") if "after" in spec else None,
            only=tuple(spec.get("only", ())),
            requires=tuple(spec.get("requires", ())),
            refuse=self._kind(spec.get("refuse", refuse), "/refuse"),
            effects=tuple(spec.get("effects", ())),
            otherwise=tuple(self._otherwise(n, each, states) for n, each in enumerate(spec.get("otherwise", ()))),
            values=self._template("/set", spec["set"]) if "set" in spec else None,
            when=self._condition("/when", spec["when"]) if "when" in spec else ALWAYS,
        )

    def _otherwise(self, n: int, spec: Data, states: Mapping[str, State]) -> Otherwise:
        at = f"/otherwise/{n}"
        return Otherwise(
            kind=self._kind(spec["kind"], f"{at}/kind"),
            only=tuple(spec.get("only", ())),
            to=self._known("state", spec["to"], states, f"{at}/to"),
            answer=self._kind(spec["answer"], f"{at}/answer"),
            provenance=parse_provenance(spec["provenance"]),
        )

    def _collection(self, name: str, spec: Data, lifecycle: Lifecycle | None) -> Collection:
        schema = self._schema(spec["schema"], "/schema") if spec["schema"] else None
        properties: Mapping[str, Json] = schema.properties if schema else {}
        known = {field: formats(self.contract, each) for field, each in properties.items()}
        private, joins = spec.get("private", []), spec.get("joins", {})
        fields = [*properties, *spec.get("fields", ()), *private]
        identity = spec.get("id", {})
        key, created, updated = identity.get("field", "id"), spec.get("created", ""), spec.get("updated", "")
        for pointer, field in (("/id", key), ("/created", created), ("/updated", updated)):
            if field:
                self._field(name, field, fields, pointer)
        locked = {key, created, updated, *spec.get("read_only", ()), *private, *joins}
        return Collection(
            name=name,
            schema=schema,
            properties=properties,
            id_field=key,
            make_id=identity.get("make", "uuid"),
            created=created,
            updated=updated,
            private=frozenset(private),
            fault=fault_finder([part for part in (spec.get("fields"), private) if isinstance(part, Mapping)]),
            decimals={**{field: 2 for field in properties if "decimal" in known[field]}, **spec.get("decimals", {})},
            visible=self._condition("/visible", spec["visible"]) if "visible" in spec else ALWAYS,
            roles={role: self._condition(f"/roles/{role}", each) for role, each in spec.get("roles", {}).items()},
            joins=tuple(self._join(field, each) for field, each in joins.items()),
            lifecycle=lifecycle,
            blank={field: default_of(properties.get(field)) for field in fields if field not in joins},
            writable=frozenset(fields) - locked,
            left_out=left_out(schema) if schema else frozenset(),
            instants=frozenset(field for field in properties if "date-time" in known[field]),
        )

    def _join_up(self, lifecycles: Mapping[str, Lifecycle]) -> None:
        """What names collections, or what is in them, before all of them are known is looked at afterwards."""
        for name, lifecycle in lifecycles.items():
            with self._at(f"/lifecycles{token(name)}"):
                self._join_lifecycle(lifecycle, self._owner(lifecycle.collection, "/collection"))
        for name, collection in self.collections.items():
            for join in collection.joins:
                with self._at(f"/collections{token(name)}/joins{token(join.field)}"):
                    self._owner(join.collection, "/collection")

    def _join_lifecycle(self, lifecycle: Lifecycle, owner: Collection) -> None:
        self._field(owner.name, lifecycle.field, owner.blank, "/field")
        if owner.lifecycle is not lifecycle:
            hint = f"Put its states into {owner.lifecycle.name!r}." if owner.lifecycle else ""
            raise DataError(Problem(f"{owner.name} has a lifecycle already", "", hint=hint))
        for way in lifecycle.transitions.values():
            at = f"/transitions{token(way.name)}"
            self._roles(way.only, owner, f"{at}/only")
            for n, each in enumerate(way.otherwise):
                self._roles(each.only, owner, f"{at}/otherwise/{n}/only")

    def _join(self, field: str, spec: Data) -> Join:
        order, descending = parse_order(spec.get("order", ""))
        at = f"/joins/{field}"
        where, give = self._condition(f"{at}/where", spec["where"]), self._template(f"{at}/give", spec["give"])
        return Join(field, spec["collection"], where, order, descending, give, spec.get("else"), spec.get("all", False))

    # ── operations ───────────────────────────────────────────────────────────────────────────────────────────────

    def _binding(self, name: str, spec: Data) -> Binding:
        operation = self._operation(name, "")
        collection = self._owner(spec["collection"], "/collection") if "collection" in spec else None
        needs = tuple(self._need(n, each) for n, each in enumerate(spec.get("needs", ())))
        order, descending = parse_order(spec.get("order", ""))
        first = spec.get("first", "")
        for key, effect in (("effect", spec.get("effect")), ("first", first)):
            if effect and isinstance(effect, str):
                self._known("effect", effect, self.effects, f"/{key}")
        binding = Binding(
            operation=name,
            verb=spec["verb"],
            provenance=parse_provenance(operation.extensions.get("x-provenance")),
            collection=collection,
            row=self._template("/row", spec["row"]) if "row" in spec else None,
            where=self._condition("/where", spec["where"]) if "where" in spec else ALWAYS,
            first=first if isinstance(first, str) else "",
            first_guards=() if isinstance(first, str) else self._guards(first, "/first"),
            needs=needs,
            guards=self._guards(spec.get("guards", ()), "/guards"),
            only=self._roles(spec.get("only", ()), collection, "/only") if collection else (),
            forbidden=self._kind(spec.get("forbidden", "forbidden"), "/forbidden"),
            filters=tuple(self._filter(field, each) for field, each in spec.get("filter", {}).items()),
            search=self._search(spec["search"]) if "search" in spec else None,
            order=order,
            descending=descending,
            paging=self.paging[self._known("paging", spec["page"], self.paging, "/page")] if "page" in spec else None,
            accepts=accepted(operation, collection),
            defaults=defaults_of(operation) if spec["verb"] == "create" else {},
            values=self._template("/set", spec["set"]) if "set" in spec else None,
            copies=(
                self._known("need", spec["copy"]["from"], [each.name for each in needs], "/copy/from"),
                tuple(spec["copy"]["fields"]),
            )
            if "copy" in spec
            else None,
            unique=self._unique(spec["unique"]) if "unique" in spec else None,
            answer=self._template("/answer", spec["answer"]) if "answer" in spec else None,
            effect=spec.get("effect", ""),
            shows=self._owner(spec["shows"], "/shows") if "shows" in spec else None,
            methods={label: self._method(operation, label, each) for label, each in spec.get("methods", {}).items()},
            rpc_errors=self._rpc_errors(spec, "/errors"),
            wrap=spec.get("wrap", True),
            status=spec.get("status", 0) or operation.success,
            checked_late=spec.get("checked", "early") == "late",
            stream=self._stream(operation, spec["stream"], "/stream") if "stream" in spec else None,
            rows=parse_provenance(spec["provenance"]) if "provenance" in spec else None,
        )
        self._makes_sense(binding)
        return replace(binding, sees=self._sees(spec, binding, operation))

    def _search(self, spec: Data) -> Search:
        return Search(tuple(spec["in"]), self._template("/search/for", spec["for"]))

    def _sees(self, spec: Data, binding: Binding, operation: Operation) -> tuple[str, ...] | None:
        """What ``Binding.sees`` is. An answer that tells the time, or its own address, is never the same twice."""
        own = [each for each in (binding.collection, binding.shows) if each]
        looks = [look for channel in self.data.get("sign_in", ()) for look in channel["look_ups"]]
        names = {
            *(each.name for each in own),
            *(join.collection for each in own for join in each.joins),
            *(need["collection"] for need in [*spec.get("needs", ()), *self.data.get("admission", ())]),
            *(look["collection"] for look in looks if "collection" in look),
        }
        around = [self.data.get(key) for key in ("admission", "sign_in", "paging")]
        told = [spec, *around, *map(self.data["collections"].get, names)]
        by_effects = binding.effect or binding.first or any(line.test for line in binding.filters)
        by_address = binding.paging and binding.paging.style == "offset"
        by_headers = any(each.where not in ("path", "query") for each in operation.declared)
        if (
            binding.stream
            or binding.verb not in ("read", "list")
            or by_effects
            or by_address
            or by_headers
            or "$now" in str(told)
        ):
            return None
        return tuple(sorted(names))

    def _makes_sense(self, binding: Binding) -> None:
        if binding.verb in ("create", "read", "list", "update", "delete", "move") and binding.collection is None:
            raise DataError(Problem(f"the verb {binding.verb} needs a collection", hint="Add `collection: NAME`."))
        if binding.verb in ("read", "update", "delete", "move") and binding.row is None:
            raise DataError(Problem(f"the verb {binding.verb} needs a row", hint="Add `row: $request.path.NAME`."))
        if binding.verb == "move" and not binding.transitions():
            raise DataError(Problem("no transition of the collection's lifecycle names this operation"))
        if (
            binding.verb == "create"
            and binding.collection
            and binding.collection.lifecycle
            and not binding.transitions()
        ):
            field = binding.collection.lifecycle.field
            raise DataError(
                Problem(
                    "no transition names this operation, so that what it makes has no state",
                    hint=f"Add one `from: new`, which sets {field!r}.",
                )
            )
        if binding.verb == "upload" and "storage" not in self.data:
            raise DataError(Problem("the verb upload needs a storage", hint="Add `storage` to the file."))
        if binding.verb == "rpc" and not binding.methods:
            raise DataError(Problem("the verb rpc needs methods"))

    def _need(self, n: int, spec: Data) -> Need:
        at = f"/needs/{n}"
        collection = self._owner(spec["collection"], f"{at}/collection")
        states = collection.lifecycle.states if collection.lifecycle else {}
        return Need(
            name=spec["as"],
            collection=collection,
            id=self._template(f"{at}/id", spec["id"]),
            where=self._condition(f"{at}/where", spec["where"]) if "where" in spec else ALWAYS,
            states=tuple(self._known("state", each, states, f"{at}/in") for each in spec.get("in", ())),
            only=self._roles(spec.get("only", ()), collection, f"{at}/only"),
            missing=self._kind(spec.get("missing", "not_found"), f"{at}/missing"),
            refuse=self._kind(spec.get("refuse", "conflict"), f"{at}/refuse"),
            optional=spec.get("optional", False),
        )

    def _guards(self, specs: Iterable[Data], at: str) -> tuple[Guard, ...]:
        return tuple(self._guard(each, f"{at}/{n}") for n, each in enumerate(specs))

    def _guard(self, spec: Data, at: str) -> Guard:
        when, kind = self._condition(f"{at}/when", spec["when"]), self._kind(spec["refuse"], f"{at}/refuse")
        detail, data = (self._template(f"{at}/{key}", spec.get(key, "")) for key in ("detail", "data"))
        return Guard(when, kind, detail, data)

    def _filter(self, field: str, spec: Json) -> Filter:
        at = f"/filter/{field}"
        if isinstance(spec, str) or "$map" in spec:
            return Filter(field, self._template(at, spec))
        test = self._known("test", spec["test"], self.tests, f"{at}/test")
        return Filter(field, self._template(f"{at}/for", spec["for"]), self.tests[test])

    def _unique(self, spec: Data) -> Unique:
        return Unique(self._condition("/unique/where", spec["where"]), self._kind(spec["refuse"], "/unique/refuse"))

    def _paging(self, _name: str, spec: Data) -> Paging:
        start, size, answer = (self._template(f"/{key}", spec[key]) for key in ("start", "size", "answer"))
        return Paging(
            spec["style"], start, size, answer, spec.get("default", 20), spec.get("most", 0), spec.get("lenient", False)
        )

    def _method(self, operation: Operation, label: str, spec: Data) -> Method:
        at = f"/methods{token(label)}"
        self._known("bound operation", spec["operation"], self.data["operations"], f"{at}/operation")
        stream = self._stream(operation, spec["stream"], f"{at}/stream") if "stream" in spec else None
        return Method(
            operation=spec["operation"],
            params=self._schema(spec["params"], f"{at}/params") if "params" in spec else None,
            path=self._template(f"{at}/path", spec.get("path", {})),
            body=self._template(f"{at}/body", spec.get("body")),
            result=self._template(f"{at}/result", spec.get("result", "$response.body")),
            provenance=parse_provenance(spec["provenance"]),
            errors=self._rpc_errors(spec, f"{at}/errors"),
            stream=stream,
        )

    def _rpc_errors(self, spec: Data, at: str) -> dict[str, tuple[int, str]]:
        found = spec.get("errors", {})
        return {self._kind(kind, at + token(kind)): (each["code"], each["message"]) for kind, each in found.items()}

    def _admission(self) -> tuple[Need, ...]:
        with self._at("/admission"):
            return tuple(self._need(n, each) for n, each in enumerate(self.data.get("admission", ())))
        return ()


def parse_order(text: str) -> tuple[str, bool]:
    """``-field`` to the field and whether it descends; the empty field is the order of creation."""
    return text.removeprefix("-"), text.startswith("-")
