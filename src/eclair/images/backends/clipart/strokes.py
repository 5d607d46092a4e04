"""Shapes as SVG, and the sheet that they are painted on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from eclair.images.backends.clipart.colors import mixed
from eclair.images.backends.clipart.scene import Time


@dataclass(slots=True)
class Ground:
    """A sheet that is being painted: `w` by `h`, the horizon at `y`."""

    w: float
    h: float
    y: float
    time: Time
    chance: random.Random
    bare: bool = False
    """Neither sun, moon nor clouds of its own: the things have some."""

    white: bool = False
    """Snow lies on the ground."""

    @property
    def night(self) -> bool:
        return self.time == "night"

    def tone(self, day: str, night: str, sunset: str | None = None) -> str:
        """The colour for the time of day."""
        if self.time == "day":
            return day
        return night if self.night else sunset or mixed(day, "#a8486e", 0.26)

    def grown(self, day: str, night: str, sunset: str | None = None) -> str:
        """The colour of what grows on the ground, or of the snow that lies on it."""
        if not self.white:
            return self.tone(day, night, sunset)
        return mixed(self.tone("#ffffff", "#93a4d6", "#fbe3e4"), self.tone(day, night, sunset), 0.1)


def gradient(name: str, stops: Sequence[tuple[float, str]], *, across: bool = False) -> str:
    ends = 'x2="1" y2="0"' if across else 'x2="0" y2="1"'
    return f'<linearGradient id="{name}" x1="0" y1="0" {ends}>{stops_of(stops)}</linearGradient>'


def stops_of(stops: Sequence[tuple[float, str]]) -> str:
    return "".join(f'<stop offset="{at}" stop-color="{colour}"/>' for at, colour in stops)


def rect(x: float, y: float, w: float, h: float, fill: str, more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{fill}" {more}/>'


def circle(x: float, y: float, r: float, fill: str, opacity: float = 1) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="{fill}" opacity="{opacity:.2f}"/>'


def ellipse(x: float, y: float, rx: float, ry: float, fill: str, opacity: float = 1) -> str:
    return f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" fill="{fill}" opacity="{opacity:.2f}"/>'


def path(points: str, fill: str, more: str = "") -> str:
    return f'<path d="{points}" fill="{fill}" {more}/>'


def rolling(g: Ground, y: float, swing: float, waves: int, fill: str, more: str = "") -> str:
    """A hill or a wave that reaches from side to side, and down to the lower edge."""
    step = g.w / waves
    edge = [(i * step, y + g.chance.uniform(-swing, swing)) for i in range(waves + 1)]
    d = f"M0 {edge[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(edge):
        d += f" C{x0 + step * 0.45:.1f} {y0:.1f} {x1 - step * 0.45:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    return path(f"{d} L{g.w:.1f} {g.h:.1f} L0 {g.h:.1f}Z", fill, more)
