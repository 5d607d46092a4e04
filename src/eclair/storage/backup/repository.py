"""A backup repository: a folder of immutable blobs, each once, and the manifests of snapshots that name them.

    eclair-backup.json        the format, and how the key is derived from the passphrase
    blobs/ab/abcd...          contents; named by their SHA-256, or with a passphrase by a keyed hash of it
    snapshots/2026-11-28T04-15-00Z.json    a manifest: which path has which content

With a passphrase everything but `eclair-backup.json` is encrypted in chunks (AES-256-GCM; the key by scrypt), so that
whoever keeps the repository can neither read nor change it unnoticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import os
import re
import secrets
import struct
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.errors import BackupRunning, Conflict, InvalidInput, NotFound, StoreError
from eclair.util import file_lock

FORMAT = 1
HEAD_FILE = "eclair-backup.json"
LOCK_FILE = "lock"
CHUNK_BYTES = 1 << 20
MIN_PASSPHRASE_CHARS = 12
_NONCE_PREFIX_BYTES, _TAG_BYTES = 7, 16
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 15, 8, 1
_CHECK_TEXT = b"eclair backup"
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\Z")
_LAST = 1


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """A file of a snapshot: its `path` in the data folder, the SHA-256 of its content, its bytes.

    `modified` is when one of a bucket was changed last, in seconds since 1970 by the clock of the store.
    """

    path: str
    sha256: str
    size: int
    modified: float | None = None


@dataclass(frozen=True, slots=True)
class BackupSnapshot:
    """A manifest. `name` is the moment in UTC, `version` Éclair's, `database_format` that of the database.

    `missing` are files that the database names and that were not there.
    """

    name: str
    version: str
    database_format: int
    entries: tuple[BackupEntry, ...]
    missing: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)


@dataclass(frozen=True, slots=True)
class _Head:
    format: int
    salt: str | None = None
    check: str | None = None


_HEAD: TypeAdapter[_Head] = TypeAdapter(_Head)
_BACKUP_SNAPSHOT: TypeAdapter[BackupSnapshot] = TypeAdapter(BackupSnapshot)


class BackupRepository:
    """An opened repository. All methods block, and raise StoreError for what the disk refuses or has damaged."""

    def __init__(self, folder: Path, key: bytes | None) -> None:
        self.folder = folder
        self._key = key

    @classmethod
    def create_or_open(cls, folder: Path, passphrase: str | None) -> BackupRepository:
        """Open a repository, creating it in a folder that is empty or missing.

        Raises Conflict for a folder of something else, BackupRunning while another process creates it, and as `open`
        does.
        """
        with _translated(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (folder / HEAD_FILE).exists():
                _require_empty(folder)
                with cls(folder, None).lock():
                    if not (folder / HEAD_FILE).exists():  # nobody wrote it before the lock was held
                        _write_head(folder / HEAD_FILE, passphrase)
        return cls.open(folder, passphrase)

    @classmethod
    def open(cls, folder: Path, passphrase: str | None) -> BackupRepository:
        """Open a repository. Raises NotFound where there is none, and InvalidInput for another passphrase."""
        try:
            with _translated(folder, "read"):
                head = _HEAD.validate_json((folder / HEAD_FILE).read_bytes())
        except FileNotFoundError:
            raise NotFound(f"{folder} is no backup of Éclair; {HEAD_FILE} is missing.") from None
        except ValidationError as error:
            raise StoreError(f"{folder / HEAD_FILE} is damaged; the backup can't be read.") from error
        if head.format > FORMAT:
            raise StoreError(f"{folder} was written by a newer Éclair; update Éclair.")
        if head.salt is None or head.check is None:
            if passphrase is not None:
                raise InvalidInput(f"{folder} is not encrypted; leave out the passphrase, or choose another folder.")
            return cls(folder, None)
        if passphrase is None:
            raise InvalidInput(f"{folder} is encrypted; give its passphrase with --passphrase-file.")
        key = _derive_key(passphrase, bytes.fromhex(head.salt))
        if not hmac.compare_digest(hmac.digest(key, _CHECK_TEXT, "sha256").hex(), head.check):
            raise InvalidInput(f"This is not the passphrase of {folder}.")
        return cls(folder, key)

    @contextlib.contextmanager
    def lock(self) -> Generator[None]:
        """Keep other processes from changing the repository. Raises BackupRunning while one does."""
        held = file_lock.try_hold(self.folder / LOCK_FILE, remove=True)
        if held is None:
            raise BackupRunning(f"Another backup into {self.folder} is running; wait until it has finished.")
        with held:
            yield

    def holds(self, sha256: str) -> bool:
        return self._blob(sha256).exists()

    def put(self, source: Path) -> tuple[str, int, bool]:
        """Store the content of a file; return its SHA-256, its bytes, and whether it was new.

        Raises FileNotFoundError and StoreError.
        """
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            if self.holds(sha256):
                return sha256, size, False
            file.seek(0)
            target = self._blob(sha256)
            with _translated(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f"{target.name}.part")
                digest = hashlib.sha256()
                with part.open("wb") as out:
                    self._write_content(_chunks(file, digest), out)
                    out.flush()
                    os.fsync(out.fileno())
                if digest.hexdigest() != sha256:
                    part.unlink()
                    raise StoreError(f"{source} changed while it was read; back up again.")
                part.replace(target)
        return sha256, size, True

    def write_out(self, entry: BackupEntry, target: Path) -> None:
        """Write the content of an entry to a new file, checked against its hash. Raises StoreError."""
        digest, part = hashlib.sha256(), target.with_name(f"{target.name}.part")
        with _translated(target):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with part.open("wb") as out:
                for chunk in self._content(entry.sha256):
                    digest.update(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            if digest.hexdigest() != entry.sha256:
                part.unlink()
                raise _damaged(self.folder, entry.path)
            part.replace(target)

    def check(self, entry: BackupEntry) -> bool:
        """Return whether the content of an entry is here and whole."""
        digest = hashlib.sha256()
        try:
            for chunk in self._content(entry.sha256):
                digest.update(chunk)
        except StoreError:
            return False
        return digest.hexdigest() == entry.sha256

    def list_snapshots(self) -> list[str]:
        """List the names of the snapshots, oldest first. Raises StoreError."""
        with _translated(self.folder, "read"):
            return sorted(
                path.stem for path in (self.folder / "snapshots").glob("*.json") if _NAME.match(path.stem) is not None
            )

    def read_snapshot(self, name: str) -> BackupSnapshot:
        """Return a snapshot. Raises NotFound and StoreError."""
        path = self._manifest(name)
        try:
            with _translated(path, "read"), path.open("rb") as file:
                return _BACKUP_SNAPSHOT.validate_json(b"".join(self._read_content(file, path.name)))
        except FileNotFoundError:
            raise NotFound(f"There is no snapshot {name!r} in {self.folder}.") from None
        except ValidationError as error:
            raise _damaged(self.folder, path.name) from error

    def add_snapshot(self, snapshot: BackupSnapshot) -> None:
        path = self._manifest(snapshot.name)
        with _translated(path):
            path.parent.mkdir(exist_ok=True)
            part = path.with_name(f"{path.name}.part")
            with part.open("wb") as out:
                data = io.BytesIO(orjson.dumps(asdict(snapshot)))
                self._write_content(iter(lambda: data.read(CHUNK_BYTES), b""), out)
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)

    def prune(self, keep: int) -> int:
        """Delete all but the newest `keep` snapshots, and the contents that no other names; return how many went.

        Only within `lock`: the contents of a snapshot that is being made aren't named yet.
        """
        names = self.list_snapshots()
        gone = names[: max(0, len(names) - keep)]
        with _translated(self.folder):
            for name in gone:
                self._manifest(name).unlink()
            if gone:
                kept = {entry.sha256 for name in names[len(gone) :] for entry in self.read_snapshot(name).entries}
                named = {self._blob(sha256).name for sha256 in kept}
                for path in (self.folder / "blobs").glob("*/*"):
                    if path.name not in named:
                        path.unlink()
        return len(gone)

    def _manifest(self, name: str) -> Path:
        if _NAME.match(name) is None:
            raise NotFound(f"There is no snapshot {name!r} in {self.folder}.")
        return self.folder / "snapshots" / f"{name}.json"

    def _blob(self, sha256: str) -> Path:
        name = sha256 if self._key is None else hmac.digest(self._key, sha256.encode(), "sha256").hex()
        return self.folder / "blobs" / name[:2] / name

    def _content(self, sha256: str) -> Iterator[bytes]:
        path = self._blob(sha256)
        try:
            with path.open("rb") as file:
                yield from self._read_content(file, path.name)
        except FileNotFoundError:
            raise _damaged(self.folder, path.name) from None

    def _write_content(self, chunks: Iterator[bytes], out: IO[bytes]) -> None:
        if self._key is None:
            out.writelines(chunks)
            return
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher, prefix = AESGCM(self._key), secrets.token_bytes(_NONCE_PREFIX_BYTES)
        out.write(prefix)
        number, chunk = 0, next(chunks, b"")
        while True:
            following = next(chunks, None)
            is_last = following is None
            out.write(cipher.encrypt(_nonce(prefix, number, is_last), chunk, None))
            if following is None:
                return
            number, chunk = number + 1, following

    def _read_content(self, file: IO[bytes], name: str) -> Iterator[bytes]:
        if self._key is None:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
            return
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher, prefix = AESGCM(self._key), file.read(_NONCE_PREFIX_BYTES)
        number, chunk = 0, file.read(CHUNK_BYTES + _TAG_BYTES)
        while True:
            following = file.read(CHUNK_BYTES + _TAG_BYTES)
            try:
                yield cipher.decrypt(_nonce(prefix, number, not following), chunk, None)
            except (InvalidTag, ValueError) as error:
                raise _damaged(self.folder, name) from error
            if not following:
                return
            number, chunk = number + 1, following


def read_passphrase(file: Path) -> str:
    """Read a passphrase from a file, without the line end. Raises InvalidInput."""
    try:
        passphrase = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidInput(f"{file} cannot be read: {reason}.") from error
    if len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise InvalidInput(f"The passphrase in {file} is too short; it needs {MIN_PASSPHRASE_CHARS} characters.")
    return passphrase


def _nonce(prefix: bytes, number: int, is_last: bool) -> bytes:
    """Return the nonce of a chunk (STREAM construction): reordered, missing and appended chunks fail to decrypt."""
    return prefix + struct.pack(">IB", number, _LAST if is_last else 0)


def _derive_key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=64 << 20, dklen=32
    )


def _chunks(file: IO[bytes], digest: Any) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        yield chunk


def _require_empty(folder: Path) -> None:
    """Raise Conflict for a folder with files of something else, not for one in which a repository is being created."""
    others = {path.name for path in folder.iterdir()} - {LOCK_FILE, f"{HEAD_FILE}.part"}
    if others and not (folder / HEAD_FILE).exists():
        raise Conflict(f"{folder} holds something else; choose an empty folder for backups.")


def _write_head(path: Path, passphrase: str | None) -> None:
    head = _Head(FORMAT)
    if passphrase is not None:
        salt = secrets.token_bytes(16)
        check = hmac.digest(_derive_key(passphrase, salt), _CHECK_TEXT, "sha256")
        head = _Head(FORMAT, salt.hex(), check.hex())
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as out:
        out.write(orjson.dumps(asdict(head)))
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def _damaged(folder: Path, name: str) -> StoreError:
    return StoreError(f"{name} is damaged in the backup {folder}; restore another snapshot, or another copy of it.")


@contextlib.contextmanager
def _translated(path: Path, verb: Literal["written", "read"] = "written") -> Generator[None]:
    """Turn the disk's errors into StoreErrors; that a file to be read is missing passes."""
    try:
        yield
    except OSError as error:
        if verb == "read" and isinstance(error, FileNotFoundError):
            raise
        raise StoreError(f"{path} cannot be {verb}: {error.strerror}.") from error
