"""The clip-art backend: read, lay out, render; refuse unknown prompts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace

from eclair.errors import NoClipArt
from eclair.images.backends.clipart.arrange import to_svg
from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.folding import fold_words
from eclair.images.backends.clipart.prompt_reader import read
from eclair.images.backends.clipart.scene import ClipArtScene
from eclair.images.job import ImageJob
from eclair.images.svg_renderer import SvgRenderer
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage
from eclair.schema.principal import Principal

_IDENTITY = ("eclair-drawing", "Clip art", "Éclair", None, "eclair-drawing", "Apache-2.0")
MODEL = ImageModel(*_IDENTITY, most=1536, multiple=8, negative=True, drawn=True)


class ClipArtBackend:
    """Implements `ImageBackend`. Where words are not known, `plan` may have a language model lay out the scene."""

    name = MODEL.generator

    def __init__(self, plan: Callable[[str, Principal], Awaitable[ClipArtScene | None]] | None = None) -> None:
        self._plan = plan
        self._renderer = SvgRenderer()

    async def models(self) -> Sequence[ImageModel]:
        return [replace(MODEL, languages=tuple((await asyncio.to_thread(book)).languages))]

    async def check(self, job: ImageJob) -> None:
        """Raise NoClipArt where less than two thirds of the things are known, or images are to be edited."""
        await self._scene(job)

    async def generate(self, job: ImageJob) -> AsyncGenerator[BackendProgress | UnmarkedImage, None]:
        scene = await self._scene(job)
        svg = await asyncio.to_thread(to_svg, scene, job.width, job.height, job.seed)
        yield BackendProgress(1, 2)
        image = await self._renderer.render(svg, job.width, job.height)
        yield BackendProgress(2, 2)
        yield UnmarkedImage(image, job.seed, scene.caption)

    async def close(self) -> None:
        await self._renderer.close()

    async def _scene(self, job: ImageJob) -> ClipArtScene:
        other = "pull a model that draws anything with `eclair pull flux-1-schnell`"
        if job.sources or job.mask is not None:
            raise NoClipArt(f"Clip art is made from words alone and edits nothing; {other}.", param="sources")
        scene = await asyncio.to_thread(read, job.prompt)
        if self._plan is not None and (scene.unknown or scene.undrawn):
            planned = await self._plan(job.prompt, job.principal)
            scene = scene if planned is None else await asyncio.to_thread(_with_undrawn, planned, scene)
        unwanted = {item.picture for item in (await asyncio.to_thread(read, job.negative)).items}
        scene = replace(scene, items=tuple(item for item in scene.items if item.picture not in unwanted))
        if not scene.is_known:
            words = ", ".join(f"“{each}”" for each in dict.fromkeys((scene.unknown or scene.undrawn)[:5]))
            what = f"There is no clip art of {words or 'these words'}"
            raise NoClipArt(f"{what}; name other things, or {other}.", param="prompt")
        return scene


def _with_undrawn(planned: ClipArtScene, scene: ClipArtScene) -> ClipArtScene:
    """Name in a planned scene what the words say and no picture can show, such as what somebody does."""
    words = book().vocabulary(scene.language)
    others = (word for word in scene.undrawn if words.picture(fold_words(word)) is None)
    return replace(planned, undrawn=tuple(dict.fromkeys((*planned.undrawn, *others))))
