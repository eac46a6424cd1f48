import re
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from tasktwin.behaviour.lifecycle import Lifecycle, Provenance, State, Transition
from tasktwin.diagram.svg import svg

SVG = "{http://www.w3.org/2000/svg}"
Rect = tuple[float, float, float, float]
Ways = list[tuple[str, str, str]]

TASK: Ways = [
    ("new", "open", "createTask stated"),
    ("new", "draft", "saveDraft stated"),
    ("draft", "open", "publishTaskDraft stated"),
    ("draft", "draft", "updateDraft observed"),
    ("open", "open", "updateTask observed"),
    ("open", "matched", "match stated"),
    ("open", "matched", "selectSkill assumed"),
    ("open", "closed", "closeTask stated"),
    ("draft", "closed", "closeDraft stated"),
    ("open", "expired", "expire assumed"),
    ("matched", "cancelled", "cancel assumed"),
    ("matched", "open", "reopen stated"),
]
DENSE: Ways = [("new", "s0", "create stated")] + [
    (f"s{number * 7 % 20}", f"s{(number * number + 3) % 20}", f"operation{number} assumed") for number in range(60)
]

SIBLINGS: Ways = [("new", name, f"create{name} stated") for name in "abc"] + [
    (name, name, f"keepEverythingOf{name} observed") for name in "abc"
]
CASES = pytest.mark.parametrize(
    "ways", [TASK, DENSE, SIBLINGS], ids=["a task", "20 states, 60 transitions", "siblings with loops"]
)


def lifecycle(ways: Ways, final: tuple[str, ...] = (), name: str = "task") -> Lifecycle:
    names = dict.fromkeys(name for source, to, _ in ways for name in (source, to) if name != "new")
    made = {}
    for source, to, cause in ways:
        operation, kind = cause.rsplit(" ", 1)
        made[operation] = Transition(operation, (source,), to, Provenance(kind, "K1"), operation=operation)
    states = {each: State(each, each in final, Provenance("stated", "S0")) for each in names}
    return Lifecycle(name, name, "status", states, made)


def drawn(text: str) -> ET.Element:
    return ET.fromstring(text)


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?[\d.]+", text)]


def figures(root: ET.Element, tag: str) -> list[ET.Element]:
    """Elements of the drawing itself, without the legend, whose entries are moved into place."""
    return [
        each
        for group in root.findall(f"{SVG}g")
        if "transform" not in group.attrib
        for each in group.findall(SVG + tag)
    ]


def boxes(root: ET.Element) -> list[Rect]:
    found = [rect.attrib for rect in figures(root, "rect") if rect.get("class") == "state"]
    sides = [[float(rect[side]) for side in ("x", "y", "width", "height")] for rect in found]
    return [(x, y, x + width, y + height) for x, y, width, height in sides]


def labels(root: ET.Element) -> list[Rect]:
    """The room of each label, at the width of a letter that wide monospaced fonts have (0.602 em of 11.5 px)."""
    texts = [text for text in figures(root, "text") if text.get("class") in {"stated", "observed", "assumed"}]
    found = [(float(text.attrib["x"]), float(text.attrib["y"]), len(text.text or "")) for text in texts]
    return [(x, y - 10, x + length * 6.92, y + 3) for x, y, length in found]


def course(path: str) -> list[tuple[float, float]]:
    """Points along a path, close enough to each other to notice a box between them."""
    points: list[tuple[float, float]] = []
    for command, text in re.findall(r"([MLC])([^MLC]+)", path):
        values = numbers(text)
        ends = [points[-1] if points else (values[0], values[1]), *zip(values[::2], values[1::2], strict=True)]
        corners = ends if command == "C" else [ends[0], ends[0], ends[-1], ends[-1]]
        for step in range(41):
            at = step / 40
            weights = ((1 - at) ** 3, 3 * at * (1 - at) ** 2, 3 * at**2 * (1 - at), at**3)
            x = sum(weight * corner[0] for weight, corner in zip(weights, corners, strict=True))
            points.append((x, sum(weight * corner[1] for weight, corner in zip(weights, corners, strict=True))))
    return points


