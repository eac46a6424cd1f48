"""Idempotency: the same request twice with one key has one effect and one answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

from tasktwin.behaviour.rules import Idempotency
from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis, Finding
from tasktwin.suite.lifecycle.atlas import Atlas
from tasktwin.suite.protocol import repeat
from tasktwin.suite.protocol.deed.burst import at_once, leave
from tasktwin.suite.protocol.deed.deed import Deed, deeds
from tasktwin.suite.protocol.deed.proof import led_there, looked, prove, told, with_new_keys
from tasktwin.suite.protocol.repeat import RETRIED, differences
from tasktwin.suite.story.judge import Mismatch, short
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Step

MANY = 8
"""So many equal requests that make a row are sent at once with one key."""

FEW = 4
"""So many of those that move one: others send these without a key as well."""

MOST_LOOKS = 3
"""So many looks are taken at what came of a key."""

PATIENCE = 5
"""So often a request is sent again that is refused because the first one with its key is not answered yet."""

EARLY = 60.0
"""Seconds before the end of the time that a key is kept at which it is surely remembered."""

LATE = 5.0
"""Seconds beyond it by which it is surely forgotten."""

EFFECTS = {
    "effect": "twice with one key",
    "effect-at-once": "several times at once with one key",
    "effect-after-loss": "again with the same key after a lost answer",
}
"""The rules about what is to be seen afterwards, and what was done then, in words."""

CUTS = ((0.0, 0.1), (0.03, 0.0))
"""Seconds after which the connection is cut of a request whose answer is lost, and then until it is sent again."""

DRAFT = "https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"

PAYLOAD = Basis(
    "itself",
    "A success says that what was asked for was done. This one repeats what was done for another payload (the IETF"
    " Idempotency-Key draft, §2.7, refuses a key that comes with another payload).",
    DRAFT,
)


@dataclass(slots=True)
class Keys:
    """Makes keys that nobody has used before on the target."""

    mark: str
    _next: "count[int]" = field(default_factory=lambda: count(1))

    def new(self) -> str:
        """A new one."""
        return f"{self.mark}-{next(self._next)}"


@dataclass(frozen=True, slots=True)
class Trial:
    """What the aspects of one deed share. ``header`` is the key's header as the provider writes it."""

    theatre: Theatre
    desk: Desk
    deed: Deed
    rule: Idempotency
    header: str
    keys: Keys

    @property
    def makes(self) -> bool:
        """Whether the operation makes a row."""
        return self.desk.inputs[self.deed.step.operation].binding.verb == "create"

    @property
    def copies(self) -> int:
        """So many are sent at once."""
        return MANY if self.makes else FEW

    @property
    def basis(self) -> Basis:
        """Where it is known from that keys work."""
        provider = self.theatre.run.provider
        about = "a repetition with the same key gets the first result, and happens once"
        return certainty.basis_of(provider, self.rule.provenance, about)

    def keyed(self, step: Step, key: str, *, in_body: bool = False) -> Step:
        """The step with a key."""
        if in_body:
            body = step.body if isinstance(step.body, Mapping) else {}
            return replace(step, body={**body, self.rule.fields[step.operation]: key})
        return replace(step, headers={**step.headers, self.header: key})

    def wrong(self, rule: str, title: str, expected: str, actual: str, basis: Basis | None = None) -> Mismatch:
        """Something wrong with this operation."""
        name = self.deed.step.operation
        return Mismatch(rule, f"{name}: {title}", expected, actual, basis or self.basis, f"{rule}:{name}")


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """One unit for each operation that writes and each state in which it succeeds."""
    run = theatre.run
    principals = [name for name in run.provider.rules.principals if name in run.target.callers.headers]
    known = deeds(desk, atlas, principals, run.asked_for)
    rule = run.provider.rules.idempotency
    found: list[tuple[str, Callable[[], None]]] = []
    if rule is not None:
        header = str(run.provider.data.get("idempotency", {}).get("header", rule.header))
        keys = Keys(f"judge-{run.target.now() // 1000 % 10**9}-{run.options.shard[0]}")
        for deed in known:
            if desk.inputs[deed.step.operation].operation.method in rule.methods:
                trial = Trial(theatre, desk, deed, rule, header, keys)
                found.append((f"{deed.name} with a key", partial(_keyed, trial, known)))
    return [*found, *repeat.units(theatre, desk, known, with_keys=rule is not None)]


