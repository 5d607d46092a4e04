"""Blobs: files of documents and images, named by the hash of their content.

They are in the data folder or an object store (`blob_stores`), plain or encrypted (`blob_stores.blob_encryption`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterable, Generator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from eclair.errors import NotFound, StoreError
from eclair.storage import lost
from eclair.storage.blob_stores.blob_copies import BlobCopies
from eclair.storage.blob_stores.blob_encryption import BlobDamaged, BlobKeys, is_sealed, key_id, unseal
from eclair.storage.blob_stores.blob_folder import BlobFolder
from eclair.storage.blob_stores.blob_marks import ErasureMarks, IsNeeded, SharedBlobStore
from eclair.storage.blob_stores.blob_reader import BlobReader, OpenBlob
from eclair.storage.blob_stores.blob_spool import BlobSpool
from eclair.storage.blob_stores.blob_store import BlobStore, is_blob_name
from eclair.util import file_lock

MIN_WRITE_BYTES = 1 << 20
"""Smaller pieces are gathered before they are written."""
UPLOAD_LOCK_TIMEOUT_S = 60.0
"""An upload folder younger than this may not have been locked by its process yet."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """Name and size in bytes of a stored blob."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob of a list: its name, its bytes as they are stored, and the seconds since it was stored."""

    name: str
    size: int
    age_s: float


