"""Runs a diffusers pipeline: loads, generates, and stops between blocks."""

from __future__ import annotations

import errno
import gc
import importlib
import inspect
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eclair.images.backends.diffusers import device_plan, families, safetensors
from eclair.images.backends.diffusers.device_plan import DevicePlan, DoesNotFit
from eclair.images.backends.diffusers.families import PipelineFamily
from eclair.images.backends.diffusers.pipeline_protocol import (
    FailureKind,
    GenerateRequest,
    LoadPipelineRequest,
    PipelineLoaded,
)
from eclair.images.backends.diffusers.previews import LatentPreviewer

NEGATIVE_PROMPT_SCALE = 4.0
"""Guidance away from the negative prompt; doubles the work of each step."""

DEFAULT_STRENGTH = 0.6
"""Of an edit without a requested strength."""

MAX_INPUT_PIXELS = 64_000_000

MAX_REFERENCE_PIXELS = 2_000_000
MIN_REFERENCE_SIDE_PIXELS, MAX_REFERENCE_RATIO = 64, 8
"""Of images that FLUX.2 looks at; larger ones are made smaller."""

MIN_KONTEXT_PIXELS = 512 * 512
"""Below, Kontext takes images to edit in the output's size, not in one that it was trained with."""

StopCheck = Callable[[], None]
ReportImageStep = Callable[[int, int, bytes], None]
"""Takes the number of steps done, the number of all steps, and a preview."""


