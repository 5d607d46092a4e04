"""Announcements: what the house says to everybody who is signed in, for a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

AnnouncementLevel = Literal["info", "warning", "urgent"]
ANNOUNCEMENT_LEVELS: tuple[AnnouncementLevel, ...] = get_args(AnnouncementLevel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An announcement. Whoever reads a language that `texts` lacks gets the one in `language`.

    It is shown from `begins` until `ends`, in milliseconds; None leaves that open. A person may hide one that is
    `closable`, until it is `changed`.
    """

    id: str
    level: AnnouncementLevel
    language: str
    texts: Mapping[str, str]
    begins: int | None = None
    ends: int | None = None
    closable: bool = True
    changed: int = 0

    def is_shown(self, now: int) -> bool:
        """Tell whether it is shown at millisecond `now`."""
        return (self.begins is None or self.begins <= now) and (self.ends is None or now < self.ends)
