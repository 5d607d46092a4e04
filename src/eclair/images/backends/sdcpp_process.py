"""The process that draws with stable-diffusion.cpp: as `diffusers.process`, with another painter in it."""

from __future__ import annotations

import importlib
import io
import json
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from eclair.errors import ModelMissing
from eclair.images.backends.diffusers import layout, process, weights
from eclair.images.backends.diffusers.painter import Check, Fault, Tell, fitted, line, mask_of, opened_picture
from eclair.images.backends.diffusers.wire import Draw, Load, Loaded
from eclair.models.gguf import tensors

WORKING = 1500 << 20
"""Bytes that drawing 1024 × 1024 takes beside the weights."""

SMALL = 1 << 30
"""Bytes of weights below which drawing takes little beside them."""

TILED = 1024 * 1024
"""Pixels from which a picture is decoded in tiles."""

CHANGED = 0.6
"""How much of a picture is changed unless the wish says so."""

ROLES = {
    "diffusion": "diffusion_model_path",
    "vae": "vae_path",
    "clip_l": "clip_l_path",
    "t5xxl": "t5xxl_path",
    "llm": "llm_path",
}


class SdPainter:
    def __init__(self, sd: Any, context: Any) -> None:
        self.loaded = Loaded("auto", "as the file", "none", stops=False)
        self._sd = sd
        self._context = context
        self._of = 0

    @classmethod
    def load(cls, order: Load, check: Check, bound: Callable[[int], None]) -> SdPainter:
        """Raises Fault. Nothing is checked between two steps, as the library cannot be stopped there."""
        del check
        folder = Path(order.path)
        files = {ROLES[role]: folder / name for role, name in json.loads(order.files).items()}
        try:
            size = sum(_sound(file) for file in files.values())
        except (OSError, ValueError) as error:
            raise Fault("damaged", getattr(error, "strerror", None) or str(error)) from error
        try:
            sd: Any = importlib.import_module("cyllama.sd")
        except (ImportError, OSError) as error:
            raise Fault("missing", line(error)) from error
        bound(order.memory)
        free = min(layout.free(), order.memory or layout.free())
        needed = size + (WORKING if size > SMALL else 0)
        if needed > free:
            raise Fault("memory", f"it needs {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free")
        said = deque[str](maxlen=20)
        sd.set_log_callback(partial(_keep, said))
        wanted = sd.SDContextParams()
        for name, file in files.items():
            setattr(wanted, name, str(file))
        wanted.n_threads = os.cpu_count() or 1
        for name in ("vae_decode_only", "free_params_immediately"):  # of older releases, which would draw once
            if hasattr(wanted, name):
                setattr(wanted, name, False)
        try:
            context = sd.SDContext(wanted)
            if not context.is_valid:
                raise RuntimeError("it is not loaded")
        except (RuntimeError, ValueError, OSError, MemoryError) as error:
            if isinstance(error, MemoryError) or any("alloc" in each for each in said):
                raise Fault("memory", "there is too little memory for it") from error
            raise Fault("damaged", said[-1] if said else line(error)) from error
        return cls(sd, context)

    def draw(self, order: Draw, tell: Tell) -> bytes:
        """The picture as PNG. Raises Fault."""
        from PIL import Image

        self._of = order.steps
        self._sd.set_progress_callback(self._count)
        self._sd.set_preview_callback(partial(self._seen, tell), mode=self._sd.PreviewMode.PROJ)
        try:
            (image, *_) = self._context.generate_with_params(self._wanted(order))
        except (RuntimeError, ValueError) as error:
            raise Fault("broken", line(error)) from error
        except MemoryError as error:
            raise Fault("memory", f"{order.width} × {order.height} took more memory than there is") from error
        out = io.BytesIO()
        picture = Image.fromarray(image.to_numpy()).convert("RGB")
        if order.masked:
            size = (order.width, order.height)
            first = fitted(opened_picture(order.blobs[0]), size)
            picture = Image.composite(picture, first, mask_of(order.blobs[-1], size))
        picture.save(out, "PNG", compress_level=1)
        return out.getvalue()

    def _wanted(self, order: Draw) -> Any:
        sd, size = self._sd, (order.width, order.height)
        blobs = order.blobs[:-1] if order.masked else order.blobs
        if len(blobs) > 1:
            raise Fault("input", f"it takes 1 at a time, and there are {len(blobs)} pictures")
        wanted = sd.SDImageGenParams(
            prompt=order.prompt,
            negative_prompt=order.negative,
            width=order.width,
            height=order.height,
            seed=order.seed,
            sample_steps=order.steps,
            cfg_scale=1.0,
        )
        if order.guidance > 0:
            sampling = wanted.sample_params
            sampling.distilled_guidance = order.guidance
            wanted.sample_params = sampling
        if order.width * order.height >= TILED:
            wanted.vae_tiling_enabled = True
        if blobs:
            wanted.set_init_image(sd.SDImage.from_pil(fitted(opened_picture(blobs[0]), size)))
            wanted.strength = order.strength or (1.0 if order.masked else CHANGED)
        if order.masked:
            wanted.set_mask_image(sd.SDImage.from_pil(mask_of(order.blobs[-1], size)))
        return wanted

    def _count(self, step: int, of: int, seconds: float) -> None:
        del seconds
        if step == 0:
            self._of = of

    def _seen(self, tell: Tell, step: int, frames: list[Any], noisy: bool) -> None:
        from PIL import Image

        if noisy or not frames:
            return
        out = io.BytesIO()
        Image.fromarray(frames[0].to_numpy().copy()).convert("RGB").save(out, "JPEG", quality=80)
        tell(step, max(step, self._of), out.getvalue())


def _sound(file: Path) -> int:
    """The size of a file of weights. Raises ValueError for what is none or ends too soon, and OSError: for what is
    missing the library waits without end."""
    if file.suffix == ".gguf":
        try:
            tensors.read_tensors(file)
        except ModelMissing as error:
            raise ValueError(f"{file.name} is damaged") from error
    else:
        weights.numbers(file)
    return file.stat().st_size


def _keep(said: deque[str], level: Any, text: Any) -> None:
    """Keep what the library complains of, and pass all of it on to the log."""
    words = str(text).strip()
    print(words)  # noqa: T201 - standard output leads to the log
    if int(level) >= 2:
        said.append(words.rpartition(" - ")[2][:200])


def main() -> None:
    process.main(SdPainter.load)
