"""Touching up a picture closes seams and leaves the rest alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eclair.images.backends.icons.touching import touched_up


def test_a_seam_between_patches_is_closed() -> None:
    picture = np.full((128, 128, 3), 100, np.float32)
    picture[:, 64:] += 16
    found = touched_up(picture).astype(int)
    assert np.abs(np.diff(found, axis=1)).max() <= 2
    assert (found[:, 0] == 100).all()
    assert (found[:, -1] == 116).all()


def test_an_edge_of_the_picture_stays() -> None:
    picture = np.full((128, 128, 3), 20, np.float32)
    picture[:, 64:] = 200
    assert (touched_up(picture) == picture).all()


def test_the_ground_becomes_white_and_what_is_light_within_does_not() -> None:
    picture = np.full((128, 128, 3), 247, np.float32)
    picture[40:90, 40:90] = 50
    picture[44:60, 44:60] = 235
    found = touched_up(picture)
    assert (found[:30] == 255).all()
    assert (found[46:58, 46:58] == 235).all()


@given(st.integers(0, 2**32 - 1), st.floats(-50, 50), st.floats(0, 400))
def test_any_picture_becomes_bytes(seed: int, least: float, spread: float) -> None:
    picture = (np.random.default_rng(seed).random((128, 128, 3)) * spread + least).astype(np.float32)
    kept = picture.copy()
    found = touched_up(picture)
    assert found.shape == (128, 128, 3)
    assert found.dtype == np.uint8
    assert (picture == kept).all()
