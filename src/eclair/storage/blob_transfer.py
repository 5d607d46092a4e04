"""Copies blobs from one store to another, checks them, and encrypts them with a new key; each can be done again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from eclair.errors import StoreError
from eclair.storage.blob_stores.blob_store import BlobStore, StoredObject, is_blob_name
from eclair.storage.blobs import Blobs
from eclair.storage.lost import LOST_FOLDER
from eclair.util.file_opening import open_file
from eclair.util.scratch import ScratchFolder

ReportDone = Callable[[int, int], None]
"""Takes the number of blobs that are done, and of all."""


@dataclass(slots=True)
class TransferResult:
    """Blobs that were `changed`, such as copied; those for which there was nothing to do; sentences on damaged ones."""

    changed: int = 0
    unchanged: int = 0
    damaged: list[str] = field(default_factory=list[str])


async def copy_blobs(
    source: BlobStore, target: BlobStore, targets: Mapping[str, Blobs], report: ReportDone
) -> TransferResult:
    """Copy what `target` doesn't have, as it is stored, and compare every copy with its name.

    `targets` are the blobs of the target by folder. Raises StoreError where one of the stores fails.
    """
    found = [each for folder in (*targets, LOST_FOLDER) async for each in _list(source, folder)]
    result = TransferResult()
    with ScratchFolder("blob") as scratch:
        for number, each in enumerate(found, 1):
            if await _has(target, each):
                result.unchanged += 1
            else:
                await _copy(source, target, each, scratch.path / "copy")
                result.changed += 1
            folder, _, name = each.key.partition("/")
            if folder in targets:
                await _check(targets[folder], name.rpartition("/")[2], result)
            report(number, len(found))
    return result


async def check_blobs(all: Mapping[str, Blobs], report: ReportDone) -> TransferResult:
    """Compare every blob with its name. Raises StoreError where the store can't be listed."""
    found = [(blobs, entry.name) for blobs in all.values() for entry in await blobs.list_blobs()]
    result = TransferResult(unchanged=len(found))
    for number, (blobs, name) in enumerate(found, 1):
        await _check(blobs, name, result)
        report(number, len(found))
    return result


async def encrypt_blobs(all: Mapping[str, Blobs], report: ReportDone) -> TransferResult:
    """Encrypt every blob with the newest key. Raises StoreError where the store fails, and SettingsError."""
    found = [(blobs, entry.name) for blobs in all.values() for entry in await blobs.list_blobs()]
    result = TransferResult()
    for number, (blobs, name) in enumerate(found, 1):
        try:
            is_changed = await blobs.reencrypt(name)
            result.changed += is_changed
            result.unchanged += not is_changed
        except StoreError as error:
            await blobs.check()  # one that is down isn't a damaged blob
            result.damaged.append(error.message)
        report(number, len(found))
    return result


async def _list(store: BlobStore, folder: str) -> AsyncGenerator[StoredObject, None]:
    async for each in store.list_objects(folder):
        if is_blob_name(each.key.rpartition("/")[2]):
            yield each


async def _has(store: BlobStore, wanted: StoredObject) -> bool:
    try:
        return (await store.open(wanted.key)).size == wanted.size
    except FileNotFoundError:
        return False


async def _copy(source: BlobStore, target: BlobStore, wanted: StoredObject, path: Path) -> None:
    found = await source.open(wanted.key)
    file = await open_file(path, "wb")
    with file:
        async with aclosing(source.read(found, 0, found.size)) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
    await target.write(wanted.key, path, replace=True)


async def _check(blobs: Blobs, name: str, result: TransferResult) -> None:
    try:
        async with aclosing(blobs.stream(name)) as pieces:
            async for _ in pieces:
                pass
    except StoreError as error:
        await blobs.check()
        result.damaged.append(error.message)
