"""Folders with one mistake each, and what must be said about it."""

from dataclasses import dataclass

from tests.provider.small import FILES, edited

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
DEEP = "[" * 101 + "]" * 101
OPEN, WAYS = "      open: {provenance: stated D}\n", "    transitions:\n"


@dataclass(frozen=True)
class Mistake:
    """One folder: ``files`` in place of the good ones, and what is said: which file, the line's text, and words.

    ``at`` is a text that stands on the line to be named; empty when no line can be told. ``pointer`` is a part of it.
    """

    name: str
    files: dict[str, str]
    at: str
    pointer: str
    says: tuple[str, ...]

    @property
    def place(self) -> str:
        """``jobs/file:line: `` as the message must begin."""
        ((name, text),) = self.files.items()
        lines = [n for n, line in enumerate(text.splitlines(), 1) if self.at in line]
        return f"jobs/{name}:{lines[0]}: " if self.at else f"jobs/{name}: "


def behaviour(name: str, old: str, new: str, pointer: str, *says: str, at: str = "") -> Mistake:
    return Mistake(name, edited("provider.yaml", old, new), at or new.strip().splitlines()[-1], pointer, says)


def contract(name: str, old: str, new: str, pointer: str, *says: str, at: str = "") -> Mistake:
    return Mistake(name, edited("openapi.yaml", old, new), at or new.strip().splitlines()[-1], pointer, says)


def seeds(name: str, old: str, new: str, pointer: str, *says: str, at: str = "") -> Mistake:
    return Mistake(name, edited("seeds/default.yaml", old, new), at or new.strip().splitlines()[-1], pointer, says)


def whole(name: str, file: str, text: str, *says: str, at: str = "", pointer: str = "") -> Mistake:
    return Mistake(name, {file: text}, at, pointer, says)


FORM = [
    behaviour("unknown-key", "about: A small", "abuot: A small", "/abuot", "unknown key 'abuot'", "Did you mean 'about'?"),
    behaviour("unknown-key-inside", "final: true, provenance: stated D}\n      lapsed", "finale: true, provenance: stated D}\n      lapsed", "/lifecycles/job/states/done/finale", "unknown key 'finale'", "Did you mean 'final'?", at="finale"),
    behaviour("unknown-key-in-binding", "order: -created_at", "oder: -created_at", "/operations/listJobs/oder", "Did you mean 'order'?"),
    behaviour("missing-key", "title: Jobs\n", "", "", "the key 'title' is missing", at="provider: jobs"),
    behaviour("missing-key-inside", "    field: state\n", "", "/lifecycles/job", "the key 'field' is missing", at="  job:\n"[:-1]),
    behaviour("duplicate-key", "time: seconds", "title: Work", "", "the key 'title' stands here twice"),
    behaviour("transition-of-one-name-twice", "      finish: {", "      start: {", "", "the key 'start' stands here twice", at="start: {operation: finishJob"),
    behaviour("syntax-error", "wrong_state\n    states:", "wrong_state\n    states: {", "", "expected", at="transitions"),
    behaviour("unclosed-quote", 'pay: "nobody is paid"', 'pay: "nobody is paid', "", "scan", at="nobody"),
    behaviour("tab-indentation", "  header: Idem", "\theader: Idem", "", "tab"),
    behaviour("self-referring-alias", "about: A small market of jobs.", "about: &me [*me]", "", "itself"),
    behaviour("unknown-alias", "time: seconds", "time: *nothing", "", "nothing"),
    behaviour("unknown-tag", "time: seconds", "time: !!python/object/apply:os.system [ls]", "", "python/object/apply"),
    behaviour("wrong-type", "time: seconds", "time: [seconds]", "/time", "not known here"),
    behaviour("wrong-type-of-mapping", "  methods: [POST]", "  methods: POST", "/idempotency/methods", "array"),
    behaviour("unknown-choice", "time: seconds", "time: second", "/time", "'second' is not known", "Did you mean 'seconds'?"),
    behaviour("unknown-verb", "{verb: read,", "{verb: reed,", "/operations/getJob/verb", "Did you mean 'read'?", at="reed"),
    behaviour("status-out-of-range", "status: 402", "status: 42", "/errors/kinds/broke/status", "42"),
    whole("empty-file", "provider.yaml", "", "mapping", at=""),
    whole("a-list", "provider.yaml", "- 1\n", "mapping", at="- 1"),
    whole("alias-bomb", "provider.yaml", BOMB, "aliases"),
    whole("hundred-levels", "provider.yaml", f"provider: {DEEP}\n", "deeper than 100 levels", at="provider"),
    whole("two-documents", "provider.yaml", "a: 1\n---\nb: 2\n", "document"),
    whole("control-character", "provider.yaml", "provider: a\x07b\n", "character"),
    whole("merge-key", "provider.yaml", "a: &a {b: 1}\nc:\n  <<: *a\n", "<<"),
]  # fmt: skip
