"""A pipeline of diffusers at work: loads it from a folder, draws with it, and stops between two of its blocks."""

from __future__ import annotations

import errno
import gc
import importlib
import inspect
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eclair.images.backends.diffusers import families, layout, weights
from eclair.images.backends.diffusers.families import Family
from eclair.images.backends.diffusers.layout import Layout, TooLarge
from eclair.images.backends.diffusers.previews import Previews
from eclair.images.backends.diffusers.wire import Draw, Load, Loaded, Trouble

AVOIDING = 4.0
"""How much stronger what is wanted pulls than what is not to be seen: twice the work for each step."""

CHANGED = 0.6
"""How much of a picture is changed unless the wish says so."""

LARGEST = 64_000_000
"""Pixels of a picture that is edited."""

REFERENCE = 2_000_000
SHORTEST, LONGEST = 64, 8
"""Pixels to which a picture is made smaller that FLUX.2 looks at, those of its shorter side at the least, and how many
times as long the other may be."""

SMALL = 512 * 512
"""Pixels of a picture below which Kontext takes what it edits in the same size, not in one that it was taught with."""

Check = Callable[[], None]
Tell = Callable[[int, int, bytes], None]
"""How many steps of how many are done, and the picture so far."""


class Fault(Exception):
    """What to tell; the message is for the middle of a sentence."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble: Trouble = trouble
        self.message = message


class Painter:
    def __init__(self, torch: Any, diffusers: Any, pipe: Any, family: Family, laid: Layout, check: Check) -> None:
        self.loaded = Loaded(laid.device, laid.numbers, laid.offload, stops=True)
        self._torch = torch
        self._diffusers = diffusers
        self._pipe = pipe
        self._family = family
        self._check = check
        self._previews: Previews | None = None
        self._clean: Any = None
        self._watch()

    @classmethod
    def load(cls, order: Load, check: Check, bound: Callable[[int], None]) -> Painter:
        """`check` is called between any two blocks of a network, and raises what is to end a drawing. `bound` bounds
        the memory, once the libraries have theirs. Raises Fault."""
        folder = Path(order.path)
        try:
            index = families.read(folder)
            parts = weights.count(folder, index.parts)
        except (OSError, ValueError) as error:
            raise Fault("damaged", getattr(error, "strerror", None) or str(error)) from error
        torch, diffusers = _libraries(index.family)
        bound(order.memory)
        try:
            laid = layout.choose(parts, layout.look(torch, order.device, order.memory))
            pipe = _opened(torch, diffusers, folder, index.family, laid)
        except (TooLarge, MemoryError, torch.OutOfMemoryError) as error:
            raise Fault("memory", str(error) or "there is too little memory for it") from error
        except Exception as error:  # diffusers, transformers and safetensors raise whatever they like on damaged files
            if _is_memory(torch, error):
                raise Fault("memory", "there is too little memory for it") from error
            raise Fault("damaged", line(error)) from error
        return cls(torch, diffusers, pipe, index.family, laid, check)

    def draw(self, order: Draw, tell: Tell) -> bytes:
        """The picture as PNG. Raises Fault, and what the check raises."""
        torch = self._torch
        try:
            pipe, arguments, after = self._prepared(order)
            if self._previews is None:
                self._previews = Previews(torch, self._pipe)
            with torch.inference_mode():
                image = pipe(
                    prompt=order.prompt,
                    width=order.width,
                    height=order.height,
                    num_inference_steps=order.steps,
                    guidance_scale=order.guidance,
                    generator=torch.Generator("cpu").manual_seed(order.seed),
                    callback_on_step_end=self._told(order, tell),
                    **arguments,
                ).images[0]
            return _png(after(image))
        except Exception as error:
            if _is_memory(torch, error):
                raise Fault("memory", f"{order.width} × {order.height} took more memory than there is") from error
            raise
        finally:
            self._clean = None
            self._pipe.maybe_free_model_hooks()
            gc.collect()
            if self.loaded.device.startswith("cuda"):
                torch.cuda.empty_cache()

    def _prepared(self, order: Draw) -> tuple[Any, dict[str, Any], Callable[[Any], Any]]:
        """The pipeline that draws this, what it is told beside the usual, and what is done with its picture."""
        family, arguments = self._family, dict[str, Any]()
        blobs = order.blobs[:-1] if order.masked else order.blobs
        if order.negative and family.negative:
            arguments |= {"negative_prompt": order.negative, "true_cfg_scale": AVOIDING}
        if hasattr(self._pipe, "text_encoder_2"):  # the distilled one was taught with half as many words
            arguments["max_sequence_length"] = 512 if self._pipe.transformer.config.guidance_embeds else 256
        size = (order.width, order.height)
        if _resizes(self._pipe):  # unless it is told how large pictures are it makes all of them a million pixels
            arguments["max_area"] = order.width * order.height
        if not blobs:
            return self._pipe, arguments, _as_it_is
        if len(blobs) > family.several:
            raise Fault("input", f"it takes {family.several} at a time, and there are {len(blobs)} pictures")
        images = [opened_picture(blob) for blob in blobs]
        if order.masked:
            if family.masks is None:
                raise Fault("input", "it takes no mask")
            return self._masked(family.masks, images, order, arguments)
        pipe = self._other(family.edits)
        if not family.refers:
            arguments |= {"image": fitted(images[0], size), "strength": _strength(order, CHANGED)}
        elif _resizes(pipe):
            small = order.width * order.height < SMALL
            arguments |= {"image": fitted(images[0], size) if small else images[0], "_auto_resize": not small}
        else:
            arguments["image"] = [_looked_at(image) for image in images]
        return pipe, arguments, _as_it_is

    def _masked(
        self, name: str, images: list[Any], order: Draw, arguments: dict[str, Any]
    ) -> tuple[Any, dict[str, Any], Callable[[Any], Any]]:
        from PIL import Image

        size = (order.width, order.height)
        first, mask = fitted(images[0], size), mask_of(order.blobs[-1], size)
        pipe = self._other(name)
        arguments |= {"image": first, "mask_image": mask, "strength": _strength(order, 1.0)}
        if _resizes(pipe):
            arguments |= {"_auto_resize": False, "max_area": order.width * order.height}
        return pipe, arguments, lambda image: Image.composite(image.convert("RGB"), first, mask)

    def _other(self, name: str) -> Any:
        """A pipeline of that name on the same networks."""
        if name == type(self._pipe).__name__:
            return self._pipe
        kind = getattr(self._diffusers, name)
        has = {**self._pipe.components, **dict(self._pipe.config)}
        wants = [each for each in inspect.signature(kind.__init__).parameters if each in has]
        return kind(**{each: self._pipe.components.get(each, has[each]) for each in wants})

    def _told(self, order: Draw, tell: Tell) -> Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]:
        def told(pipe: Any, step: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            del time
            tokens = self._clean if self._clean is not None else tensors["latents"]
            assert self._previews is not None
            tell(step + 1, int(pipe.num_timesteps), self._previews.picture(tokens, order.width, order.height))
            self._check()
            return {}

        return told

    def _before(self, block: Any, given: Any) -> None:
        del block, given
        self._check()

    def _watch(self) -> None:
        """Check before each block of each network, and keep what the model takes the picture to be at each step."""
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
            self._clean = sample - noise * output
            return after

        scheduler.step = kept


def _libraries(family: Family) -> tuple[Any, Any]:
    """torch and diffusers, with all that the family's pipelines are of. Raises Fault."""
    try:
        torch, diffusers = (importlib.import_module(name) for name in ("torch", "diffusers"))
        for name in (family.draws, family.edits, family.masks):
            if name is not None:
                getattr(diffusers, name)
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        raise Fault("missing", line(error)) from error
    diffusers.utils.logging.disable_progress_bar()
    return torch, diffusers


