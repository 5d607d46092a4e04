"""The generator that needs no weights: prompts become scenes, scenes SVG, and SVG a picture.

It draws what its book has pictures of, says what it did not draw, and refuses what it can draw nothing of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import orjson

from eclair.errors import EngineBroken, InvalidInput
from eclair.images.backends.clipart.book import book, font
from eclair.images.backends.clipart.composing import compose
from eclair.images.backends.clipart.painting import painted
from eclair.images.backends.clipart.process import SECONDS
from eclair.images.backends.clipart.reading import read
from eclair.images.backends.clipart.scene import Scene
from eclair.images.backends.clipart.telling import told
from eclair.sandbox.pool import Guests
from eclair.schema.images import Drawn, Job, PictureModel, Progress

NAME = "eclair-drawing"
LEAST, MOST, MULTIPLE, USUAL = 64, 1536, 8, 1024
STEPS = 3

_MODULE = "eclair.images.backends.clipart.process"
_BETTER = "pull a model that paints anything with `eclair pull flux-1-schnell`"


class Drawer:
    """Draws in processes of its own, one for each picture."""

    name = NAME

    def __init__(self) -> None:
        self._guests = Guests(_MODULE, stay=True)

    async def models(self) -> Sequence[PictureModel]:
        return [_model(tuple((await asyncio.to_thread(book)).languages))]

    async def draw(
        self, model: PictureModel, job: Job, owner: str, run: str | None
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
        await self._guests.close()

    async def _rendered(self, svg: str, width: int, height: int, lettering: bool) -> bytes:
        """The PNG. Raises EngineBroken where the process dies or takes too long."""
        order = {"width": width, "height": height, "font": str(font()) if lettering else ""}
        try:
            image = await self._guests.ask(orjson.dumps(order) + b"\n" + svg.encode(), SECONDS)
        except TimeoutError:
            raise EngineBroken("The drawing took too long and was ended; try again when less is going on.") from None
        if not image.startswith(b"\x89PNG"):
            raise EngineBroken("The drawing broke off; try again, with fewer words if it happens again.")
        return image


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
