"""The mark of speech that is made here: a comment with the IPTC's Digital Source Type, in each format's own metadata.

`eclair.speech.sound_encoder` writes `SOUND_NOTICE`, and `read_sound_mark` finds it in what comes before the sound.
"""

from __future__ import annotations

from pathlib import Path

from eclair.provenance.provenance_report import DIGITAL_SOURCE_TYPES, IptcMetadata
from eclair.provenance.text_marks import find_term
from eclair.sandbox.descriptors import open_input

SOUND_NOTICE = f"Synthetic voice, made by AI ({DIGITAL_SOURCE_TYPES['created']})"
"""The bracket ends the term where the next frame of an ID3 tag follows at once."""

HEAD_BYTES = 256 << 10
"""Of a file, searched for the comment; signed credentials may stand before it."""


def read_sound_mark(path: Path) -> tuple[str, IptcMetadata] | None:
    """Return the media type of a WAV, MP3, Ogg or FLAC file, and what its comment says; None for any other file."""
    with open_input(path) as file:
        head = file.read(HEAD_BYTES)
    media = _media(head)
    return None if media is None else (media, find_term(head))


def _media(head: bytes) -> str | None:
    match head[:4]:
        case b"RIFF" if head[8:12] == b"WAVE":
            return "audio/wav"
        case b"OggS":
            return "audio/ogg"
        case b"fLaC":
            return "audio/flac"
        case _ if head[:3] == b"ID3":  # in front of a FLAC that is signed, too
            return "audio/flac" if head[_id3_bytes(head) :].startswith(b"fLaC") else "audio/mpeg"
        case _:
            return None


def _id3_bytes(head: bytes) -> int:
    """Return the length of an ID3 tag with its head; its size has seven bits a byte."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size
