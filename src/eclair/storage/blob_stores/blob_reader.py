"""Reads the plain bytes of blobs, whether they are encrypted or not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from eclair.errors import StoreError
from eclair.storage.blob_stores.blob_encryption import (
    STORED_CHUNK_BYTES,
    BlobDamaged,
    BlobKeys,
    SealedBlob,
    is_sealed,
    unseal,
)
from eclair.storage.blob_stores.blob_store import BlobStore, StoredObject


@dataclass(frozen=True, slots=True)
class OpenBlob:
    """A stored object, and how it is encrypted if it is."""

    found: StoredObject
    sealed: SealedBlob | None

    @property
    def size(self) -> int:
        """The plain bytes."""
        return self.found.size if self.sealed is None else self.sealed.size


class BlobReader:
    """Reads from one store, with the keys if there are some."""

    def __init__(self, store: BlobStore, keys: BlobKeys | None) -> None:
        self._store = store
        self._keys = keys

    async def unseal(self, found: StoredObject, name: str) -> OpenBlob:
        """Find out how a blob is encrypted. Raises BlobDamaged, and StoreError without its key."""
        if not is_sealed(found.head):
            return OpenBlob(found, None)
        try:
            return OpenBlob(found, unseal(found.head, found.size, name, self._keys))
        except (StoreError, BlobDamaged):
            plain = OpenBlob(found, None)
            if await self._hash(plain) == name:
                return plain  # somebody's file that looks like an encrypted blob
            raise

    async def read(self, blob: OpenBlob, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to `end`, which isn't past the last. Raises BlobDamaged and StoreError."""
        if start >= end:
            return
        if blob.sealed is None:
            async with aclosing(self._store.read(blob.found, start, end)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        number, skip = blob.sealed.first_chunk(start)
        left, pending = end - start, bytearray()
        async with aclosing(self._store.read(blob.found, *blob.sealed.stored_range(start, end))) as pieces:
            async for piece in pieces:
                pending += piece
                if whole := len(pending) - len(pending) % STORED_CHUNK_BYTES:
                    data = await asyncio.to_thread(blob.sealed.decrypt_chunks, number, bytes(pending[:whole]))
                    del pending[:whole]
                    number += whole // STORED_CHUNK_BYTES
                    data, skip = data[skip : skip + left], 0
                    left -= len(data)
                    yield data
        if pending:
            yield blob.sealed.decrypt_chunks(number, bytes(pending))[skip : skip + left]

    async def _hash(self, blob: OpenBlob) -> str:
        digest = hashlib.sha256()
        async with aclosing(self.read(blob, 0, blob.size)) as pieces:
            async for piece in pieces:
                digest.update(piece)
        return digest.hexdigest()
