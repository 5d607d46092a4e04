"""FLUX on this machine by stable-diffusion.cpp, with weights of few bits: for a processor, or a small graphics card.

The library is in cyllama's wheel. It stops nothing that it has begun, so that closing a drawing ends its process.
"""

from __future__ import annotations

from eclair.images.backends.diffusers.environment import Needs
from eclair.images.backends.diffusers.generator import LocalGenerator
from eclair.settings import Settings

PROCESS = "eclair.images.backends.sdcpp_process"


class StableDiffusionCpp(LocalGenerator):
    """Implements `base.Generator`."""

    def __init__(self, settings: Settings) -> None:
        needs = Needs(("cyllama", "numpy", "pillow"), "stable-diffusion.cpp (cyllama)", "sdcpp")
        super().__init__(settings, "sdcpp", PROCESS, needs)
