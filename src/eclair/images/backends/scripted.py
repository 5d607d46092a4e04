"""A generator that draws what it is told to: deterministic, at any pace, for tests, demonstrations and benches.

It makes fields of colour out of the prompt and the seed. A line of the prompt that begins with `script:` changes that,
as in

    script: pause=0.1 fail=3

| option | means |
|---|---|
| `pause=S` | S seconds for each step (0) |
| `fail=N` | an error in place of step N |
| `nothing=1` | it ends without a picture |
| `broken=1` | bytes that are no picture |
| `says=A_B` | what it made of the prompt, `_` for a space |
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
from eclair.schema.images import Drawn, Job, PictureModel, Progress
from eclair.schema.principal import Principal

NAME = "scripted"
LOOK = 96
"""Pixels of a look's longer side."""
FIELDS = 8
"""Fields of colour in a row."""

_OPTION = re.compile(r"(\w+)=([^\s,]+)")
_KNOWN = ("pause", "fail", "nothing", "broken", "says")


def _model(id: str, name: str, **more: object) -> PictureModel:
    values = {
        "maker": "Éclair",
        "country": None,
        "generator": NAME,
        "licence": "Apache-2.0",
        "width": 512,
        "height": 512,
        "most": 1024,
        "multiple": 8,
        **more,
    }
    return PictureModel(id, name, **values)  # pyright: ignore[reportArgumentType]


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


class ScriptedGenerator:
    """Implements `Generator`. `made` counts the steps it ever made, so that a test sees that stop stops it; `going` is
    cleared to have it wait before its next step."""

    def __init__(self) -> None:
        self.name = NAME
        self.made = 0
        self.drawn: list[tuple[str, Job]] = []
        """Who had what drawn, in the order in which it was begun."""
        self.going = asyncio.Event()
        self.going.set()

    async def models(self) -> Sequence[PictureModel]:
        return MODELS

    async def draw(
        self, model: PictureModel, job: Job, principal: Principal, run: str | None
    ) -> AsyncGenerator[Progress | Drawn, None]:
        script = _script(job.prompt)
        self.drawn.append((principal.id, job))
        image = await asyncio.to_thread(_painted, job)
        of = job.steps or 1
        for step in range(1, of + 1):
            await self.going.wait()
            await asyncio.sleep(float(script.get("pause", 0)))
            self.made += 1
            if script.get("fail") == str(step):
                raise EngineBroken("The scripted generator broke off, as it was told to.")
            yield Progress(step, of, _look(image, step / of) if model.previews else None)
        if "nothing" in script:
            return
        data = b"\x89PNG\r\n\x1a\nnone" if "broken" in script else await asyncio.to_thread(_written, image)
        said = script.get("says")
        yield Drawn(data, job.seed, said.replace("_", " ") if said is not None else None)

    async def close(self) -> None:
        self.going.set()


def _script(prompt: str) -> dict[str, str]:
    """Raises InvalidInput for an option that there is not."""
    line = next((line[7:] for line in prompt.splitlines() if line.startswith("script:")), "")
    options: dict[str, str] = dict(_OPTION.findall(line))
    for name in options:
        if name not in _KNOWN:
            raise InvalidInput(f"The script has an unknown option {name!r}.")
    return options


def _painted(job: Job) -> Image.Image:
    """Fields of colour; over the picture that is edited, where there is one, as far as the mask lets it change."""
    digest = hashlib.sha256(f"{job.prompt}\n{job.negative}\n{job.seed}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8]))
    colours = random.integers(0, 256, (FIELDS, FIELDS, 3), np.uint8)
    size = (job.width, job.height)
    made = Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)
    if not job.sources:
        return made
    before = Image.open(io.BytesIO(job.sources[0])).convert("RGB").resize(size)
    after = Image.blend(before, made, 0.5 if job.strength is None else job.strength)
    if job.mask is None:
        return after
    stays = Image.open(io.BytesIO(job.mask)).convert("RGBA").getchannel("A").resize(size)
    return Image.composite(before, after, stays)


def _look(image: Image.Image, share: float) -> bytes:
    """The picture as it comes out of grey."""
    small = image.copy()
    small.thumbnail((LOOK, LOOK))
    return _written(Image.blend(Image.new("RGB", small.size, "grey"), small, share))


def _written(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()