def overlap(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@CASES
def test_nothing_overlaps_and_everything_is_in_view(ways: Ways) -> None:
    root = drawn(svg(lifecycle(ways, final=("closed", "expired", "cancelled"))))
    x, y, width, height = numbers(root.attrib["viewBox"])
    taken = boxes(root) + labels(root)
    assert len(labels(root)) == len(ways)
    assert not [pair for pair in combinations(taken, 2) if overlap(*pair)]
    assert all(x < box[0] and y < box[1] and box[2] < x + width and box[3] < y + height for box in taken)


@CASES
def test_no_arrow_runs_through_a_box_or_a_label(ways: Ways) -> None:
    root = drawn(svg(lifecycle(ways)))
    taken = [(left + 1, top + 1, right - 1, bottom - 1) for left, top, right, bottom in boxes(root) + labels(root)]
    paths = [path.attrib["d"] for path in root.iter(f"{SVG}path") if "marker-end" in path.attrib]
    assert paths
    for path in paths:
        crossed = [box for px, py in course(path) for box in taken if box[0] < px < box[2] and box[1] < py < box[3]]
        assert not crossed


def test_the_same_lifecycle_gives_the_same_bytes() -> None:
    assert svg(lifecycle(DENSE), {"s1": 2}, {"create"}) == svg(lifecycle(DENSE), {"s1": 2}, {"create"})


def test_transitions_between_the_same_states_share_an_arrow_with_a_line_each() -> None:
    root = drawn(svg(lifecycle([("open", "matched", "match stated"), ("open", "matched", "selectSkill assumed")])))
    (arrow,) = (group for group in root.findall(f"{SVG}g") if group.find(f"{SVG}path[@marker-end]") is not None)
    assert [(text.text, text.get("class")) for text in arrow.findall(f"{SVG}text")] == [
        ("match", "stated"),
        ("selectSkill", "assumed"),
    ]
    assert arrow.findtext(f"{SVG}title") == "match: match (stated K1)\nselectSkill: selectSkill (assumed: K1)"


def test_provenance_decides_the_stroke() -> None:
    text = svg(lifecycle([("a", "b", "x stated"), ("b", "c", "y observed"), ("c", "c", "z assumed")]))
    assert re.findall(r'class="arrow (\w+)" marker-end', text) == ["stated", "observed", "assumed"]
    assert ".arrow.assumed{stroke-dasharray:6 4}" in text
    assert ".arrow.observed{stroke-dasharray:.1 4.2;" in text


def test_only_final_states_have_a_second_border() -> None:
    ways = [("new", "open", "x stated"), ("open", "closed", "y stated")]
    assert svg(lifecycle(ways)).count('class="inner"') == 0
    in_state_and_legend = 2
    assert svg(lifecycle(ways, final=("closed",))).count('class="inner"') == in_state_and_legend


def test_counts_are_shown_in_every_state() -> None:
    text = svg(lifecycle(TASK), {"open": 1, "closed": 1234, "unheard of": 9})
    assert re.findall(r">(\d+ rows?)<", text) == ["1 row", "0 rows", "0 rows", "1234 rows", "0 rows", "0 rows"]


def test_covered_transitions_are_coloured_and_explained() -> None:
    text = svg(lifecycle(TASK), taken={"match", "unheard of"})
    assert re.findall(r'class="(?:\w+ )?covered"[^>]*>(\w+)<', text) == ["match"]
    assert text.count('marker-end="url(#head-covered)"') == 1
    assert ">covered</text>" in text
    assert ">covered</text>" not in svg(lifecycle(TASK))


@pytest.mark.parametrize(
    "name", ['<b> & "c"', "a\x00b\ud800\uffff", "]]>"], ids=["markup", "forbidden characters", "end of data"]
)
def test_any_text_gives_well_formed_xml(name: str) -> None:
    text = svg(lifecycle([("new", name, f"{name} stated")], final=(name,), name=name))
    shown = name.replace("\x00", "\ufffd").replace("\ud800", "\ufffd").replace("\uffff", "\ufffd")
    assert [element.text for element in drawn(text.encode().decode()).iter(f"{SVG}text")][:2] == [shown, shown]


def test_a_long_name_is_cut_and_told_in_full_on_hover() -> None:
    root = drawn(svg(lifecycle([("new", "x" * 300, "go stated")])))
    assert float(root.attrib["width"]) < 500
    assert f"{'x' * 300} (stated S0)" in [title.text for title in root.iter(f"{SVG}title")]


def test_a_lifecycle_without_states_is_drawn_with_its_legend() -> None:
    root = drawn(svg(lifecycle([])))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["stated", "observed", "assumed"]
