"""Keys of the watermark of texts: one a line in a private file. The last is used, all are tested for."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from eclair.errors import SettingsError
from eclair.provenance.certificates import FOLDER
from eclair.settings import Settings
from eclair.util.private_files import make_private

KEY_FILE = "text-watermark.keys"
KEY_BYTES = 32


class WatermarkKeys:
    """The keys in a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / KEY_FILE

    @classmethod
    def configured(cls, settings: Settings) -> WatermarkKeys:
        return cls(settings.data_dir / FOLDER)

    def all(self) -> list[bytes]:
        """Return every key ever used, newest last; none before the first. Blocks. Raises SettingsError."""
        try:
            lines = self._file.read_text("ascii", "replace").split()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SettingsError(f"{self._file} cannot be read: {error.strerror}; check who may read it.") from error
        if not all(map(is_key, lines)):
            raise SettingsError(f"{self._file} has a line that is no key; restore the file from a backup.")
        return [bytes.fromhex(line) for line in lines]

    def current(self) -> bytes:
        """Return the key to mark with; the first is made on demand. Blocks. Raises SettingsError."""
        keys = self.all()
        return keys[-1] if keys else self._make()

    def _make(self) -> bytes:
        """Make the first key, or return that of a process that was faster."""
        key = secrets.token_bytes(KEY_BYTES)
        fresh = self._file.with_suffix(f".{os.getpid()}")
        try:
            make_private(self._file.parent)
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(f"{key.hex()}\n")
            try:
                os.link(fresh, self._file)
            except FileExistsError:
                return self.current()
            finally:
                fresh.unlink(missing_ok=True)
        except OSError as error:
            raise SettingsError(f"{self._file} cannot be written: {error.strerror}; check the disk.") from error
        return key


def is_key(line: str) -> bool:
    """Tell whether a line of the file is a key."""
    return re.fullmatch(f"[0-9a-fA-F]{{{2 * KEY_BYTES}}}", line) is not None
