"""The connection of one process to Redis or Valkey: questions that are waited for, and things told that are not.

One caller at a time. Built upon redis-py's connection, without its pool and retries: a command is never sent twice, since
whether the first one was carried out is not known.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha1
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from hiredis import pack_command
from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - it is one of Redis
)

from tasktwin.errors import DeniedError, MisuseError, UnavailableError
from tasktwin.state.clock import elapsed

OLDEST: Final = 7
"""The first version that names entries of a stream by a counter of their own, and tells how many there ever were."""

PATIENCE: Final = 2.0
"""Seconds after which Redis counts as gone."""

RESPITE: Final = 1.0
"""Seconds for which a Redis that did not answer in time is not asked again: everybody would wait as long."""

MOST_UNREAD: Final = 1_000
"""So many answers are left unread before they are waited for."""

Heard = Callable[[Any], None]
"""Told what Redis answered, an ``UnavailableError`` if it refused; never if it was lost before."""


class Script:
    """A Lua script, which Redis carries out wholly or not at all."""

    __slots__ = ("name", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.name = sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """A connection that is made when it is needed, and made anew after a failure; ``made`` counts how often.

    ``turn`` tells one turn of the caller's work from another: all that is asked within one turn was asked for before it began,
    so that to look once what others did is enough. ``settle`` has what was told carried out before anybody hears what came of the
    turn. Unless somebody who knows sets them, each call is a turn of its own, and what was told is waited for at once.
    A parameter ``prefix`` of the URL is ``prefix`` here: who names another shares nothing. Raises ``MisuseError`` for what is no ``redis://``, ``rediss://`` or ``unix://`` URL. Whatever asks raises ``UnavailableError``.
    """

    def __init__(self, url: str) -> None:
        self.url, self.prefix = _split(url)
        try:
            pool = Redis.from_url(self.url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE).connection_pool
            self._connection: Any = pool.make_connection()  # its methods have no types
        except (ValueError, TypeError) as error:
            raise MisuseError(f"{url!r} is no address of a Redis: {error}") from None
        self._unread: deque[Heard | None] = deque()
        self._known: set[str] = set()
        self._unsent: list[bytes] = []
        self._gone_until = 0.0
        self.made = 0
        self.turn: Callable[[], int] = count(1).__next__
        self.settle: Callable[[], None] = self.hear

    def ask(self, *command: str | bytes | int) -> Any:
        """What Redis answers to a command that may as well be sent twice: see ``look``."""

        def ask() -> Any:
            self._send(command)
            return self._read()

        return self._twice(ask)

    def ask_all(self, *commands: tuple[str | bytes | int, ...]) -> list[Any]:
        """What Redis answers to each of several commands that may as well be sent twice."""

        def ask() -> list[Any]:
            for command in commands:
                self._unsent.append(_packed(*command))
            self._flush()
            return [self._read() for _ in commands]

        answers: list[Any] = self._twice(ask)
        return answers

    def check(self) -> None:
        """Raises ``MisuseError`` for a Redis that is too old, if it may be known, and ``UnavailableError``."""
        with suppress(DeniedError):
            self._check_version()
        self.ask("PUBLISH", f"tasktwin:{self.prefix}", "")  # what a script wrote stays, also if it may not be told then

    def _check_version(self) -> None:
        told = self.ask("INFO", "server").decode()
        version = told.partition("redis_version:")[2].split()[0]
        if int(version.partition(".")[0]) < OLDEST:
            raise MisuseError(
                f"the Redis at --store is {version}, which is too old: run {OLDEST}.0 or later, or a Valkey"
            )

    def look(self, script: Script, keys: list[str], *arguments: str | bytes | int) -> Any:
        """What a script answers that may as well run twice: if the connection was lost meanwhile, it is made anew."""
        return self._twice(lambda: self._run(script, keys, arguments))

    def run(self, script: Script, keys: list[str], *arguments: str | bytes | int) -> Any:
        """What a script answers."""
        self.hear()
        return self._carry_out(lambda: self._run(script, keys, arguments))

    def _run(self, script: Script, keys: list[str], arguments: tuple[str | bytes | int, ...]) -> Any:
        self._teach(script)
        self._send(("EVALSHA", script.name, len(keys), *keys, *arguments))
        return self._read()

    def _twice(self, work: Callable[[], Any]) -> Any:
        try:
            self.hear()
            return self._carry_out(work)
        except UnavailableError:
            if elapsed() < self._gone_until:
                raise
            return self._carry_out(work)

    def tell(self, script: Script, keys: list[str], *arguments: str | bytes | int, heard: Heard | None = None) -> None:
        """Have a script run, and do not wait for its answer: see ``say``."""
        if script.name not in self._known:
            self.hear()
            self._carry_out(lambda: self._teach(script))
        self.say("EVALSHA", script.name, len(keys), *keys, *arguments, heard=heard)

    def say(self, *command: str | bytes | int, heard: Heard | None = None) -> None:
        """Have a command carried out, and do not wait for its answer; ``heard`` is told it before anything else is asked.

        It is sent with what is asked next, or by ``hear``.
        """
        if len(self._unread) >= MOST_UNREAD:
            self.hear()  # before it, not after: nobody expects to be told what came of it before this returns
        self._unsent.append(_packed(*command))
        self._unread.append(heard)

    def hear(self) -> None:
        """Take in what Redis answered to what it was told."""
        if self._unread:
            self._carry_out(self._hear)

    def _hear(self) -> None:
        if self._unsent:
            self._flush()
        is_refused = False
        while self._unread:
            try:
                answer = self._read()
            except ResponseError as error:  # which is about this alone
                answer, is_refused = UnavailableError(f"Redis refuses: {error}"), True
            heard = self._unread.popleft()
            if heard:
                heard(answer)
        if is_refused:
            self.close()  # it may be another one that takes it, or one that has forgotten the scripts

    def close(self) -> None:
        """Leave. The next question connects anew."""
        self.made += 1
        self._unread.clear()
        self._unsent.clear()
        self._known.clear()
        self._connection.disconnect()

    def _carry_out(self, work: Callable[[], Any]) -> Any:
        if elapsed() < self._gone_until:
            self._unread.clear()
            self._unsent.clear()  # nobody expects that it is carried out later on
            raise UnavailableError("Redis did not answer in time a moment ago")
        try:
            return work()
        except (AuthenticationError, NoPermissionError) as error:
            self.close()
            raise DeniedError(f"Redis denies it: {error}") from error
        except ResponseError as error:
            self.close()
            raise UnavailableError(f"Redis refuses: {error}") from error
        except (RedisError, OSError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                self._gone_until = elapsed() + RESPITE
            raise UnavailableError(f"Redis does not answer: {error}") from error
        except BaseException:
            self.close()  # half a question may be under way
            raise

    def _teach(self, script: Script) -> None:
        """Make Redis know a script; one that was restarted knows none."""
        if script.name in self._known:
            return
        self._send(("SCRIPT", "LOAD", script.text))
        self._read()
        self._known.add(script.name)

    def _send(self, command: tuple[str | bytes | int, ...]) -> None:
        self._unsent.append(_packed(*command))
        self._flush()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        self._connection.send_packed_command(unsent if len(unsent) == 1 else [b"".join(unsent)], check_health=False)

    def _read(self) -> Any:
        answer = self._connection.read_response()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _packed(*command: Any) -> bytes:
    packed: bytes = pack_command(command)
    return packed


def _split(url: str) -> tuple[str, str]:
    """The URL without its parameter ``prefix``, and that."""
    parts = urlsplit(url)
    given = parse_qsl(parts.query)
    prefix = "".join(f"{value}:" for name, value in given if name == "prefix")
    rest = urlencode([(name, value) for name, value in given if name != "prefix"])
    return urlunsplit(parts._replace(query=rest)), prefix
