"""Renders our own SVG in a sandbox, since resvg holds the interpreter."""

from __future__ import annotations

from eclair.errors import EngineBroken
from eclair.images.svg_protocol import CPU_LIMIT_S, PROTOCOL, RenderSvg
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError

TIMEOUT_S = CPU_LIMIT_S + 10


class SvgRenderer:
    """`close` after use."""

    def __init__(self) -> None:
        self._sandboxes = SandboxPool(PROTOCOL, linger=True)

    async def render(self, svg: str, width: int, height: int) -> bytes:
        """Return the PNG of that many pixels. Raises EngineBroken where the process dies or takes too long."""
        try:
            return (await self._sandboxes.run_once(RenderSvg(svg, width, height), timeout_s=TIMEOUT_S)).data
        except (Rejected, SandboxError) as error:
            if isinstance(error, SandboxError) and error.fault == "timeout":
                raise EngineBroken("The drawing took too long; try again when less is going on.") from error
            raise EngineBroken("The drawing broke off; try again.") from error

    async def close(self) -> None:
        await self._sandboxes.close()
