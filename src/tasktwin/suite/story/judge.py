"""What a difference between the oracle's answer and the deployment's means: a rule, words, and what it contradicts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tasktwin.behaviour.lifecycle import NEW, Provenance, Transition
from tasktwin.behaviour.rules import Binding
from tasktwin.provider import Provider
from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis
from tasktwin.suite.request_fault import basis_of_faults, faults
from tasktwin.suite.story.compare import Difference
from tasktwin.suite.story.oracle import Answer
from tasktwin.suite.story.step import Step
from tasktwin.suite.traffic import NOBODY, Reply, Request
from tasktwin.wire import Json, dumps

SIGN_IN = frozenset({"not_authenticated", "bad_credential"})
ACCESS = frozenset({"forbidden", "not_found"})
REQUEST = frozenset({"invalid", "malformed", "unparsable", "unsupported_media_type", "too_large"})
Whose: TypeAlias = Literal["own", "another's", "another row's"]
"""Whose a row is that a request names: the caller's own, another caller's, or what another row holds than its path says."""

IDEMPOTENCY = frozenset({"key_reused", "key_missing", "key_in_use"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that is not as it should be. ``cause`` is the same whenever it is the same thing.

    ``goes_on``: the two sides are still in the same state, as far as one can tell.
    """

    rule: str
    title: str
    expected: str
    actual: str
    basis: Basis
    cause: str
    pointer: str = ""
    goes_on: bool = False


