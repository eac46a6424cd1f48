"""What of a head goes on, and how."""

import pytest

from tasktwin.suite.proxy.head import Upstream, handed_back, located, passed_on, refused

PLAIN, BASED = Upstream.of("http://api.test"), Upstream.of("https://api.test:8443/v2/")
OWN = "http://localhost:8080"


@pytest.mark.parametrize(
    ("upstream", "location", "wanted"),
    [
        (PLAIN, "http://api.test/tasks/1?x=%2F#y", f"{OWN}/tasks/1?x=%2F#y"),
        (PLAIN, "http://API.test:80/tasks", f"{OWN}/tasks"),
        (PLAIN, "//api.test/tasks", f"{OWN}/tasks"),
        (PLAIN, "/tasks/1", "/tasks/1"),
        (PLAIN, "../1", "../1"),
        (PLAIN, "https://api.test/tasks", "https://api.test/tasks"),
        (PLAIN, "http://api.test:81/tasks", "http://api.test:81/tasks"),
        (PLAIN, "http://elsewhere.test/tasks", "http://elsewhere.test/tasks"),
        (PLAIN, "http://[/tasks", "http://[/tasks"),
        (BASED, "https://api.test:8443/v2/tasks", f"{OWN}/tasks"),
        (BASED, "https://api.test:8443/v2", OWN),
        (BASED, "https://api.test:8443/v1/tasks", "https://api.test:8443/v1/tasks"),
        (BASED, "/v2/tasks", "/tasks"),
        (BASED, "/v1/tasks", "/v1/tasks"),
    ],
)
def test_a_location_within_the_deployment_leads_through_the_proxy(
    upstream: Upstream, location: str, wanted: str
) -> None:
    assert located(location.encode(), upstream, OWN) == wanted.encode()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://api.test:80/x", b"api.test"),
        ("http://api.test:8080", b"api.test:8080"),
        ("https://api.test:443", b"api.test"),
        ("http://[::1]:80", b"[::1]"),
        ("http://bücher.test", b"xn--bcher-kva.test"),
    ],
)
def test_the_host_is_that_of_the_deployment(url: str, host: bytes) -> None:
    assert Upstream.of(url).host == host


def test_the_target_is_passed_on_byte_by_byte() -> None:
    assert BASED.target(b"/a%2Fb//../c;d", b"x=%2f&&y=[1]") == b"/v2/a%2Fb//../c;d?x=%2f&&y=[1]"
    assert PLAIN.target(b"/", "q=é".encode()) == b"/?q=%C3%A9"


def test_what_is_meant_for_the_next_hop_ends_here() -> None:
    ends = [(b"connection", b"keep-alive, X-Once, Content-Length"), (b"x-once", b"1"), (b"te", b"trailers")]
    stays = [(b"x-twice", b"1"), (b"x-twice", b"2"), (b"content-length", b"3")]
    assert passed_on((*ends, *stays), PLAIN) == [(b"host", b"api.test"), *stays]
    assert handed_back(200, (*ends, *stays), PLAIN, OWN) == stays


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ((b"upgrade", b"websocket"), "upgrades to another protocol (websocket)"),
        ((b"upgrade", b"h2c"), ""),
        ((b"trailer", b"x-sum"), "trailer fields"),
        ((b"transfer-encoding", b"gzip, chunked"), "only chunked"),
        ((b"transfer-encoding", b"Chunked"), ""),
    ],
)
def test_what_cannot_be_passed_on_is_refused(header: tuple[bytes, bytes], why: str) -> None:
    told = refused("GET", "1.1", (header,))
    assert why in told
    assert bool(told) == bool(why)
