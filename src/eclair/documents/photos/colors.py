"""Names the main colors of a picture, with the names that most languages have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAMPLE_SIDE_PX = 96
MIN_SHARE = 0.12
"""Share of the picture that makes a color one of the main ones."""
MAX_COLORS = 3
_HUES = (
    (15, "red"),
    (42, "orange"),
    (70, "yellow"),
    (155, "green"),
    (196, "turquoise"),
    (255, "blue"),
    (290, "purple"),
    (345, "pink"),
)
"""Upper bound of each name in degrees; red follows pink."""


def main_colors(image: Image.Image) -> list[tuple[str, float]]:
    """Return the colors with their shares, the largest first."""
    small = image.resize((SAMPLE_SIDE_PX, SAMPLE_SIDE_PX), Image.Resampling.BOX, reducing_gap=2.0)
    names = _name_colors(np.asarray(small).reshape(-1, 3).astype(np.float32) / np.float32(255))
    found, counts = np.unique(names, return_counts=True)
    shares = sorted(zip(map(str, found), (counts / len(names)).tolist(), strict=True), key=lambda each: -each[1])
    return [(name, share) for name, share in shares if share >= MIN_SHARE][:MAX_COLORS]


def _name_colors(pixels: NDArray[np.float32]) -> NDArray[np.str_]:
    high, low = pixels.max(1), pixels.min(1)
    spread = high - low
    light, strength = (high + low) / 2, spread / np.maximum(high, 1e-6)
    hue = _hue(pixels, high, spread)
    names = np.full(len(pixels), "red", "U9")
    before = 0.0
    for end, name in _HUES:
        names[(hue >= before) & (hue < end)] = name
        before = float(end)
    names[((names == "orange") | (names == "red") | (names == "yellow")) & (high < 0.75) & (strength < 0.9)] = "brown"
    pale = ((names == "red") | (names == "pink")) & (light > 0.7) & (spread > 0.1)
    names[pale] = "pink"
    grey = (strength < 0.18) | (spread < 0.08)
    names[grey] = "grey"
    names[grey & (light > 0.82)] = "white"
    names[(high < 0.2) | (grey & (light < 0.22))] = "black"
    return names


def _hue(pixels: NDArray[np.float32], high: NDArray[np.float32], spread: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the hue in degrees, from 0 to 360."""
    red, green, blue = pixels[:, 0], pixels[:, 1], pixels[:, 2]
    safe = np.maximum(spread, 1e-6)
    hue = ((red - green) / safe + 4).astype(np.float32)
    of_green, of_red = high == green, high == red
    hue[of_green] = ((blue - red) / safe + 2)[of_green]
    hue[of_red] = ((green - blue) / safe % 6)[of_red]
    return np.asarray(hue * 60, np.float32)