class Judge:
    """Judges answers of one provider."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.rules = provider.rules
        bindings = self.rules.bindings.values()
        missing = {need.missing for each in bindings for need in each.needs if not need.optional}
        self.missing = {"not_found"} | missing | {need.missing for need in self.rules.admission}
        self.access = ACCESS | {each.forbidden for each in bindings} | self.missing

    def status(
        self, step: Step, expected: Answer, reply: Reply, sent: Request | None = None, whose: Whose = "own"
    ) -> Mismatch | None:
        """What the status means, beside the one that was expected.

        ``sent`` is the request where its faults matter; ``whose`` are the rows that it names.
        """
        if reply.status == 0 or reply.cut:
            return self._unanswered(step, reply)
        if reply.status >= 500 and expected.status < 500:
            return self._crashed(step, expected, reply)
        if expected.good and not reply.good:
            return self._refused(step, expected, reply)
        if not expected.good and reply.good:
            return self._accepted(step, expected, reply, sent, whose)
        if expected.status != reply.status:
            return self._other_status(step, expected, reply)
        return None

    def code(self, step: Step, expected: Answer, theirs: Json) -> Mismatch | None:
        """Of a refusal: whether its machine-readable words are the right ones."""
        answer = self.rules.errors.answers.get(expected.kind)
        if answer is None or self.rules.errors.own or not isinstance(expected.shape, Mapping):
            return None
        words = {value for value in answer.fields.values() if isinstance(value, (str, int))}
        for name, value in expected.shape.items():
            if (
                isinstance(value, (str, int))
                and value in words
                and (not isinstance(theirs, Mapping) or theirs.get(name) != value)
            ):
                shown = theirs.get(name) if isinstance(theirs, Mapping) else theirs
                return Mismatch(
                    "error.code",
                    f"{step.operation} refuses with another {name}",
                    f"{name} {value!r} ({expected.kind})",
                    f"{name} {short(shown)}",
                    certainty.basis_of(
                        self.provider,
                        self._fallback(expected) or answer.provenance,
                        f"{expected.kind} is {name} {value!r}",
                    ),
                    f"error.code:{step.operation}:{expected.kind}:{name}",
                    f"/{name}",
                    goes_on=True,
                )
        return None

    def difference(
        self,
        step: Step,
        expected: Answer,
        found: Difference,
        *,
        echoed: bool = False,
        kept: Json = ...,
        itself: bool = False,
        foreign: bool = False,
    ) -> Mismatch:
        """A difference within the body of a success.

        ``echoed``: the caller sent the expected value. ``kept``: what the deployment itself showed there before,
        although nothing changed it since (``...`` if it never did). ``itself``: what the deployment says elsewhere shows
        that the row belongs there, or does not. ``foreign``: the row is one that the caller may not read.
        """
        about = found.pointer.rpartition("/")[2] or "the body"
        rule, basis = "answer.value", self._basis(step, expected, found)
        title = f"{step.operation} answers with another {about}"
        expectation = short(found.expected)
        if kept is not ...:
            rule, basis, expectation = "itself.changed", certainty.ITSELF, f"{short(kept)}, as it said before"
            title = f"{step.operation} shows another {about} than before, though nothing changed it"
        elif echoed:
            rule, basis = "itself.echo", certainty.ITSELF
            title = f"{step.operation} does not keep the {about} that was sent"
        elif found.how == "missing" and found.pointer.endswith("/*"):
            rule, title = "list.lacks", f"{step.operation} does not list what is there"
            basis = certainty.ITSELF if itself else self._listed(step)
        elif found.how == "extra":
            rule, title = "list.extra", f"{step.operation} lists what does not belong there"
            basis = certainty.ITSELF if itself else certainty.ACCESS if foreign else self._listed(step)
        elif found.how == "order":
            rule, title = "list.order", f"{step.operation} lists in another order"
        elif found.how == "missing":
            title = f"{step.operation} lacks {about}"
        cause = f"{rule}:{step.operation}:{found.general}"
        return Mismatch(rule, title, expectation, short(found.actual), basis, cause, found.pointer, goes_on=True)

    def _listed(self, step: Step) -> Basis:
        """Where it is known from which rows a list has."""
        binding: Binding | None = self.rules.bindings.get(step.operation)
        mark = binding.rows if binding and binding.rows else certainty.operation_mark(self.provider, step.operation)
        return certainty.basis_of(self.provider, mark, f"what {step.operation} lists")

    def _basis(self, step: Step, expected: Answer, found: Difference) -> Basis:
        """What a value in an answer rests on: the transition that it is the state of, else the field's own mark."""
        ways = self._taken(expected)
        name = found.pointer.rpartition("/")[2]
        for way, field in ways:
            if field == name:
                return certainty.basis_of(self.provider, way.provenance, f"{way.name}: {way.sources} → {way.to}")
        mark = certainty.answer_mark(self.provider, step.operation, expected.status, found.general)
        return certainty.basis_of(self.provider, mark, f"{step.operation} {found.general}")

    def _fallback(self, expected: Answer) -> Provenance | None:
        """Where it is known from that a transition ends in a refusal that leaves something behind; ``None`` if none did."""
        ends = [
            end.provenance for way, _ in self._taken(expected) for end in way.otherwise if end.answer == expected.kind
        ]
        return certainty.surest(ends)

    def _taken(self, expected: Answer) -> list[tuple[Transition, str]]:
        cycles = self.rules.lifecycles
        return [(cycles[name].transitions[way], cycles[name].field) for name, way in expected.taken if name in cycles]

    def _unanswered(self, step: Step, reply: Reply) -> Mismatch:
        basis = Basis(
            "standard",
            "RFC 9110 §3.4: a server answers each request with a response.",
            "https://www.rfc-editor.org/rfc/rfc9110#section-3.4",
        )
        return Mismatch(
            "server.silent",
            f"{step.operation} is not answered",
            "an answer",
            reply.problem,
            basis,
            f"server.silent:{step.operation}",
        )

    def _crashed(self, step: Step, expected: Answer, reply: Reply) -> Mismatch:
        return Mismatch(
            "server.error",
            f"{step.operation} answers {reply.status}",
            _status(expected),
            f"{reply.status} {short(_body(reply))}",
            certainty.SERVER_ERROR,
            f"server.error:{step.operation}:{expected.kind or 'success'}",
        )

    def _refused(self, step: Step, expected: Answer, reply: Reply) -> Mismatch:
        ways = [way for way, _ in self._taken(expected)]
        own = [way for way in ways if way.operation == step.operation]
        known = [way.provenance for way in own or ways]
        if not known or all(NEW in way.sources for way in own):
            known.append(certainty.operation_mark(self.provider, step.operation))
        mark = certainty.surest(known)
        assert mark is not None
        if step.tries:
            mark = certainty.weakest([mark, certainty.request_mark(self.provider, step.operation, "body", step.tries)])
            assert mark is not None
        said = own[0].name + f" from {' or '.join(own[0].sources)}" if own else step.operation
        return Mismatch(
            "lifecycle.refused" if own else "answer.refused",
            f"{step.operation} is refused where it is allowed" + (f" ({step.about})" if step.about else ""),
            _status(expected),
            f"{reply.status} {short(_body(reply))}",
            certainty.basis_of(self.provider, mark, said),
            f"answer.refused:{step.operation}:{'+'.join(way.name for way in own)}:{reply.status}",
        )

    def _accepted(self, step: Step, expected: Answer, reply: Reply, sent: Request | None, whose: Whose) -> Mismatch:
        kind = expected.kind
        basis, rule, title = self._forbidden(step, kind, sent, whose)
        return Mismatch(
            rule,
            title,
            f"{_status(expected)}: {expected.reason}",
            f"{reply.status} {short(_body(reply))}",
            basis,
            f"{rule}:{step.operation}:{kind}",
        )

    def _forbidden(self, step: Step, kind: str, sent: Request | None, whose: Whose) -> tuple[Basis, str, str]:
        """What it contradicts to accept what is to be refused with this kind; the rule and a title."""
        who = step.as_ or "nobody"
        if kind in SIGN_IN or step.as_ == NOBODY:
            return certainty.SIGN_IN, "access.sign-in", f"{step.operation} lets in {who} without valid credentials"
        ways = self._ways(step.operation)
        mine = [way for way in ways if way.refuse == kind]
        if mine:
            mark = certainty.ways_mark(mine)
            assert mark is not None
            states = sorted({state for way in mine for state in way.sources})
            basis = certainty.basis_of(self.provider, mark, f"{step.operation} is for {' or '.join(states)}")
            return basis, "lifecycle.accepted", f"{step.operation} is accepted in a state that does not allow it"
        if kind in self.access:
            basis = certainty.ACCESS if whose == "another's" else self._kept_from(step, kind, who)
            basis = certainty.WITHIN if whose == "another row's" and kind in self.missing else basis
            return basis, "access.object", f"{step.operation} lets {who} reach what is not theirs"
        if kind in REQUEST:
            wrong = basis_of_faults(self.provider, step.operation, faults(self.provider, sent)) if sent else None
            title = f"{step.operation} accepts a request that breaks the contract"
            return wrong or self._told_by(kind), "request.accepted", title
        if kind in IDEMPOTENCY and self.rules.idempotency:
            basis = certainty.basis_of(self.provider, self.rules.idempotency.provenance, "idempotency keys")
            return basis, "idempotency.accepted", f"{step.operation} accepts a key that it should refuse ({kind})"
        return self._told_by(kind), "rule.accepted", f"{step.operation} accepts what should be refused ({kind})"

    def _told_by(self, kind: str) -> Basis:
        """Where it is known from that there is such a refusal."""
        answer = self.rules.errors.answers.get(kind)
        mark = answer.rule or answer.provenance if answer else Provenance("assumed", "the twin's own rule")
        return certainty.basis_of(self.provider, mark, f"the refusal {kind}")

    def _kept_from(self, step: Step, kind: str, who: str) -> Basis:
        """Where it is known from that a caller is kept from something that nobody else made."""
        marks = [way.provenance for way in self._ways(step.operation) if way.only]
        mark = certainty.weakest(marks)
        if mark:
            return certainty.basis_of(self.provider, mark, f"{step.operation} is not for {who}")
        return self._told_by(kind)

    def _ways(self, operation: str) -> tuple[Transition, ...]:
        binding: Binding | None = self.rules.bindings.get(operation)
        return binding.transitions() if binding else ()

    def _other_status(self, step: Step, expected: Answer, reply: Reply) -> Mismatch:
        if expected.good or reply.status < 400:
            mark = certainty.answer_mark(self.provider, step.operation, expected.status)
            basis = certainty.basis_of(self.provider, mark, f"{step.operation} answers {expected.status}")
        else:
            answer = self.rules.errors.answers.get(expected.kind)
            mark = answer.provenance if answer else Provenance("assumed", "the twin's own answer")
            basis = certainty.basis_of(self.provider, mark, f"{expected.kind} is answered with {expected.status}")
        return Mismatch(
            "answer.status",
            f"{step.operation} answers {reply.status} in place of {expected.status}",
            _status(expected),
            f"{reply.status} {short(_body(reply))}",
            basis,
            f"answer.status:{step.operation}:{expected.kind or expected.status}:{reply.status}",
            goes_on=True,
        )


def weighed(found: Iterable[Mismatch]) -> list[Mismatch]:
    """Mismatches, the weightiest first."""
    return sorted(found, key=lambda each: each.basis.severity == "note")


def lighter(found: Mismatch, why: str) -> Mismatch:
    """The same as a note, because of something that is not known about the target."""
    return replace(found, basis=Basis("assumed", why))


def _status(expected: Answer) -> str:
    return f"{expected.status}" + (f" ({expected.kind})" if expected.kind else "")


def _body(reply: Reply) -> Json:
    return reply.json() if reply.is_json else reply.body[:200].decode("utf-8", "replace")


def short(value: Json) -> str:
    """A value in a few words."""
    text = value if isinstance(value, str) else dumps(value).decode()
    return text if len(text) <= 160 else text[:159] + "…"