def _keyed(trial: Trial, known: Sequence[Deed]) -> None:
    """All that is tried with keys on one deed. Where a key does nothing at all, there is no more to try."""
    if prove(trial.theatre, partial(_again, trial)):
        return
    plays = [partial(_at_once, trial)]
    if trial.deed.step.operation in trial.rule.fields:
        plays.append(partial(_again, trial, in_body=True))
    other = _other_body(trial)
    if other is not None:
        plays.append(partial(_other_payload, trial, other))
    if trial.makes:
        plays += [partial(_lost, trial, cut) for cut in CUTS]
        stranger = _stranger(trial)
        plays += [partial(_other_caller, trial, stranger)] if stranger else []
        if trial.theatre.time.offered:
            plays.append(partial(_forgotten, trial))
    elsewhere = _elsewhere(trial, known) if trial.makes else None
    if elsewhere is not None:
        plays.append(partial(_other_operation, trial, elsewhere))
    if trial.deed.step.operation in trial.rule.required:
        plays.append(partial(_without, trial))
    for play in plays:
        prove(trial.theatre, play)


# ── one key twice ────────────────────────────────────────────────────────────────────────────────────────────────────


def _led(trial: Trial, stage: Stage) -> bool:
    return led_there(trial.theatre, stage, [*trial.deed.bases, *trial.deed.before.steps])


def _first(trial: Trial, stage: Stage, key: str, *, in_body: bool = False) -> Taken | None:
    """The first request with a key; ``None`` unless both sides do what it asks for."""
    if not _led(trial, stage):
        return None
    taken = stage.take(replace(trial.keyed(trial.deed.step, key, in_body=in_body), about="the first with this key"))
    return taken if taken.in_step and taken.reply.good and taken.expected.good else None


def _looks(trial: Trial, stage: Stage, how: str, key: str) -> list[Finding]:
    """What the looks show that is not the one effect."""
    name, rule = trial.deed.step.operation, f"idempotency.{how}"
    words = f"after {name} {EFFECTS[how]}"
    found = looked(stage, trial.deed.looks[:MOST_LOOKS], rule, f"{rule}:{name}", words, trial.basis)
    return [with_new_keys(each, [key]) for each in found]


def _again(
    trial: Trial, stage: Stage, *, turns: bool, in_body: bool = False, how: str = "effect"
) -> list[Finding] | None:
    """The same request twice with one key."""
    key = trial.keys.new()
    first = _first(trial, stage, key, in_body=in_body)
    if first is None:
        return None
    found: list[Finding] = []
    if not turns:
        second = stage.take(replace(first.step, key=first.step.key + RETRIED, about="the same with the same key"))
        wrong = _unlike(trial, first, second)
        found += [told(stage, second, wrong, [key])] if wrong else []
    return _looks(trial, stage, how, key) or found


def _unlike(trial: Trial, first: Taken, second: Taken) -> Mismatch | None:
    """How the second answer is not the first one again."""
    if not second.reply.good:
        actual = f"{second.reply.status} {short(second.reply.json())}"
        expected = f"{first.reply.status}, as at first"
        return trial.wrong("idempotency.refused", "a repetition with the same key is refused", expected, actual)
    was, now = first.reply.json(), second.reply.json()
    for each in differences(was, now):
        title = "a repetition with the same key gets another answer"
        expected, actual = f"{short(each[1])}, as at first", short(each[2])
        return replace(trial.wrong("idempotency.answer", title, expected, actual), pointer=each[0])
    if first.reply.status != second.reply.status:
        title, status = "a repetition with the same key gets another status", str(first.reply.status)
        return trial.wrong("idempotency.status", title, status, str(second.reply.status))
    return None


# ── at once, and after an answer that was lost ───────────────────────────────────────────────────────────────────────


def _at_once(trial: Trial, stage: Stage, *, turns: bool) -> list[Finding] | None:
    """Equal requests at once with one key: one effect; the others get its answer, or hear that it is not there yet."""
    key = trial.keys.new()
    if turns:
        return _again(trial, stage, turns=False, how="effect-at-once")
    if not _led(trial, stage):
        return None
    step = trial.keyed(trial.deed.step, key)
    copies = [replace(step, key=step.key + n, volley=1, about="at once, with one key") for n in range(trial.copies)]
    volley = at_once(stage, copies, trial.deed.looks)
    if volley is None:
        return None
    last, won = volley.taken[-1], volley.winners
    found: list[Finding] = []
    if not won:
        statuses = ", ".join(str(each.reply.status) for each in volley.taken)
        wrong = trial.wrong("idempotency.lost", "sent at once with one key: none succeeds", "one effect", statuses)
        return [told(stage, last, wrong, [key])]
    for each in won[1:]:
        unlike = _unlike(trial, won[0], each)
        if unlike:
            title = "requests at once with one key get different answers"
            again = trial.wrong("idempotency.at-once", title, unlike.expected, unlike.actual)
            found = [told(stage, last, again, [key])]
            break
    if volley.order is None:
        return found
    return [*found, *_looks(trial, stage, "effect-at-once", key)]


