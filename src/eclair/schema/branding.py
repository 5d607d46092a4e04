"""Branding: how the house presents itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """The name of the house, its notice where people sign in, its accent color such as `#834317`, and its logo.

    `logo` is a PNG that was made here of a file whose SHA-256 is `source`.
    """

    name: str | None = None
    notice: str | None = None
    accent: str | None = None
    logo: bytes | None = None
    source: str | None = None

    @property
    def logo_digest(self) -> str | None:
        """The SHA-256 of the logo, if there is one."""
        return None if self.logo is None else hashlib.sha256(self.logo).hexdigest()
