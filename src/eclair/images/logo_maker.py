"""Makes logos of untrusted pictures, each in a sandbox of its own (`logo_worker`)."""

from __future__ import annotations

from eclair.errors import TooLarge, UnreadableFile
from eclair.images.logo_protocol import CPU_LIMIT_S, PROTOCOL, MakeLogo
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError

LOGO_SIDE_PX = 512
MAX_LOGO_BYTES = 2 << 20
TIMEOUT_S = CPU_LIMIT_S + 10


async def make_logo(data: bytes) -> bytes:
    """Return a PNG of a picture, which brings nothing of its file along. Raises TooLarge and UnreadableFile."""
    if len(data) > MAX_LOGO_BYTES:
        raise TooLarge(f"The logo is larger than {MAX_LOGO_BYTES >> 20} MB; make it smaller.")
    return await redraw_picture(data, LOGO_SIDE_PX, "logo")


async def redraw_picture(data: bytes, side: int, what: str = "picture") -> bytes:
    """Return a PNG of at most that many pixels wide and high, and nothing else of the file. Raises UnreadableFile."""
    sandboxes = SandboxPool(PROTOCOL)
    try:
        return (await sandboxes.run_once(MakeLogo(data, side), timeout_s=TIMEOUT_S)).data
    except Rejected as rejected:
        raise UnreadableFile(f"The {what} {rejected.message}.") from None
    except SandboxError as error:
        raise UnreadableFile(f"The {what} takes too much to read; make it smaller.") from error
    finally:
        await sandboxes.close()
