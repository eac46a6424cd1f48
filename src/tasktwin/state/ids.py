"""Identifiers and chance from a seed: the same seed and the same sequence of calls give the same bytes.

They look random but are not secret: whoever knows the seed can tell the next one.
"""

from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from secrets import token_hex  # noqa: TID251 - for what no seed decides
from typing import TypeVar

from tasktwin.errors import MisuseError

T = TypeVar("T")

LONGEST = 128
"""Hexadecimal digits that one digest yields: the greatest length of ``make_hex``."""

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_WIDEST = 448  # bits of the greatest bound: a digest has 512, and 64 are spent on evenness


def make_nonce() -> str:
    """A word that nobody else has: of a process, not of a world, so not from a seed."""
    return token_hex(8)


def make_uuid(seed: int, n: int) -> str:
    """The ``n``-th UUID of a seed, in the canonical form, with the version (4) and variant bits of RFC 9562."""
    digest = _uuids(seed).copy()
    digest.update(b"%d" % n)
    digits = digest.hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


@lru_cache(maxsize=64)
def _uuids(seed: int) -> blake2b:
    """The beginning that all digests of a seed have in common."""
    return blake2b(b"uuid:%d:" % seed, digest_size=16)


def make_hex(seed: int, n: int, length: int = 32) -> str:
    """The ``n``-th string of ``length`` lower-case hexadecimal digits. Raises ``MisuseError`` outside 1 to 128."""
    if not 1 <= length <= LONGEST:
        raise MisuseError(f"a hexadecimal identifier has 1 to {LONGEST} digits, not {length}")
    return blake2b(b"hex:%d:%d" % (seed, n)).hexdigest()[:length]


def make_token(seed: int, n: int, prefix: str) -> str:
    """The ``n``-th token: the prefix and 32 letters or digits. Other prefixes give unrelated tokens."""
    digest = blake2b(b"token:%d:%d:%s" % (seed, n, prefix.encode("utf-8", "surrogatepass")), digest_size=24).digest()
    return prefix + b64encode(digest, b"Zz").decode()


class Chance:
    """A stream of chance. Streams of another seed or another name are unrelated.

    ``drawn`` counts the draws so far; setting it moves the stream there, so that a fork can go on where its origin was.
    """

    __slots__ = ("_key", "drawn")

    def __init__(self, seed: int, name: str) -> None:
        text = b"%d:%s" % (seed, name.encode("utf-8", "surrogatepass"))
        self._key = blake2b(text, digest_size=32).digest()
        self.drawn = 0

    def below(self, n: int) -> int:
        """An integer from 0 to ``n - 1``, all as likely. Raises ``MisuseError`` when ``n`` is below 1 or has over 448 bits."""
        if n < 1 or n.bit_length() > _WIDEST:
            raise MisuseError("chance needs a bound of at least 1 and at most 448 bits")
        return int.from_bytes(self._draw((n.bit_length() + 7) // 8 + 8)) % n

    def fraction(self) -> float:
        """A float from 0 up to, not including, 1; 53 bits."""
        return (int.from_bytes(self._draw(8)) >> 11) / 2**53

    def pick(self, sequence: Sequence[T]) -> T:
        """One of the elements, all as likely. Raises ``MisuseError`` when there is none."""
        if not sequence:
            raise MisuseError("chance cannot pick from nothing")
        return sequence[self.below(len(sequence))]

    def copy(self) -> "Chance":
        """A stream that will give what this one will give."""
        twin = Chance.__new__(Chance)
        twin._key, twin.drawn = self._key, self.drawn  # noqa: SLF001 - the same class
        return twin

    def _draw(self, size: int) -> bytes:
        self.drawn += 1
        return blake2b(b"%d" % self.drawn, digest_size=size, key=self._key).digest()
