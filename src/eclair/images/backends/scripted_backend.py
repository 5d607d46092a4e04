"""A deterministic backend for tests, demonstrations and benches.

It generates fields of color from the prompt and the seed. A line of the prompt that begins with `script:` changes that,
as in

    script: pause=0.1 fail=3

| option | means |
|---|---|
| `pause=S` | S seconds for each step (0) |
| `fail=N` | an error in place of step N |
| `nothing=1` | it ends without an image |
| `broken=1` | bytes that are not an image |
| `says=A_B` | its revised prompt, `_` for a space |
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from collections.abc import AsyncGenerator, Sequence

import numpy as np
from PIL import Image

from eclair.errors import EngineBroken, InvalidInput
from eclair.images.job import ImageJob
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage

NAME = "scripted"
PREVIEW_PIXELS = 96
FIELDS_PER_SIDE = 8

_OPTION = re.compile(r"\b(\w++)=([^\s,]++)")
_KNOWN = ("pause", "fail", "nothing", "broken", "says")


def _model(id: str, name: str, **more: object) -> ImageModel:
    values = {
        "maker": "Éclair",
        "country": None,
        "generator": NAME,
        "license": "Apache-2.0",
        "width": 512,
        "height": 512,
        "most": 1024,
        "multiple": 8,
        **more,
    }
    return ImageModel(id, name, **values)  # pyright: ignore[reportArgumentType]


MODELS = (
    _model(
        "scripted-picture",
        "Scripted picture",
        steps=4,
        guidance=3.5,
        edits=True,
        masks=True,
        negative=True,
        previews=True,
    ),
    _model("scripted-drawing", "Scripted drawing", drawn=True),
    _model("scripted-elsewhere", "Scripted picture elsewhere", steps=4, jurisdiction="DE"),
    _model("scripted-absent", "Scripted and absent", state="absent"),
    _model("scripted-locked", "Scripted and locked", state="locked", why="It needs a key, which nobody has set."),
)


class ScriptedImageBackend:
    """Implements `ImageBackend`.

    `steps_made` counts all its steps, so that a test sees that stopping works; clear `unpaused` to have it wait before
    its next step. `requested` are all jobs, in the order in which they began.
    """

    def __init__(self) -> None:
        self.name = NAME
        self.steps_made = 0
        self.requested: list[ImageJob] = []
        self.unpaused = asyncio.Event()
        self.unpaused.set()

    async def models(self) -> Sequence[ImageModel]:
        return MODELS

    async def generate(self, job: ImageJob) -> AsyncGenerator[BackendProgress | UnmarkedImage, None]:
        script = _script(job.prompt)
        self.requested.append(job)
        image = await asyncio.to_thread(_paint, job)
        of = job.steps or 1
        for step in range(1, of + 1):
            await self.unpaused.wait()
            await asyncio.sleep(float(script.get("pause", 0)))
            self.steps_made += 1
            if script.get("fail") == str(step):
                raise EngineBroken("The scripted backend broke off, as it was told to.")
            yield BackendProgress(step, of, _preview(image, step / of) if job.model.previews else None)
        if "nothing" in script:
            return
        data = b"\x89PNG\r\n\x1a\nnone" if "broken" in script else await asyncio.to_thread(_encode, image)
        said = script.get("says")
        yield UnmarkedImage(data, job.seed, said.replace("_", " ") if said is not None else None)

    async def close(self) -> None:
        self.unpaused.set()


def _script(prompt: str) -> dict[str, str]:
    """Parse the script of a prompt. Raises InvalidInput for an unknown option."""
    line = next((line[7:] for line in prompt.splitlines() if line.startswith("script:")), "")
    options: dict[str, str] = dict(_OPTION.findall(line))
    for name in options:
        if name not in _KNOWN:
            raise InvalidInput(f"The script has an unknown option {name!r}.")
    return options


def _paint(job: ImageJob) -> Image.Image:
    """Paint fields of color, blended over the image to edit as far as the mask allows."""
    digest = hashlib.sha256(f"{job.prompt}\n{job.negative}\n{job.seed}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8]))
    colors = random.integers(0, 256, (FIELDS_PER_SIDE, FIELDS_PER_SIDE, 3), np.uint8)
    size = (job.width, job.height)
    made = Image.fromarray(colors).resize(size, Image.Resampling.BICUBIC)
    if not job.sources:
        return made
    before = Image.open(io.BytesIO(job.sources[0])).convert("RGB").resize(size)
    after = Image.blend(before, made, 0.5 if job.strength is None else job.strength)
    if job.mask is None:
        return after
    stays = Image.open(io.BytesIO(job.mask)).convert("RGBA").getchannel("A").resize(size)
    return Image.composite(before, after, stays)


def _preview(image: Image.Image, share: float) -> bytes:
    """Return a small version that emerges from gray."""
    small = image.copy()
    small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    return _encode(Image.blend(Image.new("RGB", small.size, "grey"), small, share))


def _encode(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()
