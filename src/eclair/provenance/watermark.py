"""The invisible watermark: a pattern under a picture that says "made with AI, Éclair", and how it is found again.

The pattern is a tile whose frequencies have phases that were drawn once for all. It is repeated over the picture,
stronger where the picture is busy. To find it, a picture's phases are held against the pattern's, for every size,
place, turn and mirroring that the picture may have been given since.

How sure that is, is arithmetic. A picture weighs each frequency by something that knows nothing of the pattern, and the
phases of a picture without it are independent of the pattern's. Unit vectors that point anywhere, times weights w, add
up to more than t in one direction with a probability of at most exp(-t²/Σw²) (Chernoff; I₀(x) ≤ exp(x²/4)); for
z = t/√(Σw²/2) that is exp(-z²/2). `TRIED` trials at most are made, so that one of them reaches z by chance with a
probability of at most TRIED · exp(-z²/2).
"""

from __future__ import annotations

import hashlib
import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

ID = "Éclair: made with AI, 1"
"""What the phases are drawn from; another text is another watermark."""

LONGEST = 1024
"""Pixels of the longer side at which it is looked for, and above which the tile grows with the picture."""

TILE = 128
"""Pixels of the tile's sides in a picture of that size."""

SLOWEST, FASTEST = 4, 28
"""Cycles in a tile: what JPEG keeps, and what a picture of half the size still holds."""

FAINTEST, STRONGEST = 1.0, 4.0
"""Grey levels (root mean square) in what is flat, and in what is busiest."""
BUSY = 0.15
"""Grey levels for each level by which the picture varies there."""

SMALLEST_TILE, LARGEST_TILE = 48.0, 300.0
"""Pixels of the tile's sides for which it is looked."""
STEP = 0.002
"""By how much of itself a size is larger than the one before, such that the pattern stays in step over the picture."""

PLACES = 64
"""Places along each side of a tile that are tried for every size; those that look best are tried more finely."""
FINELY = 2 * PLACES
BEST = 32
TURNS = 8

CHANCE = 1e-6
"""What is found is taken for the watermark where it is there by chance with at most this probability."""
LEAST_CHANCE = 1e-15
"""Nobody is surer than that of anything."""

NYQUIST = 0.47
TOGETHER = 48
"""Sizes that are tried at once."""

Grey = NDArray[np.float32]
Phases = NDArray[np.complex64]

_ROWS, _COLUMNS = np.mgrid[-FASTEST : FASTEST + 1, 0 : FASTEST + 1]
_BAND = ((_COLUMNS > 0) | (_ROWS > 0)) & (np.hypot(_ROWS, _COLUMNS) >= SLOWEST) & (np.hypot(_ROWS, _COLUMNS) <= FASTEST)
_DOWN, _ACROSS = _ROWS[_BAND], _COLUMNS[_BAND]
"""The pattern's frequencies, in cycles a tile: one of each pair that a real picture has."""

_SIZES = np.exp(np.arange(math.log(SMALLEST_TILE), math.log(LARGEST_TILE), STEP))
TRIED = len(_SIZES) * TURNS * FINELY**2


def embed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (rows, columns and perhaps colours) with the watermark in it."""
    grey = luminance(picture)
    height, width = grey.shape
    side = 2 * round(TILE / 2 * max(1.0, max(height, width) / LONGEST))
    pattern = np.tile(_tile(side), (-(-height // side), -(-width // side)))[:height, :width]
    reach = max(2, side // 32)
    busy = _mean(np.abs(grey - _mean(grey, reach)), reach)
    change = np.clip(FAINTEST + BUSY * busy, FAINTEST, STRONGEST) * pattern
    changed = picture + (change if picture.ndim == 2 else change[:, :, None])
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def found_by_chance(grey: Grey) -> float:
    """The probability, at most, that what looks like the watermark here is none: 1 where nothing looks like it. The
    picture's sides are `LONGEST` at most."""
    strength = _strength(_spectrum(grey))
    return min(1.0, max(LEAST_CHANCE, TRIED * math.exp(-(strength**2) / 2)))


def luminance(picture: NDArray[np.uint8]) -> Grey:
    if picture.ndim == 2:
        return picture.astype(np.float32)
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


