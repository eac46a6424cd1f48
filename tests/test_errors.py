"""What is said of wrong data can be sent to a terminal, whatever stands in the data."""

import pytest

from tasktwin.errors import Problem, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, 任务, é\u3000", "plain, 任务, é\u3000"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("one\ntwo\r", r"one\ntwo\r"),
        ("\u202e\u200b\x9b", r"\u202e\u200b\x9b"),
        ("\ud800", r"\ud800"),
    ],
    ids=["text", "escape", "lines", "invisible", "surrogate"],
)
def test_what_no_terminal_should_be_sent_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(Problem(text, file="f", line=1)) == f"f:1: {shown}."