@dataclass(frozen=True, slots=True)
class FoundBlob:
    """A blob that is there, to be sent: its name and its bytes."""

    blobs: Blobs
    name: str
    size: int

    def stream(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to `end`. Raises as `Blobs.stream` does."""
        return self.blobs.stream(self.name, start, end)


class Blobs:
    """The blobs of one folder, such as `files`. A blob's name is the SHA-256 of its bytes in hex.

    They are in `folder` unless a `store` is given; locks and unfinished uploads are there in any case. With `keys`, new
    blobs are encrypted.
    """

    def __init__(self, folder: Path, store: BlobStore | None = None, keys: BlobKeys | None = None) -> None:
        self._folder = folder
        self._store = store or BlobFolder(folder.parent)
        self._keys = keys
        self._marks = ErasureMarks(self._store, folder.name) if isinstance(self._store, SharedBlobStore) else None
        self._copies = BlobCopies()
        self._reader = BlobReader(self._store, keys)

    @property
    def is_shared(self) -> bool:
        """True where other machines may use the same blobs."""
        return self._marks is not None

    @property
    def folder(self) -> str:
        """The name of the folder."""
        return self._folder.name

    @contextlib.asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Keep other processes of this machine from adding and deleting blobs within the block. Raises StoreError."""
        async with contextlib.AsyncExitStack() as stack:
            with self._translated():
                await stack.enter_async_context(file_lock.lock(self._folder.with_name(f"{self._folder.name}.lock")))
            yield

    async def put(self, data: bytes) -> str:
        """Store `data` atomically and return its name. Raises StoreError for a full disk, or a store that is down."""

        async def pieces() -> AsyncGenerator[bytes, None]:
            yield data

        return (await self.put_stream(pieces())).name

    async def put_stream(self, source: AsyncIterable[bytes]) -> StoredBlob:
        """Store a stream atomically. Raises StoreError as `put` does, and any error of the source."""
        digest, size = hashlib.sha256(), 0
        async with self._spool() as spool:
            async for data in _gathered(source):
                digest.update(data)
                size += len(data)
                with self._translated():
                    await asyncio.to_thread(spool.write, data)
            name = digest.hexdigest()
            with self._translated():
                await asyncio.to_thread(spool.finish, name)
            await self._place(spool.path, name)
        return StoredBlob(name, size)

    def remove_partial(self) -> None:
        """Remove uploads that a dead process left unfinished."""
        for left in self._folder.glob("coming-*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > UPLOAD_LOCK_TIMEOUT_S and not file_lock.is_locked(left):
                    shutil.rmtree(left)

    def path(self, name: str) -> Path:
        """Return the file of a blob in the folder. Raises NotFound for an invalid name."""
        return self._folder.parent / self._key(name)

    @contextlib.asynccontextmanager
    async def open_path(self, name: str, *, check: bool = True) -> AsyncGenerator[Path]:
        """Have a file with the plain bytes of a blob within the block, only to be read.

        It is the blob's own file where there is a plain one; without `check`, that isn't compared with its name, nor
        even looked for. Raises NotFound for an invalid name, and StoreError for bytes that are missing or changed.
        """
        store = self._store
        own = store.path(self._key(name)) if isinstance(store, BlobFolder) else None
        if own is not None and not check and not await asyncio.to_thread(own.exists):
            yield own
            return
        blob = await self._open(name)
        if own is not None and blob.sealed is None:
            if check:
                await self._compare(name)
            yield own
            return
        async with (
            aclosing(self._stream_checked(name, blob)) as pieces,
            self._copies.open(name, pieces, keep=blob.sealed is None) as copy,
        ):
            yield copy

    async def get(self, name: str) -> bytes:
        """Read a blob. Raises NotFound, and StoreError when the stored bytes have changed."""
        blob = await self._find(name)
        async with aclosing(self._stream_checked(name, blob)) as pieces:
            return b"".join([piece async for piece in pieces])

    async def stream(self, name: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield a blob, or its bytes from `start` to `end`. Raises StoreError for bytes that are missing or changed.

        A whole blob is compared with its name at the latest after its last byte; a range is as far as it is encrypted
        or in a folder.
        """
        blob = await self._open(name)
        end = blob.size if end is None else min(end, blob.size)
        is_whole = start == 0 and end == blob.size
        if is_whole and not self._has_own_file(blob):
            pieces = self._stream_checked(name, blob)
        else:
            if self._has_own_file(blob):
                await self._compare(name)
            pieces = self._read(name, blob, start, end)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def read_head(self, name: str, size: int) -> bytes:
        """Return the first bytes of a blob, which aren't compared with its name. Raises NotFound and StoreError."""
        blob = await self._find(name)
        async with aclosing(self._read(name, blob, 0, min(size, blob.size))) as pieces:
            return b"".join([piece async for piece in pieces])

    async def exists(self, name: str) -> bool:
        """Tell whether a blob is there. Raises StoreError."""
        try:
            await self._store.open(self._key(name))
        except FileNotFoundError:
            return False
        return True

    async def find(self, name: str) -> FoundBlob:
        """Find a blob. Raises StoreError for one that is missing, or was changed as far as that shows."""
        blob = await self._open(name)
        if self._has_own_file(blob):
            await self._compare(name)
        return FoundBlob(self, name, blob.size)

    async def check(self) -> None:
        """Find out whether the store can be used; raise StoreError where it can't."""
        await self._store.check()

    async def list_blobs(self) -> list[BlobEntry]:
        """List all blobs but those that are being erased. Raises StoreError."""
        going = await self._marks.list_names() if self._marks is not None else set[str]()
        now = time.time()
        entries = [
            BlobEntry(each.key.rpartition("/")[2], each.size, max(0.0, now - each.modified))
            async for each in self._store.list_objects(self.folder)
        ]
        return [each for each in entries if is_blob_name(each.name) and each.name not in going]

    async def set_aside(self, name: str) -> None:
        """Move a blob that nobody knows to `lost/`. Raises StoreError."""
        if not self.is_shared:
            with self._translated():
                await asyncio.to_thread(lost.set_aside, self.path(name))
            return
        with contextlib.suppress(FileNotFoundError):
            await self._store.move(self._key(name), f"{lost.LOST_FOLDER}/{date.today().isoformat()}/{self._key(name)}")

    async def take_back(self, name: str) -> bool:
        """Bring a missing blob back from `lost/`; return whether it was there. Raises StoreError."""
        if not self.is_shared:
            with self._translated():
                return await asyncio.to_thread(lost.take_back, self.path(name))
        async for each in self._store.list_objects(lost.LOST_FOLDER):
            if each.key.endswith(f"/{self._key(name)}"):
                await self._store.move(each.key, self._key(name))
                return True
        return False

    async def delete(self, name: str) -> None:
        """Delete a blob and the data derived from it; a missing blob is no error. Raises StoreError.

        A shared one is only marked: a later `sweep` erases it unless it is needed again.
        """
        self._key(name)
        if self._marks is not None:
            await self._marks.add(name)
        else:
            await self._erase(name)

    async def sweep(self, is_needed: IsNeeded) -> int:
        """Erase shared blobs that were marked a minute ago and aren't needed; return how many. Raises StoreError."""
        return 0 if self._marks is None else await self._marks.sweep(is_needed, self._erase)

    async def reencrypt(self, name: str) -> bool:
        """Encrypt a blob with the current key; return whether it wasn't yet. Raises StoreError and SettingsError."""
        assert self._keys is not None
        blob = await self._open(name)
        if blob.sealed is not None and key_id(blob.found.head) == self._keys.current.id:
            return False
        async with self._spool() as spool:
            async with aclosing(self._stream_checked(name, blob)) as pieces:
                async for data in pieces:
                    with self._translated():
                        await asyncio.to_thread(spool.write, data)
            with self._translated():
                await asyncio.to_thread(spool.finish, name)
            async with self.lock():
                if await self.exists(name):
                    await self._store.write(self._key(name), spool.path, replace=True)
                    await self._store.delete(await self._derived_keys(name))
        return True

    async def get_derived(self, name: str, kind: str) -> bytes | None:
        """Return the data of that kind derived from a blob and stored with it, or None. Raises StoreError."""
        label = f"{name}.{kind}"
        try:
            found = await self._store.open(self._derived_key(name, kind))
            sealed = unseal(found.head, found.size, label, self._keys) if is_sealed(found.head) else None
            blob = OpenBlob(found, sealed)
            async with aclosing(self._reader.read(blob, 0, blob.size)) as pieces:
                return b"".join([piece async for piece in pieces])
        except (FileNotFoundError, BlobDamaged):
            return None

    async def put_derived(self, name: str, kind: str, data: bytes) -> None:
        """Store data derived from a blob for as long as the blob exists. Raises StoreError."""
        key = self._derived_key(name, kind)
        async with self._spool() as spool:
            with self._translated():
                await asyncio.to_thread(spool.write, data)
                await asyncio.to_thread(spool.finish, f"{name}.{kind}")
            if await self.exists(name):
                await self._store.write(key, spool.path, replace=True)
        if not await self.exists(name):
            await self._store.delete([key])

    async def _place(self, file: Path, name: str) -> None:
        """Store a file under its name, again if it was being erased."""
        while True:
            await self._store.write(self._key(name), file)
            if self._marks is None or await self._marks.withdraw(name):
                return

    async def _erase(self, name: str) -> None:
        await self._store.delete([self._key(name), *await self._derived_keys(name)])

    async def _open(self, name: str) -> OpenBlob:
        """Open a blob. Raises NotFound for an invalid name, and StoreError for a missing or damaged one."""
        key = self._key(name)
        try:
            return await self._find(name)
        except NotFound:
            what = f"{key} in {self._store.description}" if self.is_shared else str(self.path(name))
            raise StoreError(f"{what} is missing; restore a backup (`eclair restore`).") from None

    async def _find(self, name: str) -> OpenBlob:
        """Open a blob. Raises NotFound for an invalid name or a missing one, and StoreError for a damaged one."""
        try:
            found = await self._store.open(self._key(name))
        except FileNotFoundError:
            raise NotFound(f"There is no blob {name}.") from None
        with self._naming_damage(name):
            return await self._reader.unseal(found, name)

    async def _read(self, name: str, blob: OpenBlob, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield the plain bytes of a range. Raises StoreError for changed ones that are encrypted."""
        async with aclosing(self._reader.read(blob, start, end)) as pieces:
            with self._naming_damage(name):
                async for piece in pieces:
                    yield piece

    async def _stream_checked(self, name: str, blob: OpenBlob) -> AsyncGenerator[bytes, None]:
        """Yield a whole blob. Raises StoreError after its last byte if it isn't what its name says."""
        digest = hashlib.sha256()
        async with aclosing(self._read(name, blob, 0, blob.size)) as pieces:
            async for piece in pieces:
                digest.update(piece)
                yield piece
        if digest.hexdigest() != name:
            raise self._changed(name)

    async def _compare(self, name: str) -> None:
        """Compare a blob's own file with its name, once. Raises StoreError."""
        assert isinstance(self._store, BlobFolder)
        try:
            is_right = await self._store.compare(self._key(name), name)
        except FileNotFoundError:
            raise NotFound(f"There is no blob {name} any more.") from None
        if not is_right:
            raise self._changed(name)

    def _has_own_file(self, blob: OpenBlob) -> bool:
        return isinstance(self._store, BlobFolder) and blob.sealed is None

    @contextlib.asynccontextmanager
    async def _spool(self) -> AsyncGenerator[BlobSpool]:
        """Have a new file in a temporary folder beside the blobs, encrypted as they are."""
        key = self._keys.current if self._keys is not None else None
        with self._translated():
            folder = await asyncio.to_thread(self._temporary)
        with file_lock.try_lock(Path(folder.name)):
            try:
                with self._translated():
                    spool = await asyncio.to_thread(BlobSpool, Path(folder.name) / "coming", key)
                try:
                    yield spool
                finally:
                    await asyncio.to_thread(spool.close)
            finally:
                await asyncio.to_thread(folder.cleanup)

    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=self._folder, prefix="coming-")

    async def _derived_keys(self, name: str) -> list[str]:
        prefix = self._derived_key(name, "")
        return [
            each.key
            async for each in self._store.list_objects(prefix.rpartition("/")[0])
            if each.key.startswith(prefix)
        ]

    def _derived_key(self, name: str, kind: str) -> str:
        key = self._key(name)
        return f"{self.folder}.derived/{name}/{kind}" if self.is_shared else f"{key}.{kind}"

    def _key(self, name: str) -> str:
        if not is_blob_name(name):
            raise NotFound(f"{name!r} is not the name of a blob.")
        return f"{self.folder}/{name[:2]}/{name}"

    @contextlib.contextmanager
    def _naming_damage(self, name: str) -> Generator[None]:
        try:
            yield
        except BlobDamaged:
            raise self._changed(name) from None

    def _changed(self, name: str) -> StoreError:
        if self.is_shared:
            what = f"{self._key(name)} was changed in {self._store.description}"
            return StoreError(f"{what}; restore an earlier version of it, or a backup (`eclair restore`).")
        return StoreError(f"{self.path(name)} was changed on disk; restore a backup (`eclair restore`).")

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        """Turn the disk's errors into StoreErrors."""
        try:
            yield
        except OSError as error:
            raise StoreError(f"A file cannot be kept in {self._folder}: {error.strerror}.") from error


async def _gathered(source: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Join small pieces into larger ones."""
    gathered = bytearray()
    async for data in source:
        gathered += data
        if len(gathered) >= MIN_WRITE_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)
