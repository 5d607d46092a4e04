"""The signing key of an installation (Ed25519), which signs what others are to check without asking it.

The file holds the private key, readable by its owner alone. Each kind of document has a context, so that a signature of
one kind counts for no other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from eclair.errors import SettingsError
from eclair.settings import Settings
from eclair.storage.secrets import create_secret_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNING_KEY_FILE = "signing.key"
KEY_BYTES = 32
SIGNATURE_BYTES = 64
FINGERPRINT_CHARS = 16


class SigningKey:
    """Signs with the private key in the file at `path`, which is made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def configured(cls, settings: Settings) -> SigningKey:
        return cls(settings.data_dir / SIGNING_KEY_FILE)

    def sign(self, context: str, message: bytes) -> bytes:
        """Sign `message` as a document of the kind `context`. Raises SettingsError without a usable key."""
        return self._private().sign(signed_bytes(context, message))

    def public(self) -> bytes:
        """Return the public key, 32 bytes. Raises SettingsError without a usable key."""
        return self._private().public_key().public_bytes_raw()

    def _private(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not self._path.exists():
            create_secret_file(self._path)
        try:
            seed = base64.b64decode(self._path.read_bytes().strip(), validate=True)
            return Ed25519PrivateKey.from_private_bytes(seed)
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be read: {error.strerror}; check its permissions.") from error
        except ValueError:
            raise SettingsError(
                f"{self._path} holds no key; put the file back from a backup, or remove it to have a new key made."
            ) from None


def is_signed_by(public: bytes, context: str, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is that of the key `public` under `message`, as a document of the kind `context`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed_bytes(context, message))
    except (InvalidSignature, ValueError):
        return False
    return True


def signed_bytes(context: str, message: bytes) -> bytes:
    """Return the bytes that a signature covers: the context, a zero byte, and the message."""
    return context.encode() + b"\0" + message


def encode_key(public: bytes) -> str:
    """Write a public key, or a signature, as text: base64url without padding."""
    return base64.urlsafe_b64encode(public).rstrip(b"=").decode()


def decode_key(text: str) -> bytes:
    """Read what `encode_key` wrote; empty for anything else."""
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return found if encode_key(found) == text else b""


def key_fingerprint(public: bytes) -> str:
    """Return a short name of a public key: the beginning of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:FINGERPRINT_CHARS]
