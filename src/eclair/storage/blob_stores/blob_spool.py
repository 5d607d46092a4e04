"""The file that a blob is written to before it has a name, encrypted from the first byte if blobs are."""

from __future__ import annotations

import os
from pathlib import Path

from eclair.storage.blob_stores.blob_encryption import BlobKey, SealedWriter


class BlobSpool:
    """A new file. All methods block, and raise OSError."""

    def __init__(self, path: Path, key: BlobKey | None) -> None:
        self.path = path
        self._file = path.open("wb")
        self._sealed = SealedWriter(self._file, key) if key is not None else None

    def write(self, data: bytes) -> None:
        (self._sealed or self._file).write(data)

    def finish(self, name: str) -> None:
        """Write what is left to the disk, under the name that an encrypted file is bound to."""
        if self._sealed is not None:
            self._sealed.finish(name)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
