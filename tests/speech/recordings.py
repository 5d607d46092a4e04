"""Recordings for tests, made of the short sentences in `sounds`."""

from __future__ import annotations

import importlib
import sys
import wave
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclair.speech.sound_decoding import PYAV
from tests.speech.conftest import SOUNDS, installed_listening

RATE = 16_000
CLUSTER = b"\x1f\x43\xb6\x75"
"""The element id with which a cluster begins in WebM."""
OPEN_END = b"\x01" + b"\xff" * 7
"""The size of a group that is still being made."""
SLICE_BLOCKS = 51
"""Blocks of 20 ms in a slice: about a second."""
Samples = NDArray[np.int16]


@contextmanager
def _pyav() -> Generator[Any]:
    """PyAV, which is among the parts that recognize speech."""
    packages = str(installed_listening())
    sys.path.append(packages)
    try:
        yield importlib.import_module(PYAV)
    finally:
        sys.path.remove(packages)


def spoken(sound: str | Path) -> Samples:
    """The samples of one of the sentences, or of a file elsewhere."""
    with _pyav() as av, av.open(str(SOUNDS / sound)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        return np.concatenate([piece.to_ndarray()[0] for piece in (*frames, *resampler.resample(None))])


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def noise(seconds: float) -> Samples:
    """Steady noise, as loud as a fan beside the microphone."""
    return (np.random.default_rng(1).standard_normal(round(seconds * RATE)) * 1000).astype(np.int16)


def music(seconds: float) -> Samples:
    """A chord that swells and fades, with its overtones."""
    time = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * hertz * part * time) / part for hertz in (220, 277.2, 329.6) for part in (1, 2, 3)]
    return (np.sum(tones, axis=0) * (1 + np.sin(2 * np.pi * time / 3)) * 2000).astype(np.int16)


def recording(path: Path, pieces: Sequence[Samples]) -> Path:
    """Write the pieces as WAV, one after the other."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for piece in pieces:
            file.writeframes(piece.tobytes())
    return path


def packed_recording(path: Path, pieces: Sequence[Samples]) -> Path:
    """Write the pieces as FLAC, in which silence takes little room."""
    with _pyav() as av, av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        for piece in pieces:
            for start in range(0, len(piece), 60 * RATE):
                frame = av.AudioFrame.from_ndarray(piece[start : start + 60 * RATE][None], format="s16", layout="mono")
                frame.sample_rate = RATE
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def live_recording(path: Path, pieces: Sequence[Samples], cluster_s: float = 1) -> list[bytes]:
    """Return the pieces as slices of about a second of WebM, as browsers record them; the first has the head.

    Where clusters are longer than a second, most slices are parts of one, whose times count from its beginning.
    """
    sound = np.concatenate(pieces)
    options = {"live": "1", "cluster_time_limit": str(round(cluster_s * 1000))}
    with _pyav() as av, av.open(str(path), "w", format="webm", options=options) as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    head, *clusters = path.read_bytes().split(CLUSTER)
    slices = [piece for cluster in clusters for piece in _cluster_slices(cluster)]
    return [head + slices[0], *slices[1:]]


def _cluster_slices(cluster: bytes) -> Generator[bytes]:
    """Yield a cluster in slices, as if its end weren't known yet."""
    begin, _ = _size(cluster)
    time, *blocks = _elements(cluster[begin:])
    for start in range(0, len(blocks), SLICE_BLOCKS):
        opening = b"" if start else CLUSTER + OPEN_END + time
        yield opening + b"".join(blocks[start : start + SLICE_BLOCKS])


def _elements(data: bytes) -> Generator[bytes]:
    """Yield the elements of a cluster, whose names are a byte long."""
    while data:
        begin, size = _size(data[1:])
        end = 1 + begin + size
        yield data[:end]
        data = data[end:]


def _size(data: bytes) -> tuple[int, int]:
    """Return how many bytes the size of an element takes, and the size."""
    length = 9 - data[0].bit_length()
    return length, int.from_bytes(data[:length], "big") & ((1 << 7 * length) - 1)
