"""The way to a served twin: calls to its control plane."""

from typing import TYPE_CHECKING

from tasktwin.errors import MisuseError
from tasktwin.wire import Json

if TYPE_CHECKING:
    import httpx2

__tracebackhide__ = True  # of what goes wrong here, pytest shows the line in the test
CONTROL = "/_tasktwin"
PATIENCE = 30.0
"""Seconds that a call to the control plane may take."""


class AbsentError(MisuseError):
    """What a call asks for is not there."""


class ConflictError(MisuseError):
    """What a call wants to make is there already, or the row's state does not let it."""


class Link:
    """Calls to the twin at ``url``, with its control token if it has one. ``is_remote``: it is served by somebody else.

    Only a remote one is reached by way of the proxies that the environment names.
    """

    def __init__(self, url: str, token: str = "", *, is_remote: bool = False) -> None:
        import httpx2  # noqa: PLC0415 - only who uses a twin pays for it

        self.url = url.rstrip("/")
        self.is_remote = is_remote
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client: httpx2.Client = httpx2.Client(headers=headers, timeout=PATIENCE, trust_env=is_remote)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def ask(self, method: str, path: str, body: Json = None, **query: Json) -> Json:
        """What the twin answers: JSON, ``None`` if nothing.

        Raises ``MisuseError`` in the twin's words; ``AbsentError`` for 404 and ``ConflictError`` for 409.
        """
        answer = self._send(method, path, body, {key: value for key, value in query.items() if value is not None})
        if answer.is_success:
            return _json(answer, self.url) if answer.content else None
        kinds = {404: AbsentError, 409: ConflictError}
        raise kinds.get(answer.status_code, MisuseError)(_told(answer, self.url))

    def _send(self, method: str, path: str, body: Json, query: dict[str, Json]) -> "httpx2.Response":
        import httpx2  # noqa: PLC0415 - as above

        try:
            return self._client.request(method, f"{self.url}{path}", json=body, params=query)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise MisuseError(f"the twin at {self.url} cannot be reached: {error}") from None


def _json(answer: "httpx2.Response", url: str) -> Json:
    try:
        return answer.json()
    except ValueError:
        raise MisuseError(f"what answers at {url} is no twin: {answer.request.url.path} is no JSON there") from None


def _told(answer: "httpx2.Response", url: str) -> str:
    """The words of a problem; whoever speaks otherwise is no twin."""
    if answer.headers.get("content-type") == "application/problem+json":
        return str(_json(answer, url).get("detail", answer.status_code))
    return f"what answers at {url} is no twin: {answer.status_code} for {answer.request.url.path}"
