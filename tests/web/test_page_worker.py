"""The process that reads pages: what it is given, and what it yields."""

from __future__ import annotations

from pathlib import Path

from eclair.documents.limits import Limits
from eclair.documents.parse_protocol import ReadDocument
from eclair.schema.documents import Opened, Page, UnreadPart
from eclair.web.pages.worker import read
from tests.documents.files import zipped

SOUND = b"RIFF\0\0\0\0WAVEfmt "


def test_a_recording_in_a_served_archive_is_named_as_unread(tmp_path: Path) -> None:
    path = tmp_path / "talks.zip"
    path.write_bytes(zipped({"a.md": b"# Talks", "talk.wav": SOUND}))
    pieces = list(read(ReadDocument(str(path), "talks.zip", Limits())))
    assert [type(piece) for piece in pieces] == [Opened, Page, UnreadPart]
    assert pieces[-1] == UnreadPart("In talks.zip: talk.wav is a recording and was not read.")
