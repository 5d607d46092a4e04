"""Damage of a database that reads and checks have found since it was opened."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class DamageRecord:
    """Damage found by reads stays until the database is opened again, since no check looks into rows."""

    def __init__(self) -> None:
        self._read: str | None = None
        self._checked: str | None = None
        self.is_unchecked = False
        """True if a read has found damage that no check has looked at."""

    @property
    def sentence(self) -> str | None:
        return self._checked or self._read

    def note(self, sentence: str) -> None:
        """Record damage that was read."""
        if self._read is None:
            self._read, self.is_unchecked = sentence, True
            log.error("%s", sentence)

    def replace(self, sentence: str | None) -> None:
        """Record the result of a check."""
        self.is_unchecked = False
        if sentence is not None and sentence != self._checked:
            log.error("%s", sentence)
        self._checked = sentence
