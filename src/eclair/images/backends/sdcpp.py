"""FLUX with stable-diffusion.cpp and quantized weights, if memory is short.

The library is in cyllama's wheel. It can't stop an image that it has begun, so closing the stream ends its process.
"""

from __future__ import annotations

from eclair.images.backends.diffusers.environment import RequiredPackages
from eclair.images.backends.diffusers.local_backend import LocalImageBackend
from eclair.settings import Settings

SDCPP_PROCESS_MODULE = "eclair.images.backends.sdcpp_process"


class StableDiffusionCpp(LocalImageBackend):
    """Implements `ImageBackend`."""

    def __init__(self, settings: Settings) -> None:
        needs = RequiredPackages(("cyllama", "numpy", "pillow"), "stable-diffusion.cpp (cyllama)", "sdcpp")
        super().__init__(settings, "sdcpp", SDCPP_PROCESS_MODULE, needs)
