"""Damage of a database that reads and checks have found since it was opened."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


class DamageRecord:
    """Damage found by reads stays until the database is opened again, since no check looks into rows."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._contents = set[str]()
        self._read: str | None = None
        self._checked: str | None = None
        self.is_unchecked = False
        """True if a read has found damage that no check has looked at."""

    @property
    def sentence(self) -> str | None:
        return self._checked or self._read or (self._describe_rows() if self._contents else None)

    def note(self, sentence: str) -> None:
        """Record damage that kept a read from its result."""
        if self._read is None:
            self._read, self.is_unchecked = sentence, True
            log.error("%s", sentence)

    def note_row(self, contents: str) -> None:
        """Record a damaged row that was left out of a list of `contents`, such as "messages"."""
        if contents not in self._contents:
            self._contents.add(contents)
            self.is_unchecked = True
            log.error("%s", self._describe_rows())

    def noting(self, contents: str) -> Callable[[], None]:
        return functools.partial(self.note_row, contents)

    def replace(self, sentence: str | None) -> None:
        """Record the result of a check."""
        self.is_unchecked = False
        if sentence is not None and sentence != self._checked:
            log.error("%s", sentence)
        self._checked = sentence

    def _describe_rows(self) -> str:
        return (
            f"{self._name} has damaged rows ({', '.join(sorted(self._contents))}), which aren't shown or only in part; "
            "stop Éclair and have them mended with `eclair doctor --repair`, or restore a backup (`eclair restore`)."
        )
