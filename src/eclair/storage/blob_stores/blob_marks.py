"""Marks of blobs that are to be erased from a store that several machines share.

No lock holds there. So a blob is marked first (`going`), and erased at the second look, a minute later: whoever stored
the same bytes meanwhile has turned the mark (`kept`). Both turns compare the mark's version, so only one succeeds.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from eclair.errors import StoreError
from eclair.storage.blob_stores.blob_store import BlobStore, StoredObject

ERASURE_DELAY_S = 60.0
RETRY_INTERVAL_S = 0.5
GOING, ERASING, KEPT = b"going", b"erasing", b"kept"
"""The states of a mark. A random token follows, since the version of an object may be a hash of its bytes."""

IsNeeded = Callable[[str], Awaitable[bool]]
"""Tells whether the database names a blob."""


@runtime_checkable
class SharedBlobStore(BlobStore, Protocol):
    """A store that other machines may use at the same time."""

    async def mark(self, key: str, data: bytes) -> None:
        """Store a small object, in place of one that is there. Raises StoreError."""
        ...

    async def swap(self, found: StoredObject, data: bytes) -> bool:
        """Replace a small object unless it has changed since `open` returned it. Raises StoreError."""
        ...


async def heeds_versions(store: SharedBlobStore) -> bool:
    """Tell whether the store refuses to replace an object that has changed, on which marks rest.

    It is tried with an object of its own. Raises StoreError.
    """
    key = f"probe/{secrets.token_hex(8)}"
    try:
        await store.mark(key, _content(GOING))
        stale = await store.open(key)
        await store.mark(key, _content(KEPT))
        if await store.swap(stale, _content(ERASING)):
            return False
        return await store.swap(await store.open(key), _content(ERASING))
    finally:
        await store.delete([key])


class ErasureMarks:
    """The marks of the blobs of one folder in a store."""

    def __init__(self, store: SharedBlobStore, folder: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._folder = f"{folder}.going"
        self._monotonic = monotonic
        self._seen: dict[str, tuple[bytes, float]] = {}

    async def add(self, name: str) -> None:
        """Mark a blob that is to be erased."""
        await self._store.mark(self._key(name), _content(GOING))

    async def list_names(self) -> set[str]:
        """Return the names of the blobs that are marked."""
        return {each.key.rpartition("/")[2] async for each in self._store.list_objects(self._folder)}

    async def withdraw(self, name: str, timeout_s: float = ERASURE_DELAY_S) -> bool:
        """Keep a blob that was just stored; False if it was being erased and has to be stored again.

        Raises StoreError where the erasure doesn't end.
        """
        until = self._monotonic() + timeout_s
        was_erased = False
        while True:
            found = await self._find(name)
            if found is None:
                return not was_erased
            if _state(found) != ERASING and await self._store.swap(found, _content(KEPT)):
                await self._store.delete([found.key])
                return not was_erased
            was_erased = was_erased or _state(found) == ERASING
            if self._monotonic() > until:
                raise StoreError("The same file is just being erased; send it again in a minute.")
            await asyncio.sleep(RETRY_INTERVAL_S)

    async def sweep(self, is_needed: IsNeeded, erase: Callable[[str], Awaitable[None]]) -> int:
        """Erase the blobs that were marked a minute ago and aren't needed; return their number."""
        names, erased = await self.list_names(), 0
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        for name in names:
            found = await self._find(name)
            if found is None or not self._is_due(name, found):
                continue
            state = _state(found)
            if state == KEPT or (state == GOING and await is_needed(name)):
                if await self._store.swap(found, _content(KEPT)):
                    await self._store.delete([found.key])
            elif await self._store.swap(found, _content(ERASING)):
                await erase(name)
                await self._store.delete([found.key])
                erased += 1
        return erased

    def _is_due(self, name: str, found: StoredObject) -> bool:
        """Tell whether this process saw the same mark a minute ago; the clocks of others count for nothing."""
        now = self._monotonic()
        head, since = self._seen.setdefault(name, (found.head, now))
        if head != found.head:
            self._seen[name] = found.head, now
            return False
        return now - since >= ERASURE_DELAY_S

    async def _find(self, name: str) -> StoredObject | None:
        try:
            return await self._store.open(self._key(name))
        except FileNotFoundError:
            return None

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}"


def _content(state: bytes) -> bytes:
    return state + b" " + secrets.token_hex(8).encode()


def _state(found: StoredObject) -> bytes:
    return found.head.partition(b" ")[0]
