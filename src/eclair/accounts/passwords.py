"""Passwords: what makes a good one, and their hashes (Argon2id, RFC 9106)."""

from __future__ import annotations

import asyncio
import os
import unicodedata
from functools import cache

from eclair.errors import InvalidInput

MIN_CHARS = 12
MAX_CHARS = 256
MIN_DIFFERENT_CHARS = 5
ITERATIONS = 2
LANES = 1
MEMORY_KIB = 19 * 1024
SALT_BYTES = 16
HASH_BYTES = 32
MAX_AT_ONCE = 2
"""Checks at the same time, each of which takes a core and `MEMORY_KIB`."""


class PasswordHasher:
    """Hashes passwords and checks them, a few at a time."""

    def __init__(self) -> None:
        self._running = asyncio.Semaphore(MAX_AT_ONCE)

    async def hash(self, password: str) -> str:
        """Return the hash of a password, in PHC's format."""
        async with self._running:
            return await asyncio.to_thread(_hash, _normal(password))

    async def verify(self, password: str, hash: str | None) -> bool:
        """Tell whether a password has that hash. Without one it takes as long, so that nobody learns who has one."""
        async with self._running:
            return await asyncio.to_thread(_verify, _normal(password), hash or _nobodys_hash()) and hash is not None


def check_new_password(password: str, *names: str) -> None:
    """Raise InvalidInput for a password that is easily guessed; `names` are those of its person."""
    normal = unicodedata.normalize("NFKC", password)
    if len(normal) < MIN_CHARS:
        raise InvalidInput(f"A password has at least {MIN_CHARS} characters; choose a longer one.", param="password")
    if len(normal) > MAX_CHARS:
        raise InvalidInput(f"A password has at most {MAX_CHARS} characters; choose a shorter one.", param="password")
    if len(set(normal)) < MIN_DIFFERENT_CHARS:
        raise InvalidInput("This password repeats a few characters; choose another.", param="password")
    folded = normal.casefold()
    if any(len(name) > 3 and name.casefold() in folded and len(folded) - len(name) < MIN_CHARS // 2 for name in names):
        raise InvalidInput("This password is little more than the name; choose another.", param="password")


def _normal(password: str) -> bytes:
    """Return the bytes of a password; keyboards write the same letters in different ways."""
    return unicodedata.normalize("NFKC", password[: 4 * MAX_CHARS]).encode("utf-8", "surrogatepass")


def _hash(password: bytes) -> str:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # slow to import

    salt = os.urandom(SALT_BYTES)
    kdf = Argon2id(salt=salt, length=HASH_BYTES, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY_KIB)
    return kdf.derive_phc_encoded(password)


def _verify(password: bytes, hash: str) -> bool:
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(password, hash)
    except InvalidKey:
        return False
    return True


@cache
def _nobodys_hash() -> str:
    return _hash(os.urandom(SALT_BYTES))
