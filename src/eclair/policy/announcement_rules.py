"""Rules for announcements, and the one that the settings state."""

from __future__ import annotations

import zlib
from typing import Final

from eclair.schema.announcements import Announcement
from eclair.settings import Settings

MAX_TEXT_CHARS: Final = 1000
SETTINGS_ID: Final = "settings"
"""The id of the announcement that stands in the settings."""


def check_announcement(announcement: Announcement) -> None:
    """Raise ValueError where nobody could read an announcement, or never."""
    if announcement.language not in announcement.texts:
        raise ValueError(f"an announcement has a text in its default language, {announcement.language}; write it")
    if announcement.begins is not None and announcement.ends is not None and announcement.ends <= announcement.begins:
        raise ValueError("an announcement ends after it begins; correct one of the two")


def stated_announcement(settings: Settings) -> list[Announcement]:
    """Return the announcement of the settings, if there is one."""
    if settings.announcement is None:
        return []
    text = settings.announcement
    version = zlib.crc32(text.encode())  # whoever closed another text is shown this one
    return [Announcement(id=SETTINGS_ID, level="info", language="en", texts={"en": text}, changed=version)]
