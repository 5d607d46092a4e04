"""Encodes speech as it is made, and says in each file's metadata that the voice is synthetic."""

from __future__ import annotations

import struct
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclair.provenance.sound_marks import SOUND_NOTICE
from eclair.speech.synthesis_protocol import SAMPLE_RATE, SoundForm

ENCODER_PACKAGE = "soundfile"
"""Comes with the voices."""
MP3_LEVEL = 0.6
"""From the best, 0, to the smallest, 1; a constant rate lets players know the length of what streams."""
UNKNOWN_LENGTH = 0xFFFFFFFF
"""The length in the header of a WAV that is streamed, or longer than a header can say."""

Samples = NDArray[np.int16]

_LIBRARY_FORMS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "flac": ("FLAC", "PCM_16")}


class SoundEncoder:
    """Encodes one sound piece by piece. `add` and `finish` return what can be sent."""

    def __init__(self, form: SoundForm) -> None:
        self._form = form
        self._begun = False
        self._out = _ForwardFile()
        self._file: Any = None
        if form in _LIBRARY_FORMS:
            soundfile: Any = import_module(ENCODER_PACKAGE)

            container, subtype = _LIBRARY_FORMS[form]
            rate = {"bitrate_mode": "CONSTANT", "compression_level": MP3_LEVEL} if form == "mp3" else {}
            self._file = soundfile.SoundFile(self._out, "w", SAMPLE_RATE, 1, subtype, format=container, **rate)
            self._file.comment = SOUND_NOTICE

    def add(self, samples: Samples) -> bytes:
        if self._file is not None:
            self._file.write(samples)
            self._file.flush()
            return self._out.read_new()
        head = wav_header() if self._form == "wav" and not self._begun else b""
        self._begun = True
        return head + samples.astype("<i2").tobytes()

    def finish(self) -> bytes:
        if self._file is None:
            return b"" if self._begun or self._form == "pcm" else wav_header()
        self._file.close()
        return self._out.read_new()


def wav_header(data_bytes: int = UNKNOWN_LENGTH) -> bytes:
    """Return the head of a WAV file with the notice; its length is unknown while it is streamed, and over 4 GB."""
    notice = SOUND_NOTICE.encode() + b"\0"
    notice += b"\0" * (len(notice) % 2)
    info = b"INFOICMT" + struct.pack("<I", len(notice)) + notice
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, SAMPLE_RATE, SAMPLE_RATE * 2, 2, 16)
    body += b"LIST" + struct.pack("<I", len(info)) + info + b"data"
    total = len(body) + 4 + data_bytes
    if total > UNKNOWN_LENGTH:
        data_bytes = total = UNKNOWN_LENGTH
    return b"RIFF" + struct.pack("<I", total) + body + struct.pack("<I", data_bytes)


def with_length(wav: bytes) -> bytes:
    """Return a whole WAV of `SoundEncoder` with its length in the head."""
    head = len(wav_header())
    return wav_header(len(wav) - head) + wav[head:]


class _ForwardFile:
    """A file for the library to write, of which what was taken is gone; later changes to that are dropped."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._start = self._at = 0

    def write(self, data: Any) -> int:
        piece = bytes(data)
        skipped = max(0, min(len(piece), self._start - self._at))
        begin = self._at + skipped - self._start
        if len(piece) > skipped:
            self._kept[begin : begin + len(piece) - skipped] = piece[skipped:]
        self._at += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._start + len(self._kept))[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return nothing: what was written is not read again."""
        return b""

    def flush(self) -> None:
        pass

    def read_new(self) -> bytes:
        taken, self._kept = bytes(self._kept), bytearray()
        self._start += len(taken)
        return taken