class PipelineError(Exception):
    """A failure to report; the message is for the middle of a sentence."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message


class DiffusersPipeline:
    """Implements `ImagePipeline` with a pipeline of diffusers."""

    def __init__(
        self, torch: Any, diffusers: Any, pipe: Any, family: PipelineFamily, plan: DevicePlan, check: StopCheck
    ) -> None:
        self.loaded = PipelineLoaded(plan.device, plan.dtype, plan.offload, can_stop=True)
        self._torch = torch
        self._diffusers = diffusers
        self._pipe = pipe
        self._family = family
        self._check = check
        self._previews: LatentPreviewer | None = None
        self._clean_latents: Any = None
        self._watch()

    @classmethod
    def load(cls, request: LoadPipelineRequest, check: StopCheck, bound: Callable[[int], None]) -> DiffusersPipeline:
        """Load a model.

        `check` is called between any two blocks of a network, and raises to stop a job. `bound` limits the memory, once
        the libraries have theirs. Raises PipelineError.
        """
        folder = Path(request.path)
        try:
            index = families.read_index(folder)
            parts = safetensors.count_parameters(folder, index.parts)
        except (OSError, ValueError) as error:
            raise PipelineError("damaged", getattr(error, "strerror", None) or str(error)) from error
        torch, diffusers = _import_libraries(index.family)
        bound(request.memory)
        try:
            plan = device_plan.plan_device(parts, device_plan.device_memory(torch, request.device, request.memory))
            pipe = _load_pipe(torch, diffusers, folder, index.family, plan)
        except (DoesNotFit, MemoryError, torch.OutOfMemoryError) as error:
            raise PipelineError("memory", str(error) or "there is too little memory for it") from error
        except Exception as error:  # diffusers, transformers and safetensors raise whatever they like on damaged files
            if _is_memory(torch, error):
                raise PipelineError("memory", "there is too little memory for it") from error
            raise PipelineError("damaged", error_line(error)) from error
        return cls(torch, diffusers, pipe, index.family, plan, check)

    def generate(self, request: GenerateRequest, report: ReportImageStep) -> bytes:
        """Return the image as PNG. Raises PipelineError, and what the check raises."""
        torch = self._torch
        try:
            pipe, arguments, after = self._prepare(request)
            if self._previews is None:
                self._previews = LatentPreviewer(torch, self._pipe)
            with torch.inference_mode():
                image = pipe(
                    prompt=request.prompt,
                    width=request.width,
                    height=request.height,
                    num_inference_steps=request.steps,
                    guidance_scale=request.guidance,
                    generator=torch.Generator("cpu").manual_seed(request.seed),
                    callback_on_step_end=self._on_step(request, report),
                    **arguments,
                ).images[0]
            return _png(after(image))
        except Exception as error:
            if _is_memory(torch, error):
                raise PipelineError(
                    "memory", f"{request.width} × {request.height} needs more memory than there is"
                ) from error
            raise
        finally:
            self._clean_latents = None
            self._pipe.maybe_free_model_hooks()
            gc.collect()
            if self.loaded.device.startswith("cuda"):
                torch.cuda.empty_cache()

    def _prepare(self, request: GenerateRequest) -> tuple[Any, dict[str, Any], Callable[[Any], Any]]:
        """Return the pipeline for a request, its further arguments, and what to do with its image."""
        family, arguments = self._family, dict[str, Any]()
        blobs = request.blobs[:-1] if request.has_mask else request.blobs
        if request.negative and family.negative:
            arguments |= {"negative_prompt": request.negative, "true_cfg_scale": NEGATIVE_PROMPT_SCALE}
        if hasattr(self._pipe, "text_encoder_2"):  # the distilled one was taught with half as many words
            arguments["max_sequence_length"] = 512 if self._pipe.transformer.config.guidance_embeds else 256
        size = (request.width, request.height)
        if _resizes(self._pipe):  # unless it is told how large pictures are it makes all of them a million pixels
            arguments["max_area"] = request.width * request.height
        if not blobs:
            return self._pipe, arguments, _unchanged
        if len(blobs) > family.max_images:
            raise PipelineError("input", f"it takes {family.max_images} at a time, and there are {len(blobs)} images")
        images = [open_image(blob) for blob in blobs]
        if request.has_mask:
            if family.inpainting is None:
                raise PipelineError("input", "it takes no mask")
            return self._prepare_mask(family.inpainting, images, request, arguments)
        pipe = self._pipe_of(family.image_to_image)
        if not family.uses_references:
            arguments |= {"image": fit(images[0], size), "strength": _strength(request, DEFAULT_STRENGTH)}
        elif _resizes(pipe):
            small = request.width * request.height < MIN_KONTEXT_PIXELS
            arguments |= {"image": fit(images[0], size) if small else images[0], "_auto_resize": not small}
        else:
            arguments["image"] = [_resize_reference(image) for image in images]
        return pipe, arguments, _unchanged

    def _prepare_mask(
        self, name: str, images: list[Any], request: GenerateRequest, arguments: dict[str, Any]
    ) -> tuple[Any, dict[str, Any], Callable[[Any], Any]]:
        from PIL import Image

        size = (request.width, request.height)
        first, mask = fit(images[0], size), open_mask(request.blobs[-1], size)
        pipe = self._pipe_of(name)
        arguments |= {"image": first, "mask_image": mask, "strength": _strength(request, 1.0)}
        if _resizes(pipe):
            arguments |= {"_auto_resize": False, "max_area": request.width * request.height}
        return pipe, arguments, lambda image: Image.composite(image.convert("RGB"), first, mask)

    def _pipe_of(self, name: str) -> Any:
        """Create a pipeline of that name on the same networks."""
        if name == type(self._pipe).__name__:
            return self._pipe
        kind = getattr(self._diffusers, name)
        has = {**self._pipe.components, **dict(self._pipe.config)}
        wants = [each for each in inspect.signature(kind.__init__).parameters if each in has]
        return kind(**{each: self._pipe.components.get(each, has[each]) for each in wants})

    def _on_step(
        self, request: GenerateRequest, report: ReportImageStep
    ) -> Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]:
        def on_step(pipe: Any, step: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            del time
            tokens = self._clean_latents if self._clean_latents is not None else tensors["latents"]
            assert self._previews is not None
            report(step + 1, int(pipe.num_timesteps), self._previews.preview(tokens, request.width, request.height))
            self._check()
            return {}

        return on_step

    def _before(self, block: Any, given: Any) -> None:
        del block, given
        self._check()

    def _watch(self) -> None:
        """Check before each block of each network, and keep the model's estimate of the image at each step."""
        nn = self._torch.nn
        for network in self._pipe.components.values():
            if not isinstance(network, nn.Module):
                continue
            for module in network.modules():
                if isinstance(module, nn.ModuleList):
                    for block in module:
                        block.register_forward_pre_hook(self._before)
        scheduler = self._pipe.scheduler
        step = scheduler.step

        def kept(output: Any, time: Any, sample: Any, *rest: Any, **named: Any) -> Any:
            after = step(output, time, sample, *rest, **named)
            noise = scheduler.sigmas[scheduler.step_index - 1].to(sample.device)
            self._clean_latents = sample - noise * output
            return after

        scheduler.step = kept


