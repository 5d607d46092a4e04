"""Opens blobs where the settings say, and has calls to an object store pass the outbound gate."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from eclair.errors import Refused, StoreError
from eclair.network.gate import PRINCIPAL, CallContext, OutboundGate
from eclair.network.policy import host_and_port, is_local_network
from eclair.settings import Settings
from eclair.storage.backup.bucket_files import BucketFiles
from eclair.storage.blob_stores.blob_bucket import BlobBucket, BucketPlace, CallBytes
from eclair.storage.blob_stores.blob_encryption import BlobKeys
from eclair.storage.blob_stores.blob_folder import BlobFolder
from eclair.storage.blob_stores.blob_store import BlobStore
from eclair.storage.blobs import Blobs

FILES, PICTURES, IMPORTS = "files", "pictures", "imports"
"""The folders of blobs: of documents, of images, and of exports that wait to be imported."""


class StoreCalls:
    """Implements `BucketCalls`: calls that leave the local network are recorded."""

    def __init__(self, gate: OutboundGate) -> None:
        self._gate = gate

    @asynccontextmanager
    async def call(self, method: str, url: str, sent: int) -> AsyncGenerator[CallBytes]:
        counted = CallBytes()
        if is_local_network(host_and_port(url)[0]):
            if (fault := self._gate.policy.refusal(url, "storage")) is not None:
                raise StoreError(fault)
            yield counted
            return
        try:
            call = self._gate.begin(method, url, CallContext(PRINCIPAL.get(), "storage"), sent)
        except Refused as error:
            raise StoreError(error.message) from error
        if call is None:
            yield counted
            return
        await self._gate.store(call)
        fault = "The call broke off."
        try:
            yield counted
            fault = None
        except FileNotFoundError:
            fault = None
            raise
        except StoreError as error:
            fault = error.message
            raise
        finally:
            call.received = counted.received
            self._gate.end(call, fault)


def open_blobs(settings: Settings, folder: str, gate: OutboundGate) -> Blobs:
    """Open the blobs of a folder. Raises SettingsError."""
    return Blobs(settings.data_dir / folder, open_blob_store(settings, gate), open_blob_keys(settings))


def open_blob_store(settings: Settings, gate: OutboundGate, url: str | None = None) -> BlobStore:
    """Open the store that the settings name, or the bucket at `url` with their keys. Raises SettingsError."""
    if settings.blobs_url is None and url is None:
        return BlobFolder(settings.data_dir)
    return BlobBucket(BucketPlace.from_settings(settings, os.environ, url), StoreCalls(gate))


def open_bucket_files(settings: Settings, gate: OutboundGate) -> BucketFiles | None:
    """Open the bucket for backups, on the running loop; None where blobs are in the data folder.

    Raises SettingsError.
    """
    return BucketFiles(open_blob_store(settings, gate)) if settings.blobs_url is not None else None


def open_blob_keys(settings: Settings) -> BlobKeys | None:
    """Return the keys that encrypt blobs, if they are encrypted."""
    return BlobKeys(settings.blobs_key_file) if settings.blobs_key_file is not None else None
