"""A lifecycle drawn as a standalone SVG, for the documentation and the console."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from unicodedata import combining, east_asian_width

from tasktwin.behaviour.lifecycle import NEW, Lifecycle
from tasktwin.diagram.layout import Plan, Route, Size, Spot, Tie, place
from tasktwin.diagram.text import Arrow, Label, arrows, is_final, names, printable

# A cell is the width of one letter; all text is monospaced so that its width is known without a font.
_STATE_CELL, _LABEL_CELL, _LABEL_LINE = 8.2, 7.0, 15.0
_LONGEST = 44
_MARGIN = 16.0
_LOOP = 30.0
_DOT = 7.0
_NOTHING = Plan({}, (), (0.0, 0.0, 0.0))

# The drawing brings its own ground: text on it is readable wherever the drawing is shown.
_COLOURS = """
.ground{{fill:{ground}}} .state{{fill:{box};stroke:{line}}} .inner{{fill:none;stroke:{line}}}
.arrow{{stroke:{line}}} .head,.start{{fill:{line}}} text{{fill:{text}}} text.quiet{{fill:{line}}}
.covered.arrow{{stroke:{covered}}} .covered.head,text.covered{{fill:{covered}}}
"""
_LIGHT = {"ground": "#ffffff", "box": "#f3f5f8", "line": "#5b6672", "text": "#1f2328", "covered": "#147a34"}
_DARK = {"ground": "#0d1117", "box": "#1c232c", "line": "#9aa4b0", "text": "#e6edf3", "covered": "#45c463"}
_STYLE = f"""<style>
text{{font:11.5px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}}
text.name{{font-size:13.5px;font-weight:600;text-anchor:middle}} text.rows{{text-anchor:middle}} text.assumed{{font-style:italic}}
.state,.inner{{stroke-width:1.4}} .arrow{{fill:none;stroke-width:1.5}} .covered.arrow{{stroke-width:2.2}}
.arrow.assumed{{stroke-dasharray:6 4}} .arrow.observed{{stroke-dasharray:.1 4.2;stroke-linecap:round;stroke-width:2}}
{_COLOURS.format(**_LIGHT).strip()}
@media (prefers-color-scheme:dark){{
{_COLOURS.format(**_DARK).strip()}
}}
</style>"""
_HEAD = (
    '<marker id="{id}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto"><path class="{look}" d="M0 1L10 5L0 9z"/></marker>'
)
_DEFS = f"<defs>{_HEAD.format(id='head', look='head')}{_HEAD.format(id='head-covered', look='covered head')}</defs>"


def svg(lifecycle: Lifecycle, counts: Mapping[str, int] | None = None, taken: Collection[str] | None = None) -> str:
    """A standalone SVG document, top to bottom, the same bytes for the same lifecycle.

    ``counts`` are rows by state; states that it lacks have none. ``taken`` are names of transitions that were seen,
    which are coloured (with all their arrows: coverage is of names). Names unknown to the lifecycle are not drawn.
    """
    drawn = arrows(lifecycle)
    shown = names(lifecycle)
    loops = {arrow.source: arrow for arrow in drawn if arrow.source == arrow.to}
    between = [arrow for arrow in drawn if arrow.source != arrow.to]
    degrees = Counter(name for arrow in between for name in (arrow.source, arrow.to))
    rows = {} if counts is None else {name: _rows(counts.get(name, 0)) for name in shown}
    sizes = {name: _box(name, loops.get(name), degrees[name], rows.get(name, "")) for name in shown}
    plan = (
        place(sizes, [Tie(arrow.source, arrow.to, _beside(arrow.labels)) for arrow in between]) if sizes else _NOTHING
    )
    covered = frozenset(taken or ())
    parts = [_route(arrow, route, covered) for arrow, route in zip(between, plan.routes, strict=True)]
    parts += [_loop(arrow, plan.boxes[name], covered) for name, arrow in loops.items()]
    for name, spot in plan.boxes.items():
        parts.append(_start(spot) if name == NEW else _state(lifecycle, name, spot, rows.get(name, "")))
    return _document(lifecycle.name, plan.extent, parts, list(_legend(lifecycle, with_taken=taken is not None)))


def _document(name: str, extent: tuple[float, float, float], parts: list[str], legend: list[tuple[str, float]]) -> str:
    left, right, bottom = extent
    width = max(right - left, 300.0)
    left = min(left, (left + right - width) / 2)
    x, y = left, bottom + 26
    for sample, wide in legend:
        if x > left and x + wide > left + width:
            x, y = left, y + 20
        parts.append(f'<g transform="translate({_n(x)} {_n(y)})">{sample}</g>')
        x += wide
    box = (left - _MARGIN, -_MARGIN, width + 2 * _MARGIN, y + 10 + 2 * _MARGIN)
    at, size = f'x="{_n(box[0])}" y="{_n(box[1])}"', f'width="{_n(box[2])}" height="{_n(box[3])}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{" ".join(map(_n, box))}" {size} role="img">'
    ground = f'<rect class="ground" {at} {size} rx="8"/>'
    return "\n".join([head, f"<title>Lifecycle: {_text(name)}</title>", _STYLE, _DEFS, ground, *parts, "</svg>"]) + "\n"


def _legend(lifecycle: Lifecycle, *, with_taken: bool) -> Iterator[tuple[str, float]]:
    """Each entry with its width."""
    looks = [("stated", "stated"), ("observed", "observed"), ("assumed", "assumed")]
    for look, text in [*looks, ("stated covered", "covered")] if with_taken else looks:
        path = f'<path class="arrow {look}" d="M1 0H27"/>'
        yield f'{path}<text class="quiet {look}" x="34" y="4">{text}</text>', _cells(text) * _LABEL_CELL + 52
    if any(is_final(lifecycle, name) for name in lifecycle.states):
        boxes = '<rect class="state" x="3" y="-8" width="24" height="16" rx="5"/>'
        boxes += '<rect class="inner" x="6" y="-5" width="18" height="10" rx="3"/>'
        yield f'{boxes}<text class="quiet" x="34" y="4">final</text>', 5 * _LABEL_CELL + 52


def _box(name: str, loop: Arrow | None, degree: int, rows: str) -> Size:
    beside = _beside(loop.labels) if loop else Size(0, 0, 0)
    reach = _LOOP + beside.right if loop else 0.0
    if name == NEW:
        return Size(_DOT, _DOT + reach, max(2 * _DOT, beside.height), 2 * _DOT)
    width = max(_cells(_short(name)) * _STATE_CELL + 32, len(rows) * _LABEL_CELL + 26, 9.0 * degree + 24, 76.0)
    body = 46.0 if rows else 34.0
    return Size(width / 2, width / 2 + reach, max(body, beside.height), body, width - 28)


def _beside(labels: Sequence[Label]) -> Size:
    """The room of labels that stand to the right of an arrow."""
    return Size(4, 8 + max(_cells(_short(label.text)) for label in labels) * _LABEL_CELL, len(labels) * _LABEL_LINE)


def _state(lifecycle: Lifecycle, name: str, spot: Spot, rows: str) -> str:
    x, y, wide, tall = spot.x - spot.size.left, spot.y - spot.size.body / 2, 2 * spot.size.left, spot.size.body
    state = lifecycle.states.get(name)
    parts = [
        f"<g><title>{_text(f'{name} ({state.provenance})' if state else name)}</title>",
        _frame("state", x, y, wide, tall),
    ]
    if is_final(lifecycle, name):
        parts.append(_frame("inner", x + 3.5, y + 3.5, wide - 7, tall - 7))
    drop = -2.0 if rows else 4.5
    parts.append(f'<text class="name" x="{_n(spot.x)}" y="{_n(spot.y + drop)}">{_text(_short(name))}</text>')
    if rows:
        parts.append(f'<text class="quiet rows" x="{_n(spot.x)}" y="{_n(spot.y + 14)}">{rows}</text>')
    return "".join([*parts, "</g>"])


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _frame(look: str, x: float, y: float, wide: float, tall: float) -> str:
    radius = 9 if look == "state" else 6
    return f'<rect class="{look}" x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(tall)}" rx="{radius}"/>'


def _start(spot: Spot) -> str:
    return f'<circle class="start" cx="{_n(spot.x)}" cy="{_n(spot.y)}" r="{_n(_DOT)}"/>'


def _route(arrow: Arrow, route: Route, covered: Collection[str]) -> str:
    points = route.points
    path = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for at, ((x, y), (to_x, to_y)) in enumerate(pairwise(points)):
        middle = (y + to_y) / 2
        straight = at % 2 == 0 or abs(x - to_x) < 0.1
        path += (
            f"L{_n(to_x)} {_n(to_y)}"
            if straight
            else f"C{_n(x)} {_n(middle)} {_n(to_x)} {_n(middle)} {_n(to_x)} {_n(to_y)}"
        )
    return _arrow(arrow, path, route.label.x + 8, route.label.y, covered)


def _loop(arrow: Arrow, spot: Spot, covered: Collection[str]) -> str:
    x, y = spot.x + spot.size.left, spot.y
    high, far = min(9.0, spot.size.body / 2 - 2), x + _LOOP
    path = f"M{_n(x)} {_n(y - high)}C{_n(far)} {_n(y - high - 9)} {_n(far)} {_n(y + high + 9)} {_n(x)} {_n(y + high)}"
    return _arrow(arrow, path, far, y, covered)


def _arrow(arrow: Arrow, path: str, x: float, y: float, covered: Collection[str]) -> str:
    """The path and its labels, which start at ``x`` and are centred on ``y``."""
    is_covered = any(label.transition in covered for label in arrow.labels)
    look, head = (" covered", "head-covered") if is_covered else ("", "head")
    about = "\n".join(_text(label.about) for label in arrow.labels)
    parts = [f'<g><title>{about}</title><path class="arrow {arrow.kind}{look}" marker-end="url(#{head})" d="{path}"/>']
    top = y - (len(arrow.labels) - 1) * _LABEL_LINE / 2 + 4
    for line, label in enumerate(arrow.labels):
        look = f"{label.kind} covered" if label.transition in covered else label.kind
        text = _text(_short(label.text))
        parts.append(f'<text class="{look}" x="{_n(x)}" y="{_n(top + line * _LABEL_LINE)}">{text}</text>')
    return "".join([*parts, "</g>"])


def _cells(text: str) -> int:
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "FW" else 1 for c in text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _text(text: str) -> str:
    return escape(printable(text))


def _n(number: float) -> str:
    return f"{round(number, 1) + 0.0:g}"
