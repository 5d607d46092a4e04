"""Encryption of blobs at rest with the owner's key: AES-256-GCM in chunks, so that any range can be read.

    8 bytes    ECLAIRB1
    8 bytes    id of the key
    16 bytes   salt: each blob has a key of its own, derived from the owner's key (HKDF-SHA256)
    16 bytes   tag of the blob's name, so that one blob cannot stand in for another
    chunks     of 64 KiB each, encrypted, with a tag of 16 bytes; the nonce says their number and which one is the last

So reordered, missing and appended chunks, and those of another blob, fail to decrypt.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from eclair.errors import SettingsError, StoreError
from eclair.storage.secrets import check_secret, create_secret, create_secret_file

MAGIC = b"ECLAIRB1"
CHUNK_BYTES = 1 << 16
TAG_BYTES = 16
STORED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
_ID_BYTES, _SALT_BYTES, _NAME_TAG_BYTES = 8, 16, 16
HEADER_BYTES = len(MAGIC) + _ID_BYTES + _SALT_BYTES + _NAME_TAG_BYTES
_INFO = b"eclair blob"


class BlobDamaged(Exception):
    """An encrypted blob isn't what was written."""


@dataclass(frozen=True, slots=True)
class BlobKey:
    """A key of the owner: 32 bytes, and the id by which blobs name it."""

    key: bytes
    id: bytes

    @classmethod
    def from_secret(cls, secret: bytes) -> BlobKey:
        key = hashlib.sha256(secret).digest()
        return cls(key, hashlib.sha256(b"eclair blob key" + key).digest()[:_ID_BYTES])

    def derive(self, salt: bytes) -> bytes:
        """Derive the key of one blob."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(hashes.SHA256(), 32, salt, _INFO).derive(self.key)


class BlobKeys:
    """The keys in a file, one a line: the first encrypts, the others still decrypt. It is read when it has changed."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._read: tuple[int, int] | None = None
        self._keys: dict[bytes, BlobKey] = {}

    @property
    def current(self) -> BlobKey:
        """The key that encrypts. Raises SettingsError."""
        self._reload()
        return next(iter(self._keys.values()))

    def find(self, id: bytes) -> BlobKey | None:
        """Return the key of that id, if the file has it. Raises SettingsError."""
        self._reload()
        return self._keys.get(id)

    def rotate(self) -> None:
        """Put a new key before the others, creating the file as needed. Raises SettingsError."""
        if not self.file.exists():
            create_secret_file(self.file)
            return
        before = self._secrets()
        part = self.file.with_name(f"{self.file.name}.part")
        try:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
                file.write(b"\n".join([create_secret(), *before, b""]))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.file)
        except OSError as error:
            raise SettingsError(
                f"{self.file} cannot be written: {error.strerror}; check who may write there."
            ) from error

    def _reload(self) -> None:
        try:
            stat = self.file.stat()
        except OSError:
            stat = None
        seen = None if stat is None else (stat.st_mtime_ns, stat.st_ino)
        if seen is None or seen != self._read:
            found = [BlobKey.from_secret(secret) for secret in self._secrets()]
            self._keys, self._read = {key.id: key for key in found}, seen

    def _secrets(self) -> list[bytes]:
        try:
            found = self.file.read_bytes().split()
        except FileNotFoundError:
            raise SettingsError(
                f"{self.file} is missing; put the keys of the blobs back, or make one with `eclair blobs --rotate-key`."
            ) from None
        except OSError as error:
            raise SettingsError(f"{self.file} cannot be read: {error.strerror}; check its permissions.") from None
        return [check_secret(secret, self.file) for secret in found or [b""]]


