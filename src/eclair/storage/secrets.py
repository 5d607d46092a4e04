"""Encryption of server keys at rest, with a secret apart from the database.

AES-256-GCM: twelve random bytes, then the text and its tag. Each key is bound to its place, so that one moved to
another server's row cannot be decrypted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import tempfile
from pathlib import Path

from eclair.errors import SettingsError
from eclair.settings import Settings

KEY_FILE = "secret.key"
MIN_SECRET_CHARS = 32
"""`openssl rand -base64 32` writes more."""
NONCE_BYTES = 12


class Vault:
    """Encrypts and decrypts with the secret in the file at `path`, which is read when it is needed.

    With `ours`, a missing file is created.
    """

    def __init__(self, path: Path, *, ours: bool) -> None:
        self.path = path
        self._ours = ours

    @classmethod
    def configured(cls, settings: Settings) -> Vault:
        given = settings.secret_key_file
        return cls(given or settings.data_dir / KEY_FILE, ours=given is None)

    def encrypt(self, text: str, place: str) -> bytes:
        """Encrypt `text` for that `place` only. Raises SettingsError without a usable secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self._ours and not self.path.exists():
            create_secret_file(self.path)
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._secret()).encrypt(nonce, text.encode(), place.encode())

    def decrypt(self, encrypted: bytes, place: str) -> str:
        """Decrypt a text. Raises SettingsError if the secret is missing or not the one it was encrypted with."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return (
                AESGCM(self._secret())
                .decrypt(encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:], place.encode())
                .decode()
            )
        except (InvalidTag, ValueError):
            raise SettingsError(
                f"The key was encrypted with another secret than {self.path} holds; put that file back, "
                "or set the key again."
            ) from None

    def derive(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for one purpose, always the same. Raises SettingsError without a usable secret."""
        if self._ours and not self.path.exists():
            create_secret_file(self.path)
        return hmac.digest(self._secret(), purpose.encode(), "sha256")

    def _secret(self) -> bytes:
        """A key of 32 bytes, derived from the content of the file."""
        try:
            text = self.path.read_bytes().strip()
        except FileNotFoundError:
            raise SettingsError(f"{self.path} is missing; put it back, or set the key again.") from None
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be read: {error.strerror}; check its permissions.") from None
        return hashlib.sha256(check_secret(text, self.path)).digest()


def check_secret(secret: bytes, path: Path) -> bytes:
    """Return a secret of the file at `path`. Raises SettingsError for one that is too short."""
    if len(secret) < MIN_SECRET_CHARS:
        raise SettingsError(f"{path} holds fewer than {MIN_SECRET_CHARS} characters; write a longer secret into it.")
    return secret


def create_secret() -> bytes:
    return base64.b64encode(os.urandom(32))


def create_secret_file(path: Path) -> None:
    """Create a new secret atomically, readable by its owner only; an existing one is never replaced.

    Raises SettingsError where the file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(create_secret() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(name, path)
        except FileExistsError:
            return  # another process was faster
        finally:
            os.unlink(name)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}; check who may write there.") from error