def _lost(trial: Trial, cut: tuple[float, float], stage: Stage, *, turns: bool) -> list[Finding] | None:
    """A request whose answer is lost, and again with the same key."""
    key = trial.keys.new()
    if turns:
        return _again(trial, stage, turns=False, how="effect-after-loss")
    if not _led(trial, stage):
        return None
    step = trial.keyed(trial.deed.step, key)
    if leave(stage, replace(step, left=True, about="nobody waits for the answer"), cut[0]) is None:
        return None
    trial.theatre.run.target.stopped.wait(cut[1])
    for n in range(PATIENCE):
        again = stage.take(replace(step, key=step.key + RETRIED + n, about="the same with the same key"))
        if again.reply.status not in {409, 425}:
            break
        trial.theatre.run.target.stopped.wait(0.1 * (n + 1))
    if not again.reply.good:
        actual = f"{again.reply.status} {short(again.reply.json())}"
        title = "a repetition after a lost answer is refused"
        wrong = trial.wrong("idempotency.after-loss", title, str(again.expected.status), actual)
        return [told(stage, again, wrong, [key])]
    return _looks(trial, stage, "effect-after-loss", key)


# ── what a key does not cover ────────────────────────────────────────────────────────────────────────────────────────


def _other_payload(trial: Trial, other: Step, stage: Stage, *, turns: bool) -> list[Finding] | None:
    """The same key with another payload."""
    key = trial.keys.new()
    first = _first(trial, stage, key)
    if first is None:
        return None
    if turns:
        return []
    second = stage.take(replace(trial.keyed(other, key), about="another payload with the same key"))
    if second.expected.good or not second.reply.good:
        found = [each for each in second.found if not second.expected.good and each.rule == "error.code"]
        return [told(stage, second, replace(each, goes_on=True), [key]) for each in found]
    expected = f"{second.expected.status}: {second.expected.reason}"
    actual = f"{second.reply.status} {short(second.reply.json())}"
    if not list(differences(first.reply.json(), second.reply.json())):
        title = "a key that comes with another payload gets the first answer, as if it was done"
        return [told(stage, second, trial.wrong("idempotency.payload", title, expected, actual, PAYLOAD), [key])]
    wrong = next((each for each in second.found if each.rule == "idempotency.accepted"), None)
    answers = trial.theatre.run.provider.rules.errors.answers
    if wrong is None or second.expected.kind not in answers:
        return []
    mark = answers[second.expected.kind].provenance
    basis = certainty.basis_of(trial.theatre.run.provider, mark, "a key is for one payload")
    return [told(stage, second, replace(wrong, basis=basis), [key])]


def _other_body(trial: Trial) -> Step | None:
    """The step with another payload that is as good, by the oracle."""
    deed, desk = trial.deed, trial.desk
    body = deed.step.body
    if not isinstance(body, Mapping) or not body:
        return None
    inputs = desk.inputs[deed.step.operation]
    changed = [
        {**body, name: f"{value} (another)"} for name, value in body.items() if isinstance(value, str) and " " in value
    ]
    for other in [*changed, *inputs.variants]:
        step = replace(deed.step, key=deed.step.key + RETRIED, body={**body, **other})
        if step.body != body:
            desk.open(deed.before)
            if desk.answer(deed.before, step).good:
                return step
    return None


def _other_caller(trial: Trial, stranger: str, stage: Stage, *, turns: bool) -> list[Finding] | None:
    """The same key and request by another caller: an effect of its own."""
    key = trial.keys.new()
    first = _first(trial, stage, key)
    if first is None:
        return None
    other = replace(first.step, key=first.step.key + RETRIED, as_=stranger, about="another caller, the same key")
    if turns:
        other = trial.keyed(other, trial.keys.new())
    return _independent(trial, stage, first, other, key, "caller", certainty.ACCESS)


