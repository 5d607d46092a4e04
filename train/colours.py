"""Colours: their names in three languages, and a picture's main part given another one.

Colours are in OKLCH: lightness from 0 to 1, chroma, and hue in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import float32
from numpy.typing import NDArray

Floats = NDArray[float32]


@dataclass(frozen=True, slots=True)
class Colour:
    lightness: float
    chroma: float
    hue: float
    en: tuple[str, ...]
    de: tuple[str, ...]
    fr: tuple[str, ...]


def _german(stem: str) -> tuple[str, ...]:
    return (f"{stem}er", f"{stem}e", f"{stem}es")


COLOURS: dict[str, Colour] = {
    "red": Colour(0.60, 0.22, 27, ("red",), _german("rot"), ("rouge",)),
    "orange": Colour(0.74, 0.17, 60, ("orange",), _german("orangefarben"), ("orange",)),
    "yellow": Colour(0.87, 0.17, 95, ("yellow",), _german("gelb"), ("jaune",)),
    "green": Colour(0.65, 0.19, 143, ("green",), _german("grün"), ("vert", "verte")),
    "light blue": Colour(0.80, 0.11, 225, ("light blue",), _german("hellblau"), ("bleu clair",)),
    "blue": Colour(0.55, 0.20, 260, ("blue",), _german("blau"), ("bleu", "bleue")),
    "purple": Colour(0.53, 0.21, 302, ("purple", "violet"), (*_german("violett"), "lila"), ("violet", "violette")),
    "pink": Colour(0.76, 0.16, 355, ("pink",), ("rosa", "pinker"), ("rose",)),
    "brown": Colour(0.46, 0.08, 55, ("brown",), _german("braun"), ("brun", "marron")),
    "black": Colour(0.27, 0.01, 280, ("black",), _german("schwarz"), ("noir", "noire")),
    "white": Colour(0.93, 0.008, 280, ("white",), _german("weiß"), ("blanc", "blanche")),
    "grey": Colour(0.66, 0.01, 280, ("grey", "gray"), _german("grau"), ("gris", "grise")),
}

_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]], np.float32
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]], np.float32
)  # fmt: skip


def to_oklch(picture: Floats) -> Floats:
    """sRGB from 0 to 1, last axis, to OKLCH (Ottosson, 2020)."""
    linear = np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
    lab = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    return np.stack((lab[..., 0], np.hypot(lab[..., 1], lab[..., 2]), hue), -1).astype(np.float32)


def from_oklch(colours: Floats) -> Floats:
    """The way back, cut to what sRGB has."""
    angle = np.radians(colours[..., 2])
    lab = np.stack((colours[..., 0], colours[..., 1] * np.cos(angle), colours[..., 1] * np.sin(angle)), -1)
    linear = ((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T).clip(0, 1)
    found = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return found.clip(0, 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Part:
    """The main part of a picture: how much each place belongs to it (0 to 1), its mean colour, and that colour's
    name."""

    mask: Floats
    mean: tuple[float, float, float]
    name: str


def main_part(colours: Floats, opaque: Floats) -> Part | None:
    """The part of one colour that takes up at least two fifths of a picture; None where there is no such part."""
    lightness, chroma, hue = colours[..., 0], colours[..., 1], colours[..., 2]
    solid = opaque > 0.5
    vivid = solid & (chroma > 0.05)
    if vivid.sum() > 0.45 * solid.sum():
        counts = np.histogram(hue[vivid], 36, (0, 360), weights=chroma[vivid])[0]
        peak = int((counts + np.roll(counts, 1) + np.roll(counts, -1)).argmax()) * 10 + 5
        away = np.abs((hue - peak + 180) % 360 - 180)
        mask = ((55 - away) / 20).clip(0, 1) * ((chroma - 0.02) / 0.03).clip(0, 1)
    else:
        mask = ((0.06 - chroma) / 0.03).clip(0, 1) * ((lightness - 0.25) / 0.1).clip(0, 1)
        peak = 280
    mask = (mask * solid).astype(np.float32)
    if mask.sum() < 0.4 * solid.sum():
        return None
    turned = (hue - peak + 180) % 360 - 180
    mean = (
        float((lightness * mask).sum() / mask.sum()),
        float((chroma * mask).sum() / mask.sum()),
        float((peak + (turned * mask).sum() / mask.sum()) % 360),
    )
    return Part(mask, mean, nearest(mean))


def nearest(mean: tuple[float, float, float]) -> str:
    """The name of the colour that is nearest to this one."""

    def distance(colour: Colour) -> float:
        angles = np.radians([mean[2], colour.hue])
        a, b = mean[1] * np.cos(angles[0]) - colour.chroma * np.cos(angles[1]), 0.0
        b = mean[1] * np.sin(angles[0]) - colour.chroma * np.sin(angles[1])
        return float(np.hypot(np.hypot(a, b) * 2, mean[0] - colour.lightness))

    return min(COLOURS, key=lambda name: distance(COLOURS[name]))


def recoloured(colours: Floats, part: Part, name: str) -> Floats:
    """The picture in OKLCH with its main part in the colour of that name: its shades stay, as far as they can."""
    goal, (lightness, chroma, hue) = COLOURS[name], part.mean
    shade = colours[..., 0] - lightness
    light = (goal.lightness * 0.8 + lightness * 0.2 + shade * (0.6 if goal.lightness > 0.9 else 0.9)).clip(0.05, 0.99)
    strength = (colours[..., 1] / chroma).clip(0.4, 1.4) if chroma > 0.05 else np.ones_like(shade)
    turned = ((colours[..., 2] - hue + 180) % 360 - 180) * (0.4 if chroma > 0.05 else 0.0)
    new = from_oklch(np.stack((light, goal.chroma * strength, goal.hue + turned), -1).astype(np.float32))
    return from_oklch(colours) * (1 - part.mask[..., None]) + new * part.mask[..., None]
