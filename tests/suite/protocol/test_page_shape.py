"""How lists are cut: as the data say, else as the contract declares it."""

import pytest

from tasktwin import load
from tasktwin.suite.protocol.page_shape import Page, Shape, shape_of
from tasktwin.suite.story.inputs import all_inputs

LOG = Shape("offset", "limit", "offset", "", "x-total-count", "x-has-more")


@pytest.mark.parametrize(
    ("provider", "operation", "shape"),
    [
        ("posthog", "listTasks", Shape("offset", "limit", "offset", "/results", "/count", "/next")),
        ("uumit", "listTasks", Shape("page", "page_size", "page", "/data/items", "/data/total", "/data/has_more")),
        ("aitasker", "listTasks", Shape("offset", "limit", "offset", "", "", "")),
        ("posthog", "getRunSessionLogs", LOG),
        ("posthog", "retrieveTask", None),
        ("posthog", "getRunLogs", None),
    ],
    ids=["with a link", "within an envelope", "bare", "by the contract", "one row", "a text"],
)
def test_a_list_is_cut_as_the_data_or_the_contract_say(provider: str, operation: str, shape: Shape | None) -> None:
    loaded = load(provider)
    assert shape_of(loaded, all_inputs(loaded)[operation]) == shape


def test_pages_are_counted_from_one_and_offsets_in_rows() -> None:
    assert LOG.at(2, 5) == {"offset": 10, "limit": 5}
    assert Shape("page", "size", "page", "", "", "").at(2, 5) == {"page": 3, "size": 5}


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({"x-total-count": "7", "x-has-more": "true"}, Page([1], 7, True)),
        ({"x-total-count": "all", "x-has-more": "False"}, Page([1], None, False)),
        ({}, Page([1], None, None)),
    ],
    ids=["both", "no number", "silent"],
)
def test_a_page_tells_of_itself_in_headers(headers: dict[str, str], page: Page) -> None:
    assert LOG.read([1], headers) == page


def test_what_is_no_list_is_no_page() -> None:
    assert LOG.read({"items": []}, {}) is None
