"""A lifecycle as text that other tools draw: Mermaid and Graphviz. ``drawing`` makes an SVG of its own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasktwin.behaviour.lifecycle import NEW, Lifecycle, Transition

STRENGTH = ("stated", "observed", "assumed")
"""Kinds of provenance, the strongest first."""

_DOT_STYLES = {"stated": "solid", "observed": "dotted", "assumed": "dashed"}
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# An underscore at the edge of a word starts or ends emphasis.
_MERMAID_SIGN = re.compile(r"[^\w .,()/-]|(?<![^\W_])_|_(?![^\W_])")
_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Words that Mermaid 11 reads as its own in a state diagram, in any case, or trips over as names of a JavaScript object.
_MERMAID_WORD = re.compile(
    "acctitle|accdescr|as|choice|class|classdef|click|default|direction|end|fork|hide|href|join|left|linkstyle|note|of|"
    "over|right|root|scale|state|statediagram|style|title|"
    "constructor|hasownproperty|isprototypeof|propertyisenumerable|tolocalestring|tostring|valueof",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Label:
    """One line beside an arrow: ``text`` says the cause, ``kind`` how well it is known, ``about`` everything."""

    text: str
    kind: str
    transition: str
    about: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """All transitions from one state to another, or to itself."""

    source: str
    to: str
    labels: tuple[Label, ...]

    @property
    def kind(self) -> str:
        """The strongest provenance among its labels: one stated transition makes the arrow stated."""
        return min((label.kind for label in self.labels), key=STRENGTH.index)


def arrows(lifecycle: Lifecycle) -> list[Arrow]:
    """Every arrow once, in the order of the data. A fallback reads ``CAUSE otherwise``."""
    found: dict[tuple[str, str], dict[Label, None]] = {}
    for way in lifecycle.transitions.values():
        for source in way.sources:
            for to, label in _ways(way):
                found.setdefault((source, to or source), {})[label] = None
    return [Arrow(source, to, tuple(labels)) for (source, to), labels in found.items()]


def _ways(way: Transition) -> Iterator[tuple[str | None, Label]]:
    who = f", by {' or '.join(way.only)}" if way.only else ""
    yield way.to, Label(way.cause, way.provenance.kind, way.name, f"{way.name}: {way.cause}{who} ({way.provenance})")
    for other in way.otherwise:
        text = f"{way.cause} otherwise"
        about = f"{way.name}: {way.cause}, refused as {other.kind} ({other.provenance})"
        yield other.to, Label(text, other.provenance.kind, way.name, about)


def names(lifecycle: Lifecycle) -> list[str]:
    """The pseudo state ``new`` if rows start there, then every state that is declared or mentioned."""
    mentioned = [name for arrow in arrows(lifecycle) for name in (arrow.source, arrow.to)]
    first = [NEW] if NEW in mentioned else []
    return list(dict.fromkeys([*first, *lifecycle.states, *mentioned]))


def is_final(lifecycle: Lifecycle, name: str) -> bool:
    """Whether the state is declared as final."""
    return name in lifecycle.states and lifecycle.states[name].final


def printable(text: str) -> str:
    """The text with everything that no document may contain replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def mermaid(lifecycle: Lifecycle) -> str:
    """A Mermaid ``stateDiagram-v2``, ending in a newline. Start and end are ``[*]``.

    A name that Mermaid could not read as an identifier gets one (``state_3``) and is shown in quotes.
    """
    shown = names(lifecycle)
    ids = {name: "[*]" if name == NEW else _identifier(name, at, shown) for at, name in enumerate(shown)}
    lines = ["stateDiagram-v2"]
    lines += [_declaration(name, ids[name]) for name in shown if name != NEW]
    for arrow in arrows(lifecycle):
        text = "<br/>".join(_entities(label.text) for label in arrow.labels)
        lines.append(f"    {ids[arrow.source]} --> {ids[arrow.to]}: {text}")
    lines += [f"    {ids[name]} --> [*]" for name in shown if is_final(lifecycle, name)]
    return "\n".join(lines) + "\n"


def _declaration(name: str, identifier: str) -> str:
    return f"    {name}" if identifier == name else f'    state "{_entities(name)}" as {identifier}'


def _identifier(name: str, at: int, taken: list[str]) -> str:
    if _PLAIN_WORD.fullmatch(name) and not _MERMAID_WORD.fullmatch(name):
        return name
    made = f"state_{at}"
    while made in taken:
        made += "_"
    return made


def _entities(text: str) -> str:
    """Signs that could mean something to Mermaid as ``#NUMBER;``, which is how it escapes."""
    return _MERMAID_SIGN.sub(lambda found: f"#{ord(found[0])};", printable(text))


def dot(lifecycle: Lifecycle) -> str:
    """A Graphviz digraph, ending in a newline: final states with two borders, arrows in the style of their provenance."""
    lines = [
        f"digraph {_quoted(lifecycle.name)} {{",
        '    node [shape=box, style=rounded, fontname="Helvetica"];',
        '    edge [fontname="Helvetica", fontsize=10];',
    ]
    for name in names(lifecycle):
        look = "shape=point, width=0.15" if name == NEW else f"label={_quoted(name)}"
        lines.append(f"    {_quoted(name)} [{look}{', peripheries=2' if is_final(lifecycle, name) else ''}];")
    for arrow in arrows(lifecycle):
        text = "\\n".join(_quoted(label.text)[1:-1] for label in arrow.labels)
        style = _DOT_STYLES[arrow.kind]
        lines.append(f'    {_quoted(arrow.source)} -> {_quoted(arrow.to)} [label="{text}", style={style}];')
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    # Graphviz reads HTML entities inside labels, hence the ampersand.
    plain = printable(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
