"""Decodes files of sound to samples, inside the sandbox. FFmpeg, which PyAV brings, knows the formats."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from eclair.sandbox.descriptors import open_input
from eclair.sandbox.protocol import Rejected
from eclair.speech.voice_activity import SAMPLE_RATE, MonoSound
from eclair.util.humanize import format_size

PYAV = "av"
FORMATS = "WAV, MP3, M4A, Ogg, WebM, FLAC"
MIN_GAP_S = 0.5
"""Timestamps that jump by less are inexact."""


def open_sound(
    path: Path, name: str, max_s: float, is_live: bool = False, resumes_by_s: float | None = None
) -> tuple[float, Generator[MonoSound]]:
    """Return what the file says about its length in seconds (0 if nothing), and its samples in pieces.

    Where a live recording has no sound, by its timestamps, it is silent. With `resumes_by_s` it must have such a gap,
    and all sound from then on: other recordings are refused. Raises Rejected, also while the samples are read.
    """
    av = _av()
    file = open_input(path)
    size = file.seek(0, 2)
    file.seek(0)
    if not size:
        raise Rejected(f"{name} is empty; record it again.")
    try:
        container: Any = av.open(file, mode="r", metadata_errors="ignore")
        stream: Any = next(iter(container.streams.audio), None)
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise Rejected(f"{name} can't be decoded ({format_size(size)}); send {FORMATS}.") from error
    if stream is None:
        raise Rejected(f"{name} has no sound.")
    if stream.codec_context is None:
        raise Rejected(f"{name} has sound in a format that nobody knows here; send {FORMATS}.")
    duration_s = float(container.duration or 0) / 1_000_000
    if duration_s > max_s:
        raise _too_long(name, max_s)
    return duration_s, _samples(container, stream, name, max_s, is_live, resumes_by_s)


def _samples(
    container: Any, stream: Any, name: str, max_s: float, is_live: bool, resumes_by_s: float | None
) -> Generator[MonoSound]:
    av = _av()
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    count, faults, lacks_sound = 0, 0, False
    resumes_by = None if resumes_by_s is None else resumes_by_s * SAMPLE_RATE
    frames = container.decode(stream)
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            break
        except (av.FFmpegError, ValueError):
            faults += 1
            if not count and faults > 1:
                raise Rejected(f"{name} is damaged and can't be decoded; record or save it again.") from None
            break  # what came before is heard: recordings are cut off while they are still being made
        gap = _gap(frame, count) if is_live else 0
        lacks_sound = lacks_sound or gap > 0
        if resumes_by is not None and count + gap > resumes_by and (gap or not lacks_sound):
            raise _incomplete(name)
        frame.pts = None
        for samples in chain(_silence(gap), map(_to_samples, resampler.resample(frame))):
            count += len(samples)
            if count > max_s * SAMPLE_RATE:
                raise _too_long(name, max_s)
            yield samples
    if not count:
        raise Rejected(f"{name} has no sound, or is damaged; record or save it again.")
    if resumes_by is not None and (not lacks_sound or count < resumes_by):
        raise _incomplete(name)
    yield from map(_to_samples, resampler.resample(None))


def _gap(frame: Any, count: int) -> int:
    """Return the samples that are missing in front of a frame, by its timestamp."""
    gap = 0 if frame.time is None else round(frame.time * SAMPLE_RATE) - count
    return gap if gap > MIN_GAP_S * SAMPLE_RATE else 0


def _silence(count: int) -> Generator[MonoSound]:
    second = np.zeros(SAMPLE_RATE, np.float32)
    for start in range(0, count, SAMPLE_RATE):
        yield second[: count - start]


def _to_samples(piece: Any) -> MonoSound:
    return piece.to_ndarray().reshape(-1).astype(np.float32) / 32768


def _av() -> Any:
    """Return PyAV, which is among the parts that recognize speech."""
    return importlib.import_module(PYAV)


def _incomplete(name: str) -> Rejected:
    return Rejected(f"{name} lacks sound that wasn't heard yet; send all of it.")


def _too_long(name: str, max_s: float) -> Rejected:
    return Rejected(f"{name} is longer than {max_s / 3600:g} hours; send it in parts.", "too_large")