def _other_operation(trial: Trial, other: Step, stage: Stage, *, turns: bool) -> list[Finding] | None:
    """The same key for another operation: an effect of its own."""
    key = trial.keys.new()
    first = _first(trial, stage, key)
    if first is None:
        return None
    step = trial.keyed(replace(other, about="another operation, the same key"), trial.keys.new() if turns else key)
    return _independent(trial, stage, first, step, key, "operation", trial.basis)


def _independent(
    trial: Trial, stage: Stage, first: Taken, step: Step, key: str, what: str, basis: Basis
) -> list[Finding] | None:
    second = stage.take(step)
    if second.broken or not second.expected.good:
        return None
    expected = f"{second.expected.status}, an effect of its own"
    if not second.reply.good:
        actual = f"{second.reply.status} {short(second.reply.json())}"
        title, cause = f"a key is refused that another {what} has used", f"idempotency.{what}-refused"
        assumed = Basis("assumed", f"A key counts for one {what}; the others know nothing of it.")
        return [told(stage, second, trial.wrong(cause, title, expected, actual, assumed), [key])]
    if not list(differences(first.reply.json(), second.reply.json())):
        title, actual = f"a key gets the answer that another {what} got for it", short(second.reply.json())
        return [told(stage, second, trial.wrong(f"idempotency.{what}", title, expected, actual, basis), [key])]
    return []


def _stranger(trial: Trial) -> str:
    """Another caller who may do the same, by the oracle, with a credential for somebody else."""
    desk, deed = trial.desk, trial.deed
    for name in trial.theatre.run.target.callers.headers:
        if name == deed.step.as_ or name not in desk.provider.rules.principals:
            continue
        further = deed.before.fork()
        desk.open(deed.before)
        key = "key-of-two"
        first = trial.keyed(deed.step, key)
        second = replace(first, key=first.key + RETRIED, as_=name)
        one, two = desk.take(further, first), desk.take(further, second)
        if one.good and two.good and one.shape != two.shape:
            return name
    return ""


def _elsewhere(trial: Trial, known: Sequence[Deed]) -> Step | None:
    """A step of another operation that the same caller can take behind the deed, by the oracle."""
    desk, deed = trial.desk, trial.deed
    for other in known:
        step = other.step
        method = desk.inputs[step.operation].operation.method
        if step.operation == deed.step.operation or step.as_ != deed.step.as_ or method not in trial.rule.methods:
            continue
        further = deed.before.fork()
        desk.open(deed.before)
        first = desk.take(further, deed.step)
        later = step.renamed(deed.step.key + RETRIED)
        if later.refs().issubset(further.answers):
            second = desk.answer(further, later)
            if first.good and second.good and first.shape != second.shape:
                return later
    return None


def _forgotten(trial: Trial, stage: Stage, *, turns: bool) -> list[Finding] | None:
    """A key shortly before it may be forgotten, and when it is to be."""
    key = trial.keys.new()
    first = _first(trial, stage, key)
    if first is None or turns:
        return None if first is None else []
    seconds = trial.rule.keep / 1_000_000
    early = replace(first.step, key=first.step.key + RETRIED, wait=seconds - EARLY, about="while the key is kept")
    later = replace(first.step, key=first.step.key + RETRIED + 1, wait=EARLY + LATE, about="when it is forgotten")
    found: list[Finding] = []
    for step, kept in ((early, True), (later, False)):
        taken = stage.take(step)
        if taken.broken or not taken.expected.good or not taken.reply.good:
            return found
        same = not list(differences(first.reply.json(), taken.reply.json()))
        if same != kept:
            title = f"a key is {'forgotten within' if kept else 'still remembered after'} {seconds:g} s"
            basis = trial.basis if kept else Basis("assumed", "A key is kept for as long as is said, and no longer.")
            rule = "idempotency.forgotten" if kept else "idempotency.kept"
            expected = "the first answer" if kept else "a new effect"
            wrong = trial.wrong(rule, title, expected, short(taken.reply.json()), basis)
            found.append(told(stage, taken, wrong, [key]))
    return found


def _without(trial: Trial, stage: Stage, *, turns: bool) -> list[Finding] | None:
    """A request without a key, where one is needed."""
    if not _led(trial, stage) or turns:
        return []
    taken = stage.take(replace(trial.deed.step, about="without a key"))
    return [told(stage, taken, each) for each in taken.found if each.rule == "idempotency.accepted"]
