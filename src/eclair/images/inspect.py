"""Inspects untrusted images, each in a sandbox of its own (`inspect_worker`)."""

from __future__ import annotations

from eclair.errors import UnreadableFile
from eclair.images.inspect_protocol import CPU_LIMIT_S, PROTOCOL, InspectedImage, MakeMask, MakeThumbnail
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError, SandboxFault

MAX_CONCURRENT_INSPECTIONS = 2
TIMEOUT_S = CPU_LIMIT_S + 10

_DAMAGED = "is damaged, or takes too much to read; make it smaller"
_FAULTS: dict[SandboxFault, str] = {
    "timeout": "takes too long to read; make it smaller",
    "memory": "takes too much memory; make it smaller",
    "crash": "is damaged and cannot be read; save it again from the program that made it",
    "death": _DAMAGED,
}


class ImageInspector:
    """Inspects images; error messages use the `name` that is given."""

    def __init__(self) -> None:
        self._sandboxes = SandboxPool(PROTOCOL, max_processes=MAX_CONCURRENT_INSPECTIONS, linger=True)

    async def close(self) -> None:
        await self._sandboxes.close()

    async def thumbnail(self, image: bytes, packet: bytes, name: str) -> InspectedImage:
        """Inspect a picture, and make a small WebP with the XMP `packet` in it. Raises UnreadableFile."""
        return await self._run(MakeThumbnail(image, packet), name)

    async def mask(self, image: bytes, size: tuple[int, int], name: str) -> bytes:
        """Return a PNG of that size, transparent where the mask is. Raises UnreadableFile."""
        return (await self._run(MakeMask(image, *size), name)).made

    async def _run(self, request: MakeThumbnail | MakeMask, name: str) -> InspectedImage:
        try:
            result = await self._sandboxes.run_once(request, timeout_s=TIMEOUT_S)
        except Rejected as rejected:
            raise UnreadableFile(f"{name} {rejected.message}.") from None
        except SandboxError as error:
            raise UnreadableFile(f"{name} {_FAULTS[error.fault]}.") from error
        if not result.made:
            raise UnreadableFile(f"{name} {_DAMAGED}.")
        return result
