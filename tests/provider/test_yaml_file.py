"""YAML, read the 1.2 way and within bounds."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.errors import DataError
from tasktwin.provider.yaml_file import did_you_mean, read_yaml
from tasktwin.wire import Json, dumps, loads


def read(folder: Path, text: str) -> Json:
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path, "a.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: on", {"a": "on"}),
        ("on: a", {"on": "a"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 0777", {"a": 777}),
        ("a: 0o17", {"a": 15}),
        ("a: 0xFF", {"a": 255}),
        ("a: -1.5e3", {"a": -1500.0}),
        ("a: '1'", {"a": "1"}),
        ("a: !!str 1", {"a": "1"}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("a: TRUE", {"a": True}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("200: a", {"200": "a"}),
        ("true: a", {"true": "a"}),
        ("a: 18446744073709551615", {"a": 2**64 - 1}),
        ("a: 18446744073709551616", {"a": 2.0**64}),
        ("- &x 1\n- *x", [1, 1]),
        ("? a\n: b", {"a": "b"}),
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ("", None),
        ("# nothing", None),
        ("\ufeffa: 1", {"a": 1}),
    ],
    ids=repr,
)  # fmt: skip
def test_a_text_is_read_as_yaml_1_2_says(tmp_path: Path, text: str, value: Json) -> None:
    assert read(tmp_path, text) == value


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[" * 100_000, 1, "nested deeper than 100 levels"),
        ("- " * 100_000 + "x", 1, "nested deeper than 100 levels"),
        ("? " * 100_000, 1, "a key must be a text"),
        ("a: 1\n[b]: 2", 2, "a key must be a text"),
        ("a: &a {b: 1}\n? *a\n: 2", 2, "a key must be a text"),
        ("a: .inf", 1, "no number that JSON can write"),
        ("a: 1e999", 1, "no number that JSON can write"),
        (f"a: {'9' * 5_000}", 1, "no number that JSON can write"),
        ("a: 1\n'a': 2", 2, "the key 'a' stands here twice"),
        ("a: &x [1, *x]", 1, "makes a part hold itself"),
        ("a: &y 1\nb: *x", 2, "the alias *x stands for nothing"),
        ("a: !!binary aGk=", 1, "the tag !!binary is not read here"),
        ("a: {<<: b}", 1, "merge key"),
        ("a: @b", 1, "Put quotes around a text that begins with @"),
        ("a: b: c", 1, "Put quotes around a text that holds a colon"),
    ],
    ids=lambda case: repr(case)[:30],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("a.yaml", line)
    assert says in str(problem)


def test_aliases_may_repeat_much_but_not_everything(tmp_path: Path) -> None:
    rows = "a: &a [" + "x, " * 1_000 + "]\nb:\n" + "  - *a\n" * 150
    assert len(read(tmp_path, rows)["b"]) == 150
    with pytest.raises(DataError, match="more than 200,000 values"):
        read(tmp_path, rows + "  - *a\n" * 100)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text().filter(lambda key: key != "<<"), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(derandomize=True, deadline=None, database=None, max_examples=150)
@given(value=JSON, flow=st.booleans())
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, value: Json, *, flow: bool) -> None:
    text = yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=True, default_flow_style=flow)
    assert read(tmp_path_factory.getbasetemp(), text) == value


@settings(derandomize=True, deadline=None, database=None, max_examples=300)
@given(text=st.text(st.sampled_from("ab:-?[]{}&*!|>'\"%@`#,\n\t ~1")))
def test_no_text_ends_in_anything_but_a_value_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        value = read(folder, text)
    except DataError as error:
        (problem,) = error.problems
        assert problem.file == "a.yaml"
        assert 1 <= problem.line <= text.count("\n") + 2
        assert len(str(problem).splitlines()) == 1
    else:
        assert loads(dumps(value)) == value


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("opn", ["open", "done"], "Did you mean 'open'?"),
        ("xyz", ["open", "done"], "Known are: done, open."),
        ("xyz", [], "There are none."),
        ("xyz", list(map(str, range(10, 42))), f"Known are: {', '.join(map(str, range(10, 40)))} and 2 more."),
    ],
)
def test_a_hint_names_what_is_close_or_else_what_is_known(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint
