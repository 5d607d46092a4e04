"""Turns image requests into jobs: checks them and fills in open choices."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from math import sqrt

from eclair.errors import InvalidInput, TooLarge
from eclair.images.job import SEED_COUNT, ImageJob
from eclair.images.styles import find_style
from eclair.schema.images import MAX_IMAGES_PER_REQUEST, MAX_PROMPT_CHARS, ImageModel, ImageRequest
from eclair.schema.principal import Principal

MAX_SOURCES = 16
MAX_STEPS = 200
MAX_ASPECT_RATIO = 8
"""Longer side to shorter side, where nobody says the size."""


def check_request(model: ImageModel, prompt: str, request: ImageRequest, source_count: int, *, has_mask: bool) -> None:
    """Raise InvalidInput or TooLarge for what can't be asked for, or not of this model."""
    if not prompt.strip():
        raise InvalidInput("The prompt is empty; describe the image.", param="prompt")
    for name, text in (("prompt", prompt), ("negative", request.negative)):
        if len(text) > MAX_PROMPT_CHARS:
            raise TooLarge(f"The {name} has {len(text):,} characters; the limit is {MAX_PROMPT_CHARS:,}.", param=name)
    _check_range("count", request.count, 1, MAX_IMAGES_PER_REQUEST)
    _check_range("steps", request.steps, 1, MAX_STEPS)
    _check_range("seed", request.seed, 0, SEED_COUNT - 1)
    _check_range("guidance", request.guidance, 0, 100)
    _check_range("strength", request.strength, 0, 1)
    _check_features(model, request)
    if source_count and not model.edits:
        raise InvalidInput(f"{model.name} can't edit images; choose a model that does.", param="model")
    if source_count > MAX_SOURCES:
        raise InvalidInput(f"There are {source_count} images to edit; send at most {MAX_SOURCES}.", param="sources")
    if has_mask and not model.masks:
        raise InvalidInput(f"{model.name} takes no mask; leave it out.", param="mask")
    if not source_count and (has_mask or request.strength is not None):
        name = "mask" if has_mask else "strength"
        raise InvalidInput(f"A {name} needs an image to edit; add one, or leave it out.", param=name)


def _check_features(model: ImageModel, request: ImageRequest) -> None:
    """Raise InvalidInput for settings that the model doesn't have."""
    if request.steps is not None and model.steps is None:
        raise InvalidInput(f"{model.name} has no setting for steps; leave `steps` out.", param="steps")
    if request.guidance is not None and model.guidance is None:
        raise InvalidInput(f"{model.name} has no setting for guidance; leave `guidance` out.", param="guidance")
    if request.negative.strip() and not model.negative:
        raise InvalidInput(f"{model.name} takes no negative prompt; leave `negative` out.", param="negative")
    if request.style is not None:
        find_style(request.style)
        if model.drawn:
            raise InvalidInput(f"{model.name} has a style of its own; leave `style` out.", param="style")


def resolve_size(model: ImageModel, request: ImageRequest, source: tuple[int, int] | None) -> tuple[int, int]:
    """Return the requested size, or that of the `source` as far as the model goes, or the model's default.

    Raises InvalidInput for a size that the model can't generate.
    """
    if request.width is None and request.height is None:
        return (model.width, model.height) if source is None else _size_like(model, source)
    width = request.width if request.width is not None else model.width
    height = request.height if request.height is not None else model.height
    nearest = _nearest_side(model, width), _nearest_side(model, height)
    if (width, height) != nearest:
        raise InvalidInput(
            f"{model.name} generates sides that are multiples of {model.multiple} from {model.least} to {model.most} "
            f"pixels, not {width} × {height}; ask for {nearest[0]} × {nearest[1]}.",
            param="width" if width != nearest[0] else "height",
        )
    return width, height


def size_for_shape(model: ImageModel, ratio: float, pixels: int | None = None) -> tuple[int, int]:
    """Return a size with width to height in that `ratio`, of about `pixels` or the model's default area."""
    pixels = pixels if pixels is not None else model.width * model.height
    return _nearest_side(model, sqrt(pixels * ratio)), _nearest_side(model, sqrt(pixels / ratio))


def build_job(
    model: ImageModel,
    principal: Principal,
    prompt: str,
    request: ImageRequest,
    size: tuple[int, int],
    sources: Sequence[bytes] = (),
    mask: bytes | None = None,
) -> ImageJob:
    """Build the job of a request that was checked. Without a requested seed, one is drawn at random."""
    words = prompt.strip()
    if request.style is not None:
        words = f"{words.rstrip(' .,;')}, {find_style(request.style).suffix}"
    return ImageJob(
        model=model,
        principal=principal,
        prompt=words,
        width=size[0],
        height=size[1],
        seed=request.seed if request.seed is not None else secrets.randbelow(SEED_COUNT),
        steps=request.steps if request.steps is not None else model.steps,
        guidance=request.guidance if request.guidance is not None else model.guidance,
        negative=request.negative.strip(),
        strength=request.strength,
        sources=tuple(sources),
        mask=mask,
        asked_prompt=prompt.strip(),
        request=request,
    )


def _size_like(model: ImageModel, source: tuple[int, int]) -> tuple[int, int]:
    """Return a size in the source's proportions, with the model's default area or, if that is smaller, the source's."""
    ratio = min(MAX_ASPECT_RATIO, max(1 / MAX_ASPECT_RATIO, source[0] / source[1]))
    return size_for_shape(model, ratio, min(model.width * model.height, source[0] * source[1]))


def _nearest_side(model: ImageModel, length: float) -> int:
    smallest = -(-model.least // model.multiple)
    return min(model.most // model.multiple, max(smallest, round(length / model.multiple))) * model.multiple


def _check_range(name: str, value: float | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidInput(f"The field {name!r} is a number from {least} to {most:,}, not {value:g}.", param=name)
