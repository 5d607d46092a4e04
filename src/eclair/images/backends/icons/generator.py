"""The generator of the built-in model: the prompt becomes vectors, the flow takes its steps in a thread."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eclair.documents.embeddings import E5, Embedder
from eclair.errors import InvalidInput, ModelMissing
from eclair.images.backends.icons.words import subject, words
from eclair.schema.images import Drawn, Job, PictureModel, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, ICONS = "icons", "eclair-icons"
STEPS = 16
GUIDANCE = 1.6
MOST_STEPS = 50
MODEL = PictureModel(
    id=ICONS,
    name="Éclair icons",
    maker="Éclair",
    country=None,
    generator=NAME,
    licence="MIT",
    width=256,
    height=256,
    least=64,
    most=1024,
    multiple=8,
    steps=STEPS,
    guidance=GUIDANCE,
    previews=True,
    small=True,
    languages=("de", "en", "fr"),
)
_MISSING = (
    "The built-in picture model did not come with this installation; `eclair pull flux-1-schnell` brings another."
)
_OTHER = "The built-in picture model needs the built-in embedder, which is not in use (ECLAIR_EMBEDDER)."


class Icons:
    """`embedder` is the one of documents; the model knows no vectors but those of multilingual-e5-small."""

    name = NAME

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder

    async def models(self) -> Sequence[PictureModel]:
        why = await asyncio.to_thread(self._why)
        return [MODEL if why is None else replace(MODEL, state="absent", why=why)]

    async def draw(
        self, model: PictureModel, job: Job, owner: str, run: str | None
    ) -> AsyncGenerator[Progress | Drawn, None]:
        why = await asyncio.to_thread(self._why)
        if why is not None or self._embedder is None:
            raise ModelMissing(why or _OTHER)
        if job.sources or job.mask is not None:
            raise InvalidInput(f"{model.name} makes pictures from words alone.", param="image")
        from eclair.images.backends.icons import flow

        wanted = await self._wanted(job)
        x, of = flow.noise(job.seed), min(job.steps or STEPS, MOST_STEPS)
        for done in range(of - 1):
            x, pixels = await asyncio.to_thread(flow.step, x, done, of, wanted)
            yield Progress(done + 1, of, await asyncio.to_thread(_written, pixels))
        _, pixels = await asyncio.to_thread(flow.step, x, of - 1, of, wanted)
        yield Progress(of, of)
        yield Drawn(await asyncio.to_thread(_written, pixels, (job.width, job.height)), job.seed)

    async def close(self) -> None:
        """The embedder is its owner's to close."""

    async def _wanted(self, job: Job) -> Any:
        from eclair.images.backends.icons.flow import Wanted

        assert self._embedder is not None
        said = subject(job.prompt)
        vectors = await self._embedder.embed([said, *words(said)], "query")
        return Wanted(vectors[0], vectors[1:], GUIDANCE if job.guidance is None else job.guidance)

    def _why(self) -> str | None:
        from eclair.images.backends.icons import flow

        if not flow.there():
            return _MISSING
        return None if self._embedder is not None and self._embedder.name == E5.name else _OTHER


def _written(pixels: NDArray[Any], size: tuple[int, int] | None = None) -> bytes:
    """As PNG; with a size enlarged to it, in the middle of white."""
    from PIL import Image

    image = Image.fromarray(pixels)
    if size is not None:
        side = min(size)
        large = image.resize((side, side), Image.Resampling.LANCZOS)
        image = Image.new("RGB", size, "white")
        image.paste(large, ((size[0] - side) // 2, (size[1] - side) // 2))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