def _import_libraries(family: PipelineFamily) -> tuple[Any, Any]:
    """Import torch and diffusers with the family's pipelines. Raises PipelineError."""
    try:
        torch, diffusers = (importlib.import_module(name) for name in ("torch", "diffusers"))
        for name in (family.text_to_image, family.image_to_image, family.inpainting):
            if name is not None:
                getattr(diffusers, name)
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        raise PipelineError("missing", error_line(error)) from error
    diffusers.utils.logging.disable_progress_bar()
    return torch, diffusers


def _load_pipe(torch: Any, diffusers: Any, folder: Path, family: PipelineFamily, plan: DevicePlan) -> Any:
    kind = getattr(diffusers, family.text_to_image)
    pipe = kind.from_pretrained(
        str(folder), dtype=getattr(torch, plan.dtype), local_files_only=True, use_safetensors=True
    )
    match plan.offload:
        case "none":
            pipe.to(plan.device)
        case "parts":
            pipe.enable_model_cpu_offload(device=plan.device)
        case "pieces":
            pipe.enable_sequential_cpu_offload(device=plan.device)
    if plan.offload != "none":
        pipe.vae.enable_tiling()
    return pipe


def _strength(request: GenerateRequest, usual: float) -> float:
    """Return the strength: 1, or so little that at least the first step, which hides everything, is left out."""
    strength = usual if request.strength is None else request.strength
    return strength if strength == 1 or request.steps == 1 else min(strength, 1 - 1 / request.steps - 1e-6)


def open_image(blob: bytes) -> Any:
    """Decode an image, upright and in RGB. Raises PipelineError."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(blob)) as opened:
            if opened.width * opened.height > MAX_INPUT_PIXELS:
                raise PipelineError("input", f"an image has more than {MAX_INPUT_PIXELS // 1_000_000} million pixels")
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PipelineError("input", "an image cannot be read") from error


def open_mask(blob: bytes, size: tuple[int, int]) -> Any:
    """Decode a mask: white where the image may change, which is where `blob` is transparent."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(blob)) as opened:
            if opened.width * opened.height > MAX_INPUT_PIXELS:
                raise PipelineError("input", f"the mask has more than {MAX_INPUT_PIXELS // 1_000_000} million pixels")
            opaque = opened.convert("RGBA").getchannel("A")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PipelineError("input", "the mask cannot be read") from error
    if opaque.getextrema()[0] == 255:
        raise PipelineError("input", "the mask is transparent nowhere, so nothing may change")
    return ImageOps.fit(ImageOps.invert(opaque), size)


def fit(image: Any, size: tuple[int, int]) -> Any:
    """Crop and resize an image to that size."""
    from PIL import ImageOps

    return ImageOps.fit(image, size)


def _resizes(pipe: Any) -> bool:
    """Return True if the pipeline resizes by itself unless it is told not to, as those of Kontext do."""
    return "_auto_resize" in inspect.signature(pipe.__call__).parameters


def _resize_reference(image: Any) -> Any:
    """Resize an image for FLUX.2 to look at."""
    short, long = sorted(image.size)
    if long > short * MAX_REFERENCE_RATIO:
        raise PipelineError("input", f"an image is more than {MAX_REFERENCE_RATIO} times as long as it is wide")
    part = max(MIN_REFERENCE_SIDE_PIXELS / short, min(1.0, (MAX_REFERENCE_PIXELS / (short * long)) ** 0.5))
    return image if part == 1 else image.resize((round(image.width * part), round(image.height * part)))


def _unchanged(image: Any) -> Any:
    return image


def _png(image: Any) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "PNG", compress_level=1)
    return out.getvalue()


def _is_memory(torch: Any, error: BaseException) -> bool:
    """Return True if memory ran out, which torch reports in several ways."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text for words in ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")
    )


def error_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")