@cache
def _code() -> Phases:
    """The phases of the pattern's frequencies, as unit vectors."""
    drawn = np.frombuffer(hashlib.shake_256(ID.encode()).digest(2 * len(_DOWN)), "<u2")
    return np.exp(2j * np.pi * drawn / 65536).astype(np.complex64)


def _half(values: Phases, side: int) -> Phases:
    """The values of the pattern's frequencies as the half of a spectrum that `irfft2` takes."""
    half = np.zeros((*values.shape[:-1], side, side // 2 + 1), np.complex64)
    half[..., _DOWN % side, _ACROSS] = values
    upright = _ACROSS == 0
    half[..., -_DOWN[upright] % side, 0] = values[..., upright].conj()
    return half


def _tile(side: int) -> Grey:
    tile = np.fft.irfft2(_half(_code(), side), (side, side))
    return (tile / tile.std()).astype(np.float32)


def _mean(values: Grey, reach: int) -> Grey:
    """The mean of a square that reaches so many pixels to each side."""
    for axis in (0, 1):
        around = [(0, 0), (0, 0)]
        around[axis] = (reach + 1, reach)
        sums = np.cumsum(np.pad(values, around, mode="edge"), axis=axis, dtype=np.float64)
        span = 2 * reach + 1
        upper, lower = (sums[span:], sums[:-span]) if axis == 0 else (sums[:, span:], sums[:, :-span])
        values = ((upper - lower) / span).astype(np.float32)
    return values


def _spectrum(grey: Grey) -> Phases:
    """The picture's frequencies around its middle, what is strong in it and where held down: a square."""
    height, width = grey.shape
    detail = grey - _mean(grey, 6)
    detail = detail / (np.sqrt(_mean(detail * detail, 6)) + 2)
    detail *= np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    side = LONGEST if max(height, width) > LONGEST // 2 else LONGEST // 2
    field = np.zeros((side, side), np.float32)
    field[:height, :width] = detail
    spectrum = np.fft.fft2(np.roll(field, (-(height // 2), -(width // 2)), (0, 1)))
    around = _mean(np.pad(np.abs(spectrum).astype(np.float32), 9, mode="wrap"), 8)[9:-9, 9:-9]
    spectrum = spectrum / (around + 1e-9)
    return (spectrum / np.maximum(1, np.abs(spectrum) / 2)).astype(np.complex64)


def _strength(spectrum: Phases) -> float:
    """The highest z of all trials."""
    tried: list[NDArray[np.float32]] = []
    for first in range(0, len(_SIZES), TOGETHER):
        held = _held(spectrum, _SIZES[first : first + TOGETHER])
        tried.append(_highest(held, PLACES))
    rough = np.concatenate(tried)
    best = np.argsort(rough.ravel())[-BEST:]
    sizes, turns = np.unravel_index(best, rough.shape)
    held = _held(spectrum, _SIZES[sizes])[np.arange(len(best)), turns]
    return float(max(rough.max(), _highest(held, FINELY).max()))


def _held(spectrum: Phases, sizes: NDArray[np.float64]) -> Phases:
    """The picture's frequencies against the pattern's, for each size in each of the turns, such that their sum is z
    for the place at the middle."""
    side = len(spectrum)
    flat = spectrum.ravel()
    down = np.rint(_DOWN * (side / sizes[:, None])).astype(np.int64)
    across = np.rint(_ACROSS * (side / sizes[:, None])).astype(np.int64)
    there = np.maximum(np.abs(_DOWN), _ACROSS) < NYQUIST * sizes[:, None]
    held = np.empty((len(sizes), TURNS, len(_DOWN)), np.complex64)
    for turn, (row, column) in enumerate(((down, across), (down, -across), (across, down), (-across, down))):
        values = flat[row % side * side + column % side] * there
        norm = np.sqrt((values.real**2 + values.imag**2).sum(axis=1, keepdims=True) / 2) + 1e-9
        held[:, 2 * turn] = values / norm * _code().conj()
        held[:, 2 * turn + 1] = values.conj() / norm * _code().conj()
    return held


def _highest(held: Phases, places: int) -> NDArray[np.float32]:
    """The highest z of all places, for each row of what `_held` gives."""
    shifted = np.fft.irfft2(_half(held, places), (places, places))
    return shifted.max(axis=(-2, -1)) * np.float32(places**2 / 2)
