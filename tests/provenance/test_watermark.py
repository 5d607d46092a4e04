"""The watermark survives what people do to pictures, and is found nowhere else."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from PIL import Image

from eclair.provenance.watermark import MAX_CHANCE, SEARCH_SIDE_PX, TRIALS, chance_of_finding, embed, luminance
from tests.provenance.made import Pixels, cropped, decoded, encoded, photo, resized


def chance(pixels: Pixels) -> float:
    """As a file with these pixels is looked at."""
    largest = max(pixels.shape[:2])
    return chance_of_finding(
        luminance(resized(pixels, SEARCH_SIDE_PX / largest) if largest > SEARCH_SIDE_PX else pixels)
    )


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    return decoded(encoded(pixels, "JPEG", quality=quality))


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "nothing": lambda picture: picture,
    "JPEG 80": lambda picture: jpeg(picture, 80),
    "JPEG 50": lambda picture: jpeg(picture, 50),
    "JPEG 30": lambda picture: jpeg(picture, 30),
    "half the size": lambda picture: resized(picture, 0.5),
    "0.7 of the size": lambda picture: resized(picture, 0.7),
    "1.3 of the size": lambda picture: resized(picture, 1.3),
    "twice the size": lambda picture: resized(picture, 2),
    "three quarters of each side": lambda picture: cropped(picture, 0.75),
    "half of each side": lambda picture: cropped(picture, 0.5),
    "all at once": lambda picture: jpeg(resized(cropped(picture, 0.75), 0.7), 50),
    "mirrored": lambda picture: picture[:, ::-1].copy(),
    "turned": lambda picture: np.rot90(picture).copy(),
    "on its head": lambda picture: cropped(picture[::-1, ::-1].copy(), 0.8),
    "grey": lambda picture: np.repeat(luminance(picture).astype(np.uint8)[:, :, None], 3, 2),
    "brighter": lambda picture: np.clip(picture * 0.7 + 60, 0, 255).astype(np.uint8),
}


@cache
def bearing(width: int, height: int) -> Pixels:
    return embed(photo(width, height))


@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize("size", [(640, 480), (1024, 768), (1500, 1000)])
def test_it_survives(size: tuple[int, int], change: str) -> None:
    changed: Pixels = CHANGES[change](bearing(*size))
    assert chance(changed) <= MAX_CHANCE


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_bears_none_has_none(change: str) -> None:
    assert chance(CHANGES[change](photo(640, 480, 2))) > 1e-3


@pytest.mark.parametrize("pixels", [np.zeros((300, 300), np.uint8), np.full((1, 1), 9, np.uint8), photo(3, 700)])
def test_what_is_empty_or_tiny_bears_none(pixels: Pixels) -> None:
    assert chance(embed(pixels) if pixels.size == 1 else pixels) == 1


def test_stripes_and_checks_are_not_taken_for_it() -> None:
    rows, columns = np.mgrid[:512, :512]
    for period in (16, 32, 64, 128):
        checks = ((rows // period + columns // period) % 2 * 200).astype(np.uint8)
        assert chance(checks) > 1e-3
        assert chance(np.tile(photo(period, period), (512 // period, 512 // period, 1))) > 1e-3


def test_nobody_sees_it() -> None:
    picture = photo(1024, 768)
    error = (embed(picture).astype(float) - picture) ** 2
    assert 10 * math.log10(255**2 / error.mean()) > 38
    flat = np.full((400, 400, 3), 128, np.uint8)
    assert np.abs(embed(flat).astype(int) - flat).max() <= 5


def test_the_threshold_is_what_the_arithmetic_says() -> None:
    """Against phases that point anywhere, z is above any level as seldom as is claimed."""
    random = np.random.default_rng(3)
    weights = random.random(1200) * 2
    angles = random.random((4_000, 1200)) * 2 * np.pi
    z = (weights * np.cos(angles)).sum(1) / np.sqrt((weights**2).sum() / 2)
    for level in (1.0, 2.0, 3.0):
        assert (z > level).mean() <= math.exp(-(level**2) / 2)
    level = math.sqrt(2 * math.log(TRIALS / MAX_CHANCE))
    assert TRIALS * math.exp(-(level**2) / 2) == pytest.approx(MAX_CHANCE)
    assert 8 < level < 8.2


def test_the_pattern_is_the_same_for_ever() -> None:
    """Pictures that were marked years ago are to be known."""
    flat = np.full((128, 128), 128, np.uint8)
    assert embed(flat)[0, :16].tolist() == [
        130,
        128,
        127,
        128,
        129,
        129,
        129,
        130,
        130,
        130,
        129,
        129,
        129,
        130,
        130,
        130,
    ]


def test_pillow_shrinks_a_large_photo_as_it_is_looked_at() -> None:
    picture = Image.fromarray(embed(photo(2600, 1800)))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=70)
    assert chance(decoded(out.getvalue())) <= MAX_CHANCE
