"""Port of where blobs are: bytes by key, in the data folder or an object store.

A key is a path such as `files/ab/abcd…`. Names, hashes and encryption are left to `blobs`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

HEAD_BYTES = 64
"""The bytes that `BlobStore.open` returns with an object."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it is stored: key, bytes, the time of its last change in seconds, and its version.

    `head` is its beginning where `BlobStore.open` returned it.
    """

    key: str
    size: int
    modified: float
    version: str = ""
    head: bytes = b""


class BlobStore(Protocol):
    """All methods raise StoreError where the store can't be used."""

    @property
    def description(self) -> str:
        """The place for people to read, without secrets."""
        ...

    async def write(self, key: str, source: Path, *, replace: bool = False) -> None:
        """Store a file, whole or not at all; the file may be moved away.

        An object that is there already is left as it is unless `replace` is set: the bytes are the same.
        """
        ...

    async def open(self, key: str) -> StoredObject:
        """Return an object with its first bytes. Raises FileNotFoundError."""
        ...

    def read(self, found: StoredObject, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to `end` of an object that `open` returned. Raises FileNotFoundError."""
        ...

    def list_objects(self, prefix: str) -> AsyncGenerator[StoredObject, None]:
        """Yield the objects whose key begins with `prefix`, a folder, without their versions and heads."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; missing ones are no error."""
        ...

    async def move(self, key: str, target: str) -> None:
        """Give an object another key. Raises FileNotFoundError."""
        ...

    async def check(self) -> None:
        """Find out whether the store can be used; raise StoreError where it can't."""
        ...


def is_blob_name(name: str) -> bool:
    """Tell whether a text can be the name of a blob."""
    return len(name) == 64 and set(name) <= set("0123456789abcdef")