def _opened(torch: Any, diffusers: Any, folder: Path, family: Family, laid: Layout) -> Any:
    kind = getattr(diffusers, family.draws)
    pipe = kind.from_pretrained(
        str(folder), dtype=getattr(torch, laid.numbers), local_files_only=True, use_safetensors=True
    )
    match laid.offload:
        case "none":
            pipe.to(laid.device)
        case "parts":
            pipe.enable_model_cpu_offload(device=laid.device)
        case "pieces":
            pipe.enable_sequential_cpu_offload(device=laid.device)
    if laid.offload != "none":
        pipe.vae.enable_tiling()
    return pipe


def _strength(order: Draw, usual: float) -> float:
    """How much is changed: everything, or so much less that at least the first step, which hides all, is left out."""
    strength = usual if order.strength is None else order.strength
    return strength if strength == 1 or order.steps == 1 else min(strength, 1 - 1 / order.steps - 1e-6)


def opened_picture(blob: bytes) -> Any:
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(blob)) as opened:
            if opened.width * opened.height > LARGEST:
                raise Fault("input", f"a picture has more than {LARGEST // 1_000_000} million pixels")
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Fault("input", "a picture cannot be read") from error


def mask_of(blob: bytes, size: tuple[int, int]) -> Any:
    """White where the picture may change, which is where `blob` is transparent."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(blob)) as opened:
            if opened.width * opened.height > LARGEST:
                raise Fault("input", f"the mask has more than {LARGEST // 1_000_000} million pixels")
            opaque = opened.convert("RGBA").getchannel("A")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Fault("input", "the mask cannot be read") from error
    if opaque.getextrema()[0] == 255:
        raise Fault("input", "the mask has no transparent place, so that nothing may change")
    return ImageOps.fit(ImageOps.invert(opaque), size)


def fitted(image: Any, size: tuple[int, int]) -> Any:
    from PIL import ImageOps

    return ImageOps.fit(image, size)


def _resizes(pipe: Any) -> bool:
    """Whether a pipeline chooses sizes by itself unless it is told not to, as those of Kontext do."""
    return "_auto_resize" in inspect.signature(pipe.__call__).parameters


def _looked_at(image: Any) -> Any:
    """A picture in a size that FLUX.2 looks at."""
    short, long = sorted(image.size)
    if long > short * LONGEST:
        raise Fault("input", f"a picture is more than {LONGEST} times as long as it is wide")
    part = max(SHORTEST / short, min(1.0, (REFERENCE / (short * long)) ** 0.5))
    return image if part == 1 else image.resize((round(image.width * part), round(image.height * part)))


def _as_it_is(image: Any) -> Any:
    return image


def _png(image: Any) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "PNG", compress_level=1)
    return out.getvalue()


def _is_memory(torch: Any, error: BaseException) -> bool:
    """Whether memory ran out; torch says so in several ways."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text for words in ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")
    )


def line(error: BaseException) -> str:
    """What an error says, in one line."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")
