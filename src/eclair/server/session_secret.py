"""The secret that signs cookies, which every process of an installation has.

It is a file in the data folder; on PostgreSQL, where each server may have a data folder of its own, a key of the vault.
"""

from __future__ import annotations

from eclair.server.owner_session import SESSION_FILE
from eclair.settings import Settings
from eclair.storage.secrets import Vault, create_secret_file


class SessionSecret:
    """Reads and makes it. Both read the disk, and raise SettingsError and OSError."""

    def __init__(self, settings: Settings) -> None:
        self._vault = None if settings.database_url is None else Vault.configured(settings)
        self._path = settings.data_dir / SESSION_FILE

    def read(self) -> bytes | None:
        """Return the secret; None before it was made."""
        if self._vault is not None:
            return self._vault.derive("session cookies")
        return self._path.read_bytes().strip() if self._path.exists() else None

    def make(self) -> bytes:
        """Return the secret, which is made where there is none."""
        if (secret := self.read()) is not None:
            return secret
        create_secret_file(self._path)
        return self._path.read_bytes().strip()
