"""Touches up what the flow has made: seams between its patches are closed, and the ground is white."""

from __future__ import annotations

import numpy as np
from numpy import float32
from numpy.typing import NDArray

PATCH = 32
REACH = 14
"""Pixels on either side of a seam over which a difference is spread."""
EDGE = 30.0
"""Difference, of 255, up to which it is one of the patches; beyond it belongs more and more to the picture."""
GROUND = 228.0
"""What all three colours of the ground have at the least."""

_RAMP = (0.5 * (1 - (np.arange(REACH) + 0.5) / REACH)).astype(float32)[:, None, None]


def touched_up(picture: NDArray[float32]) -> NDArray[np.uint8]:
    """A picture (side, side, 3) from 0 to 255, as bytes."""
    found = picture.copy()
    _closed(found)
    _closed(found.transpose(1, 0, 2))
    ground = _ground(found.min(-1) >= GROUND)
    lightest = (found.min(-1, keepdims=True) - GROUND) / (245 - GROUND)
    found += (255 - found) * lightest.clip(0, 1) * ground[..., None]
    return np.rint(found.clip(0, 255)).astype(np.uint8)


def _closed(picture: NDArray[float32]) -> None:
    """Close the seams that run along the second axis, in place."""
    for at in range(PATCH, len(picture), PATCH):
        steps = picture[at - 2 : at + 2]
        jump = steps[2] - steps[1] - (steps[1] - steps[0] + steps[3] - steps[2]) / 2
        jump *= (2 - np.abs(jump).max(-1, keepdims=True) / EDGE).clip(0, 1)
        wide = np.pad(jump, ((2, 2), (0, 0)), mode="edge")
        even = sum(wide[i : i + len(jump)] for i in range(5)) / 5
        picture[at : at + REACH] -= _RAMP * even
        picture[at - REACH : at] += _RAMP[::-1] * even


def _ground(light: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The light places that hang together with the rim."""
    found = light.copy()
    found[1:-1, 1:-1] = False
    while True:
        grown = found.copy()
        grown[1:] |= found[:-1]
        grown[:-1] |= found[1:]
        grown[:, 1:] |= found[:, :-1]
        grown[:, :-1] |= found[:, 1:]
        grown &= light
        if (grown == found).all():
            return found
        found = grown
