"""The stable-diffusion.cpp process: `pipeline_process` with another pipeline."""

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
from eclair.images.backends.diffusers import device_plan, pipeline_process, safetensors
from eclair.images.backends.diffusers.diffusers_pipeline import (
    PipelineError,
    ReportImageStep,
    StopCheck,
    error_line,
    fit,
    open_image,
    open_mask,
)
from eclair.images.backends.diffusers.pipeline_protocol import GenerateRequest, LoadPipelineRequest, PipelineLoaded
from eclair.models.gguf import tensors

WORKING_BYTES = 1500 << 20
"""Needed for 1024 × 1024 beside the weights."""

SMALL_MODEL_BYTES = 1 << 30
"""Smaller models need little beside the weights."""

MIN_TILED_PIXELS = 1024 * 1024
"""From there on, images are decoded in tiles."""

DEFAULT_STRENGTH = 0.6
"""Of an edit without a requested strength."""

ROLES = {
    "diffusion": "diffusion_model_path",
    "vae": "vae_path",
    "clip_l": "clip_l_path",
    "t5xxl": "t5xxl_path",
    "llm": "llm_path",
}


class SdcppPipeline:
    """Implements `ImagePipeline` with stable-diffusion.cpp."""

    def __init__(self, sd: Any, context: Any) -> None:
        self.loaded = PipelineLoaded("auto", "as the file", "none", can_stop=False)
        self._sd = sd
        self._context = context
        self._step_count = 0

    @classmethod
    def load(cls, request: LoadPipelineRequest, check: StopCheck, bound: Callable[[int], None]) -> SdcppPipeline:
        """Load a model. `check` is never called, as the library can't stop between two steps. Raises PipelineError."""
        del check
        folder = Path(request.path)
        files = {ROLES[role]: folder / name for role, name in json.loads(request.files_json).items()}
        try:
            size = sum(_checked_size(file) for file in files.values())
        except (OSError, ValueError) as error:
            raise PipelineError("damaged", getattr(error, "strerror", None) or str(error)) from error
        try:
            sd: Any = importlib.import_module("cyllama.sd")
        except (ImportError, OSError) as error:
            raise PipelineError("missing", error_line(error)) from error
        bound(request.memory)
        free = min(device_plan.free_memory_bytes(), request.memory or device_plan.free_memory_bytes())
        needed = size + (WORKING_BYTES if size > SMALL_MODEL_BYTES else 0)
        if needed > free:
            raise PipelineError("memory", f"it needs {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free")
        said = deque[str](maxlen=20)
        sd.set_log_callback(partial(_log, said))
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
                raise PipelineError("memory", "there is too little memory for it") from error
            raise PipelineError("damaged", said[-1] if said else error_line(error)) from error
        return cls(sd, context)

    def generate(self, request: GenerateRequest, report: ReportImageStep) -> bytes:
        """Return the image as PNG. Raises PipelineError."""
        from PIL import Image

        self._step_count = request.steps
        self._sd.set_progress_callback(self._on_progress)
        self._sd.set_preview_callback(partial(self._on_preview, report), mode=self._sd.PreviewMode.PROJ)
        try:
            (image, *_) = self._context.generate_with_params(self._parameters(request))
        except (RuntimeError, ValueError) as error:
            raise PipelineError("broken", error_line(error)) from error
        except MemoryError as error:
            raise PipelineError(
                "memory", f"{request.width} × {request.height} took more memory than there is"
            ) from error
        out = io.BytesIO()
        picture = Image.fromarray(image.to_numpy()).convert("RGB")
        if request.has_mask:
            size = (request.width, request.height)
            first = fit(open_image(request.blobs[0]), size)
            picture = Image.composite(picture, first, open_mask(request.blobs[-1], size))
        picture.save(out, "PNG", compress_level=1)
        return out.getvalue()

    def _parameters(self, request: GenerateRequest) -> Any:
        sd, size = self._sd, (request.width, request.height)
        blobs = request.blobs[:-1] if request.has_mask else request.blobs
        if len(blobs) > 1:
            raise PipelineError("input", f"it takes 1 at a time, and there are {len(blobs)} images")
        wanted = sd.SDImageGenParams(
            prompt=request.prompt,
            negative_prompt=request.negative,
            width=request.width,
            height=request.height,
            seed=request.seed,
            sample_steps=request.steps,
            cfg_scale=1.0,
        )
        if request.guidance > 0:
            sampling = wanted.sample_params
            sampling.distilled_guidance = request.guidance
            wanted.sample_params = sampling
        if request.width * request.height >= MIN_TILED_PIXELS:
            wanted.vae_tiling_enabled = True
        if blobs:
            wanted.set_init_image(sd.SDImage.from_pil(fit(open_image(blobs[0]), size)))
            wanted.strength = request.strength or (1.0 if request.has_mask else DEFAULT_STRENGTH)
        if request.has_mask:
            wanted.set_mask_image(sd.SDImage.from_pil(open_mask(request.blobs[-1], size)))
        return wanted

    def _on_progress(self, step: int, of: int, seconds: float) -> None:
        del seconds
        if step == 0:
            self._step_count = of

    def _on_preview(self, report: ReportImageStep, step: int, frames: list[Any], noisy: bool) -> None:
        from PIL import Image

        if noisy or not frames:
            return
        out = io.BytesIO()
        Image.fromarray(frames[0].to_numpy().copy()).convert("RGB").save(out, "JPEG", quality=80)
        report(step, max(step, self._step_count), out.getvalue())


def _checked_size(file: Path) -> int:
    """Return the size of a weight file. Raises ValueError for a damaged one, and OSError for a missing one.

    The library would wait forever for a missing file.
    """
    if file.suffix == ".gguf":
        try:
            tensors.read_tensors(file)
        except ModelMissing as error:
            raise ValueError(f"{file.name} is damaged") from error
    else:
        safetensors.count_tensor_numbers(file)
    return file.stat().st_size


def _log(said: deque[str], level: Any, text: Any) -> None:
    """Keep the library's warnings, and pass all messages on to the log."""
    words = str(text).strip()
    print(words)  # noqa: T201 - standard output leads to the log
    if int(level) >= 2:
        said.append(words.rpartition(" - ")[2][:200])


def main() -> None:
    pipeline_process.main(SdcppPipeline.load)
