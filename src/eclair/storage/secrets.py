"""Keys of servers, encrypted at rest. The secret that opens them is in a file of its own, apart from the database.

What is locked is AES-256-GCM: twelve random bytes, then the text and its tag. Each is bound to where it belongs, so
that a key that is moved to another server's row does not open.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from pathlib import Path

from eclair.errors import SettingsError
from eclair.settings import Settings

FILE = "secret.key"
SHORTEST = 32
"""Characters that the secret's file holds at least; `openssl rand -base64 32` writes more."""
NONCE = 12


class Vault:
    """Locks and unlocks with the secret in the file at `path`, which is read when it is needed.

    `ours` says that it may be made where it is not there.
    """

    def __init__(self, path: Path, *, ours: bool) -> None:
        self.path = path
        self._ours = ours

    @classmethod
    def configured(cls, settings: Settings) -> Vault:
        given = settings.secret_key_file
        return cls(given or settings.data_dir / FILE, ours=given is None)

    def lock(self, text: str, place: str) -> bytes:
        """`text`, to be opened for the same `place` only. Raises SettingsError without a usable secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self._ours and not self.path.exists():
            _make(self.path)
        nonce = os.urandom(NONCE)
        return nonce + AESGCM(self._secret()).encrypt(nonce, text.encode(), place.encode())

    def unlock(self, locked: bytes, place: str) -> str:
        """Raises SettingsError where the secret is gone, or another than what locked it."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._secret()).decrypt(locked[:NONCE], locked[NONCE:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise SettingsError(f"{self.path} does not open it; put back the file that it was locked with.") from None

    def _secret(self) -> bytes:
        """32 bytes, from whatever the file holds."""
        try:
            text = self.path.read_bytes().strip()
        except FileNotFoundError:
            raise SettingsError(f"{self.path} is not there; put it back.") from None
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be read: {error.strerror}; check who may read it.") from None
        if len(text) < SHORTEST:
            raise SettingsError(f"{self.path} holds fewer than {SHORTEST} characters; write a longer secret into it.")
        return hashlib.sha256(text).digest()


def _make(path: Path) -> None:
    """A new secret, for its owner's eyes; whole or not at all, and never in the place of one that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(base64.b64encode(os.urandom(32)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(name, path)
        except FileExistsError:
            return  # another process was faster
        finally:
            os.unlink(name)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}; check who may write there.") from error
