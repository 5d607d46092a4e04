"""The invisible watermark that says an image was made with AI: embed and detect.

The pattern is a tile whose frequencies have phases drawn once and for all. It is repeated over the picture, stronger
where the picture is busy. To find it, the picture's phases are compared with the pattern's for every scale, position,
rotation by quarters and mirroring that the picture may have been given since.

The error is bounded by arithmetic. A picture weighs each frequency by something that is independent of the pattern, and
the phases of an unmarked picture are independent of the pattern's. Random unit vectors with weights w sum to more than
t in one direction with a probability of at most exp(-t²/Σw²) (Chernoff; I₀(x) ≤ exp(x²/4)); for z = t/√(Σw²/2) that is
exp(-z²/2). At most `TRIALS` trials are made, so one of them reaches z by chance with a probability of at most TRIALS ·
exp(-z²/2).
"""

from __future__ import annotations

import hashlib
import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

WATERMARK_ID = "Éclair: made with AI, 1"
"""Seed of the phases; another text is another watermark."""

SEARCH_SIDE_PX = 1024
"""Longer side at which it is searched for, and above which the tile grows with the picture."""

TILE_SIDE_PX = 128
"""In a picture of `SEARCH_SIDE_PX`."""

MIN_CYCLES, MAX_CYCLES = 4, 28
"""Cycles in a tile: what JPEG keeps, and what a picture of half the size still holds."""

MIN_STRENGTH, MAX_STRENGTH = 1.0, 4.0
"""Gray levels (root mean square) in what is flat, and in what is busiest."""
STRENGTH_PER_VARIATION = 0.15
"""Gray levels per level by which the picture varies locally."""

MIN_TILE_SIDE_PX, MAX_TILE_SIDE_PX = 48.0, 300.0
"""Pixels of the tile's sides for which it is looked."""
SIZE_STEP = 0.002
"""Relative step between sizes, small enough for the pattern to stay in phase over the picture."""

COARSE_PLACES = 64
"""Positions along each side of a tile that are tried for every size; the best are refined."""
FINE_PLACES = 2 * COARSE_PLACES
REFINED_PLACES = 32
ORIENTATIONS = 8

MAX_CHANCE = 1e-6
"""Up to this probability of a false positive the watermark counts as found."""
MIN_CHANCE = 1e-15
"""Nobody is surer of anything."""

NYQUIST = 0.47
SIZES_PER_BATCH = 48

GrayImage = NDArray[np.float32]
Phases = NDArray[np.complex64]

_ROWS, _COLUMNS = np.mgrid[-MAX_CYCLES : MAX_CYCLES + 1, 0 : MAX_CYCLES + 1]
_BAND = (
    ((_COLUMNS > 0) | (_ROWS > 0))
    & (np.hypot(_ROWS, _COLUMNS) >= MIN_CYCLES)
    & (np.hypot(_ROWS, _COLUMNS) <= MAX_CYCLES)
)
_DOWN, _ACROSS = _ROWS[_BAND], _COLUMNS[_BAND]
"""The pattern's frequencies, in cycles a tile: one of each pair that a real picture has."""

_SIZES = np.exp(np.arange(math.log(MIN_TILE_SIDE_PX), math.log(MAX_TILE_SIDE_PX), SIZE_STEP))
TRIALS = len(_SIZES) * ORIENTATIONS * FINE_PLACES**2


def embed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture (rows, columns and optionally colors) with the watermark in it."""
    gray = luminance(picture)
    height, width = gray.shape
    side = 2 * round(TILE_SIDE_PX / 2 * max(1.0, max(height, width) / SEARCH_SIDE_PX))
    pattern = np.tile(_tile(side), (-(-height // side), -(-width // side)))[:height, :width]
    reach = max(2, side // 32)
    busy = _mean(np.abs(gray - _mean(gray, reach)), reach)
    change = np.clip(MIN_STRENGTH + STRENGTH_PER_VARIATION * busy, MIN_STRENGTH, MAX_STRENGTH) * pattern
    changed = picture + (change if picture.ndim == 2 else change[:, :, None])
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def chance_of_finding(gray: GrayImage) -> float:
    """Bound the probability that the pattern found here is chance: 1 where there is none.

    The picture's sides are at most `SEARCH_SIDE_PX`.
    """
    strength = _strength(_spectrum(gray))
    return min(1.0, max(MIN_CHANCE, TRIALS * math.exp(-(strength**2) / 2)))


def luminance(picture: NDArray[np.uint8]) -> GrayImage:
    if picture.ndim == 2:
        return picture.astype(np.float32)
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


@cache
def _code() -> Phases:
    """Return the phases of the pattern's frequencies as unit vectors."""
    drawn = np.frombuffer(hashlib.shake_256(WATERMARK_ID.encode()).digest(2 * len(_DOWN)), "<u2")
    return np.exp(2j * np.pi * drawn / 65536).astype(np.complex64)


