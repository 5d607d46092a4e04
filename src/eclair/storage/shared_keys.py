"""Shares the keys that sign and mark between the servers of an installation, each of which has a data folder.

On PostgreSQL the database has them, encrypted by the vault, and the files in a data folder are copies. The first server
that starts gives those of its folder, or makes them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from eclair.errors import SettingsError
from eclair.provenance.certificates import AUTHORITY, FOLDER, SIGNING, Certificates
from eclair.provenance.watermark_keys import KEY_FILE, WatermarkKeys, is_key
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.installation_keys import InstallationKeyStore
from eclair.storage.secrets import Vault
from eclair.storage.signing_key import SIGNING_KEY_FILE, SigningKey
from eclair.util.file_replacement import replace_file
from eclair.util.private_files import make_private

log = logging.getLogger(__name__)

KeyTexts = dict[str, str]
"""Contents of files by their names."""


@dataclass(frozen=True, slots=True)
class _SharedFiles:
    """Files of a folder that are one key. `merge` returns what is to be kept of the database's and the folder's."""

    name: str
    folder: Path
    files: tuple[str, ...]
    make: Callable[[], object]
    merge: Callable[[KeyTexts, KeyTexts], KeyTexts]

    @property
    def place(self) -> str:
        return f"key of the installation: {self.name}"

    def read(self) -> KeyTexts | None:
        """Return the files; None where one is missing. Raises SettingsError."""
        try:
            return {file: (self.folder / file).read_text("ascii") for file in self.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SettingsError(f"The keys in {self.folder} cannot be read: {error}.") from error

    def write(self, texts: KeyTexts) -> None:
        """Write the files that differ; those before are kept beside them. Raises SettingsError."""
        try:
            make_private(self.folder)
            for name, text in texts.items():
                path = self.folder / name
                before = path.read_bytes() if path.exists() else None
                if before == text.encode():
                    continue
                if before is not None and before.decode("ascii", "replace").strip() not in text:
                    aside = path.with_name(f"{name}.{hashlib.sha256(before).hexdigest()[:8]}")
                    path.rename(aside)
                    log.warning("%s is replaced by that of the database, and kept as %s.", path, aside.name)
                with replace_file(path) as file:
                    file.write(text.encode())
        except OSError as error:
            raise SettingsError(f"{self.folder} cannot be written: {error.strerror}; check the disk.") from error


async def share_keys(settings: Settings, storage: Storage) -> None:
    """Have the keys in the data folder be those of the database, where that is PostgreSQL.

    A server whose secret doesn't open them keeps its own, and its log says so. Raises SettingsError and StoreError.
    """
    if settings.database_url is None:
        return
    vault, store = Vault.configured(settings), storage.installation_keys
    for shared in _all(settings):
        if (sealed := await store.get_installation_key(shared.name)) is not None:
            try:
                await asyncio.to_thread(vault.decrypt, sealed, shared.place)
            except SettingsError as error:
                log.warning("This server signs and marks with keys of its own, unlike the others: %s", error.message)
                return
        await _share(shared, store, vault)


async def _share(shared: _SharedFiles, store: InstallationKeyStore, vault: Vault) -> None:
    is_kept = False
    while not is_kept:
        sealed = await store.get_installation_key(shared.name)
        kept, merged = await asyncio.to_thread(_merge, shared, sealed, vault)
        is_kept = merged == kept or await store.put_installation_key(
            shared.name, sealed, vault.encrypt(orjson.dumps(merged).decode(), shared.place)
        )
        if is_kept:
            await asyncio.to_thread(shared.write, merged)


def _merge(shared: _SharedFiles, sealed: bytes | None, vault: Vault) -> tuple[KeyTexts | None, KeyTexts]:
    """Return what the database has, and what it is to have. Makes the key where neither has one."""
    kept: KeyTexts | None = None if sealed is None else orjson.loads(vault.decrypt(sealed, shared.place))
    held = shared.read()
    if kept is None and held is None:
        shared.make()
        held = shared.read()
    if kept is None:
        assert held is not None
        return None, held
    return kept, kept if held is None else shared.merge(kept, held)


def _all(settings: Settings) -> list[_SharedFiles]:
    marks = settings.data_dir / FOLDER
    found = [
        _SharedFiles(
            "signing key",
            settings.data_dir,
            (SIGNING_KEY_FILE,),
            SigningKey.configured(settings).public,
            lambda kept, held: kept,
        ),
    ]
    if settings.mark_certificate is None:
        make = Certificates.configured(settings).signing
        found.append(_SharedFiles("certificate", marks, (AUTHORITY, SIGNING), make, _newest_certificate))
    watermark = WatermarkKeys.configured(settings).current
    return [*found, _SharedFiles("watermark keys", marks, (KEY_FILE,), watermark, _all_lines)]


def _newest_certificate(kept: KeyTexts, held: KeyTexts) -> KeyTexts:
    """Return the folder's where that was renewed, by the same authority; else the database's."""
    is_renewed = held[AUTHORITY] == kept[AUTHORITY] and _expiry(held[SIGNING]) > _expiry(kept[SIGNING])
    return held if is_renewed else kept


def _expiry(pem: str) -> datetime:
    """Return when a certificate ends; long ago for a damaged one."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem.encode())[0].not_valid_after_utc
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _all_lines(kept: KeyTexts, held: KeyTexts) -> KeyTexts:
    """Return the keys of both, since all are tested for. The last one, which marks, stays the database's.

    What is no key in a damaged file is left out.
    """
    lines = kept[KEY_FILE].split()
    more = [line for line in held[KEY_FILE].split() if line not in lines and is_key(line)]
    return {KEY_FILE: "".join(f"{line}\n" for line in [*more, *lines])}