@dataclass(frozen=True, slots=True)
class SealedBlob:
    """An encrypted blob: its own key, and its size before and after encryption."""

    key: bytes
    size: int
    stored_size: int

    @property
    def last(self) -> int:
        """The number of its last chunk."""
        return max(0, self.size - 1) // CHUNK_BYTES

    def stored_range(self, start: int, end: int) -> tuple[int, int]:
        """Return where the chunks are stored that have the bytes from `start` to `end`, which is above it."""
        first, last = start // CHUNK_BYTES, (end - 1) // CHUNK_BYTES
        return (
            HEADER_BYTES + first * STORED_CHUNK_BYTES,
            min(self.stored_size, HEADER_BYTES + (last + 1) * STORED_CHUNK_BYTES),
        )

    def first_chunk(self, start: int) -> tuple[int, int]:
        """Return the number of the chunk that has the byte at `start`, and the bytes before that in it."""
        return divmod(start, CHUNK_BYTES)

    def decrypt_chunks(self, number: int, chunks: bytes) -> bytes:
        """Decrypt chunks of which the first has that number. Raises BlobDamaged."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher, found = AESGCM(self.key), list[bytes]()
        try:
            for at in range(0, len(chunks), STORED_CHUNK_BYTES):
                nonce = _nonce(number, is_last=number == self.last)
                found.append(cipher.decrypt(nonce, chunks[at : at + STORED_CHUNK_BYTES], None))
                number += 1
        except InvalidTag:
            raise BlobDamaged from None
        return b"".join(found)


class SealedWriter:
    """Encrypts what is written to a file whose name is only known at the end."""

    def __init__(self, file: IO[bytes], key: BlobKey) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        salt = secrets.token_bytes(_SALT_BYTES)
        self._file = file
        self._header = MAGIC + key.id + salt
        self._key = key.derive(salt)
        self._cipher = AESGCM(self._key)
        self._pending = bytearray()
        self._number = 0
        file.write(bytes(HEADER_BYTES))

    def write(self, data: bytes) -> None:
        self._pending += data
        while len(self._pending) > CHUNK_BYTES:  # the last chunk is known by the end alone
            self._write_chunk(bytes(self._pending[:CHUNK_BYTES]), is_last=False)
            del self._pending[:CHUNK_BYTES]

    def finish(self, name: str) -> None:
        """Write the last chunk and the header of a blob of that name."""
        self._write_chunk(bytes(self._pending), is_last=True)
        self._file.seek(0)
        self._file.write(self._header + _name_tag(self._key, name))
        self._file.seek(0, os.SEEK_END)

    def _write_chunk(self, chunk: bytes, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, is_last=is_last), chunk, None))
        self._number += 1


def is_sealed(head: bytes) -> bool:
    """Tell whether a blob that begins so may be encrypted; a plain one that begins so is very unlikely."""
    return head.startswith(MAGIC) and len(head) >= HEADER_BYTES


def key_id(head: bytes) -> bytes:
    """Return the id of the key that an encrypted blob needs."""
    return head[len(MAGIC) : len(MAGIC) + _ID_BYTES]


def unseal(head: bytes, stored_size: int, name: str, keys: BlobKeys | None) -> SealedBlob:
    """Open an encrypted blob by its head. Raises StoreError without its key, BlobDamaged for one of another name."""
    key = keys.find(key_id(head)) if keys is not None else None
    if key is None:
        where = f"{keys.file} has another" if keys is not None else "there is none"
        raise StoreError(
            f"A file is encrypted with a key that isn't here ({where}); put the key back (ECLAIR_BLOBS_KEY_FILE)."
        )
    at = len(MAGIC) + _ID_BYTES
    own = key.derive(head[at : at + _SALT_BYTES])
    if not hmac.compare_digest(_name_tag(own, name), head[at + _SALT_BYTES : HEADER_BYTES]):
        raise BlobDamaged
    content = stored_size - HEADER_BYTES
    chunks = max(1, -(-content // STORED_CHUNK_BYTES))
    size = content - chunks * TAG_BYTES
    if size < 0:
        raise BlobDamaged
    return SealedBlob(own, size, stored_size)


def _name_tag(key: bytes, name: str) -> bytes:
    return hmac.digest(key, b"name " + name.encode(), "sha256")[:_NAME_TAG_BYTES]


def _nonce(number: int, *, is_last: bool) -> bytes:
    return bytes(7) + struct.pack(">IB", number, is_last)
