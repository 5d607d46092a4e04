"""Every generator of pictures that Éclair has, the best first."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.pictures.base import Generator
from eclair.pictures.diffusers.generator import Diffusers
from eclair.settings import Settings


def generators(settings: Settings) -> Sequence[Generator]:
    """The generators, which start nothing before they draw. Whoever asks for them closes them."""
    return [Diffusers(settings)]