def _half(values: Phases, side: int) -> Phases:
    """Return the pattern's frequencies as the half spectrum that `irfft2` takes."""
    half = np.zeros((*values.shape[:-1], side, side // 2 + 1), np.complex64)
    half[..., _DOWN % side, _ACROSS] = values
    upright = _ACROSS == 0
    half[..., -_DOWN[upright] % side, 0] = values[..., upright].conj()
    return half


def _tile(side: int) -> GrayImage:
    tile = np.fft.irfft2(_half(_code(), side), (side, side))
    return (tile / tile.std()).astype(np.float32)


def _mean(values: GrayImage, reach: int) -> GrayImage:
    """Return the mean of the square that reaches that many pixels to each side."""
    for axis in (0, 1):
        around = [(0, 0), (0, 0)]
        around[axis] = (reach + 1, reach)
        sums = np.cumsum(np.pad(values, around, mode="edge"), axis=axis, dtype=np.float64)
        span = 2 * reach + 1
        upper, lower = (sums[span:], sums[:-span]) if axis == 0 else (sums[:, span:], sums[:, :-span])
        values = ((upper - lower) / span).astype(np.float32)
    return values


def _spectrum(gray: GrayImage) -> Phases:
    """Return the square of frequencies around the origin, with the picture's peaks held down."""
    height, width = gray.shape
    detail = gray - _mean(gray, 6)
    detail = detail / (np.sqrt(_mean(detail * detail, 6)) + 2)
    detail *= np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    side = SEARCH_SIDE_PX if max(height, width) > SEARCH_SIDE_PX // 2 else SEARCH_SIDE_PX // 2
    field = np.zeros((side, side), np.float32)
    field[:height, :width] = detail
    spectrum = np.fft.fft2(np.roll(field, (-(height // 2), -(width // 2)), (0, 1)))
    around = _mean(np.pad(np.abs(spectrum).astype(np.float32), 9, mode="wrap"), 8)[9:-9, 9:-9]
    spectrum = spectrum / (around + 1e-9)
    return (spectrum / np.maximum(1, np.abs(spectrum) / 2)).astype(np.complex64)


def _strength(spectrum: Phases) -> float:
    """Return the highest z of all trials."""
    tried: list[NDArray[np.float32]] = []
    for first in range(0, len(_SIZES), SIZES_PER_BATCH):
        held = _held(spectrum, _SIZES[first : first + SIZES_PER_BATCH])
        tried.append(_highest(held, COARSE_PLACES))
    rough = np.concatenate(tried)
    best = np.argsort(rough.ravel())[-REFINED_PLACES:]
    sizes, turns = np.unravel_index(best, rough.shape)
    held = _held(spectrum, _SIZES[sizes])[np.arange(len(best)), turns]
    return float(max(rough.max(), _highest(held, FINE_PLACES).max()))


def _held(spectrum: Phases, sizes: NDArray[np.float64]) -> Phases:
    """Correlate the picture's frequencies with the pattern's for each size and orientation.

    Their sum is z for the position at the middle.
    """
    side = len(spectrum)
    flat = spectrum.ravel()
    down = np.rint(_DOWN * (side / sizes[:, None])).astype(np.int64)
    across = np.rint(_ACROSS * (side / sizes[:, None])).astype(np.int64)
    there = np.maximum(np.abs(_DOWN), _ACROSS) < NYQUIST * sizes[:, None]
    held = np.empty((len(sizes), ORIENTATIONS, len(_DOWN)), np.complex64)
    for turn, (row, column) in enumerate(((down, across), (down, -across), (across, down), (-across, down))):
        values = flat[row % side * side + column % side] * there
        norm = np.sqrt((values.real**2 + values.imag**2).sum(axis=1, keepdims=True) / 2) + 1e-9
        held[:, 2 * turn] = values / norm * _code().conj()
        held[:, 2 * turn + 1] = values.conj() / norm * _code().conj()
    return held


def _highest(held: Phases, places: int) -> NDArray[np.float32]:
    """Return the highest z of all positions, for each row that `_held` returns."""
    shifted = np.fft.irfft2(_half(held, places), (places, places))
    return shifted.max(axis=(-2, -1)) * np.float32(places**2 / 2)
