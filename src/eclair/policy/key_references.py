"""Keys that a policy file refers to: in the environment, in a file, or stored here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from eclair.errors import InvalidInput, SettingsError
from eclair.llm.servers.service import check_key
from eclair.policy.policy_entries import VAULT
from eclair.storage.secrets import Vault

MAX_KEY_FILE_BYTES = 64 << 10


class KeyReferences:
    """Resolves references to keys; with `encrypts`, to store them.

    Where `is_lenient`, a reference that leads nowhere counts as the stored key, if there is one.
    """

    def __init__(
        self,
        vault: Vault,
        environ: Mapping[str, str] | None = None,
        *,
        is_lenient: bool = False,
        encrypts: bool = False,
    ) -> None:
        self._encrypts = encrypts
        self._vault = vault
        self._environ = os.environ if environ is None else environ
        self._is_lenient = is_lenient

    def settle(
        self, reference: str | None, stored: bytes | None, place: str, where: str, old_place: str | None = None
    ) -> tuple[str | None, bytes | None]:
        """Return the reference as it is compared with the store, and the encrypted key to store.

        `place` binds the key, `old_place` the stored one; `where` is the place in the file. Raises InvalidInput.
        """
        if reference is None:
            return None, None
        kept = stored if old_place in (None, place) else None
        if reference == VAULT:
            if kept is None and not self._is_lenient:
                raise InvalidInput(
                    f"{where} is to be the stored key, and there is none for this address; write env:VARIABLE or "
                    "file:PATH."
                )
            return VAULT, kept
        try:
            key = self._read(reference, where)
        except InvalidInput:
            if self._is_lenient:
                return (VAULT if kept is not None else reference), kept
            raise
        if kept is not None and self._is_same(kept, place, key):
            return VAULT, kept
        return reference, self._vault.encrypt(key, place) if self._encrypts else None

    def _is_same(self, stored: bytes, place: str, key: str) -> bool:
        try:
            return self._vault.decrypt(stored, place) == key
        except SettingsError:
            return False

    def _read(self, reference: str, where: str) -> str:
        kind, _, name = reference.partition(":")
        if kind == "env":
            text = self._environ.get(name, "")
            if not text.strip():
                raise InvalidInput(f"{where} names the variable {name}, which isn't set; set it, and try again.")
        else:
            try:
                with Path(name).expanduser().open("rb") as file:
                    text = file.read(MAX_KEY_FILE_BYTES).decode()
            except (OSError, UnicodeDecodeError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8 text"
                raise InvalidInput(f"{where} names {name}, which can't be read: {reason}; correct it.") from None
        try:
            key = check_key(text)
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error.message}") from None
        if not key:
            raise InvalidInput(f"{where} names {reference}, which is empty; put the key there.")
        return key
