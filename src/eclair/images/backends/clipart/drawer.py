"""The generator that needs no weights: prompts become scenes, scenes SVG, and SVG a picture.

It draws what its book has pictures of, says what it did not draw, and refuses what it can draw nothing of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from eclair.errors import EngineBroken, InvalidInput
from eclair.images.backends.clipart.book import book, font
from eclair.images.backends.clipart.composing import compose
from eclair.images.backends.clipart.painting import painted
from eclair.images.backends.clipart.reading import read
from eclair.images.backends.clipart.render_protocol import CPU_LIMIT_S, PROTOCOL, RenderSvg
from eclair.images.backends.clipart.scene import Scene
from eclair.images.backends.clipart.telling import told
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.schema.images import Drawn, Job, PictureModel, Progress
from eclair.schema.principal import Principal

NAME = "eclair-drawing"
LEAST, MOST, MULTIPLE, USUAL = 64, 1536, 8, 1024
STEPS = 3

TIMEOUT_S = CPU_LIMIT_S + 10

_BETTER = "pull a model that paints anything with `eclair pull flux-1-schnell`"


class Drawer:
    """Draws in processes of its own, one for each picture."""

    name = NAME

    def __init__(self) -> None:
        self._sandboxes = SandboxPool(PROTOCOL, linger=True)

    async def models(self) -> Sequence[PictureModel]:
        return [_model(tuple((await asyncio.to_thread(book)).languages))]

    async def draw(
        self, model: PictureModel, job: Job, principal: Principal, run: str | None
    ) -> AsyncGenerator[Progress | Drawn, None]:
        """Read, compose, render. Raises InvalidInput where nothing of the prompt can be drawn, or a size is wrong."""
        _check(job)
        scene = await asyncio.to_thread(read, job.prompt, job.seed, job.negative)
        _check_scene(scene, job.prompt)
        yield Progress(1, STEPS)
        svg = await asyncio.to_thread(_svg, scene, job)
        yield Progress(2, STEPS)
        image = await self._rendered(svg, job.width, job.height, bool(scene.lettering))
        yield Progress(STEPS, STEPS)
        yield Drawn(image, job.seed, told(scene))

    async def close(self) -> None:
        await self._sandboxes.close()

    async def _rendered(self, svg: str, width: int, height: int, lettering: bool) -> bytes:
        """The PNG. Raises EngineBroken where the process dies or takes too long."""
        request = RenderSvg(svg, width, height, str(font()) if lettering else None)
        try:
            png = (await self._sandboxes.run_once(request, timeout_s=TIMEOUT_S)).data
        except (Rejected, SandboxError) as error:
            if isinstance(error, SandboxError) and error.fault == "timeout":
                raise EngineBroken(
                    "The drawing took too long and was ended; try again when less is going on."
                ) from error
            raise EngineBroken("The drawing broke off; try again, with fewer words if it happens again.") from error
        if not png.startswith(b"\x89PNG"):
            raise EngineBroken("The drawing broke off; try again, with fewer words if it happens again.")
        return png


def _model(languages: tuple[str, ...]) -> PictureModel:
    return PictureModel(
        NAME,
        "Éclair drawing",
        "Éclair",
        None,
        NAME,
        "Apache-2.0",
        width=USUAL,
        height=USUAL,
        least=LEAST,
        most=MOST,
        multiple=MULTIPLE,
        negative=True,
        drawn=True,
        languages=languages,
    )


def _check(job: Job) -> None:
    if job.sources or job.mask is not None:
        raise InvalidInput(f"Drawings are made from words alone and change no picture; {_BETTER}.", param="sources")
    for name, side in (("width", job.width), ("height", job.height)):
        if not LEAST <= side <= MOST:
            raise InvalidInput(f"A drawing is {LEAST} to {MOST} pixels wide and high; {side} is not.", param=name)


def _check_scene(scene: Scene, prompt: str) -> None:
    if scene.things or scene.around.open or scene.around.festive or scene.around.colour or scene.lettering:
        return
    words = ", ".join(f"“{word}”" for word in dict.fromkeys(scene.undrawn[:4]))
    of = f"There is no drawing of {words}" if words else "Nothing in these words can be drawn"
    raise InvalidInput(f"{of}; name things such as animals, plants, food or vehicles, or {_BETTER}.", param="prompt")


def _svg(scene: Scene, job: Job) -> str:
    return painted(scene, compose(scene, job.width, job.height, job.seed), job.seed)
