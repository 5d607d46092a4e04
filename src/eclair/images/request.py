"""Wishes become jobs: what a model does not make is refused in a sentence, and what was left open is filled in."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from math import sqrt

from eclair.errors import InvalidInput, TooLarge
from eclair.images.styles import style
from eclair.schema.images import LONGEST_PROMPT, MOST_AT_ONCE, Job, PictureModel
from eclair.schema.messages import Wish

SEEDS = 1 << 32
MOST_SOURCES = 16
MOST_STEPS = 200
WIDEST_SHAPE = 8
"""How many times its shorter side the longer one of a picture may be, where nobody says its size."""


def check(model: PictureModel, prompt: str, wish: Wish, sources: int, *, masked: bool) -> None:
    """Raises InvalidInput and TooLarge for what cannot be wished for, or not of this model."""
    if not prompt.strip():
        raise InvalidInput("It is not said what the picture is to show; write it.", param="prompt")
    for name, text in (("prompt", prompt), ("negative", wish.negative)):
        if len(text) > LONGEST_PROMPT:
            raise TooLarge(f"The {name} has {len(text):,} characters; the limit is {LONGEST_PROMPT:,}.", param=name)
    _within("count", wish.count, 1, MOST_AT_ONCE)
    _within("steps", wish.steps, 1, MOST_STEPS)
    _within("seed", wish.seed, 0, SEEDS - 1)
    _within("guidance", wish.guidance, 0, 100)
    _within("strength", wish.strength, 0, 1)
    _check_features(model, wish)
    if sources and not model.edits:
        raise InvalidInput(f"{model.name} makes pictures from words alone; choose a model that edits.", param="model")
    if sources > MOST_SOURCES:
        raise InvalidInput(f"There are {sources} pictures to edit; send {MOST_SOURCES} at most.", param="sources")
    if masked and not model.masks:
        raise InvalidInput(f"{model.name} takes no mask; leave it out.", param="mask")
    if not sources and (masked or wish.strength is not None):
        name = "mask" if masked else "strength"
        raise InvalidInput(f"Only where a picture is edited is there a {name}; leave it out.", param=name)


def _check_features(model: PictureModel, wish: Wish) -> None:
    """Raises InvalidInput for what the model does not have."""
    if wish.steps is not None and model.steps is None:
        raise InvalidInput(f"{model.name} has no steps to choose; leave `steps` out.", param="steps")
    if wish.guidance is not None and model.guidance is None:
        raise InvalidInput(f"{model.name} has no guidance to choose; leave `guidance` out.", param="guidance")
    if wish.negative.strip() and not model.negative:
        raise InvalidInput(
            f"{model.name} does not heed what is not to be seen; leave `negative` out.", param="negative"
        )
    if wish.style is not None:
        style(wish.style)
        if model.drawn:
            raise InvalidInput(f"{model.name} draws in its own style; leave `style` out.", param="style")


def size(model: PictureModel, wish: Wish, source: tuple[int, int] | None) -> tuple[int, int]:
    """The size of the picture: as it is wished, or that of the `source` as far as the model goes, or the model's own.
    Raises InvalidInput for one that the model does not make."""
    if wish.width is None and wish.height is None:
        return (model.width, model.height) if source is None else _like(model, source)
    width = wish.width if wish.width is not None else model.width
    height = wish.height if wish.height is not None else model.height
    near = _rounded(model, width), _rounded(model, height)
    if (width, height) != near:
        raise InvalidInput(
            f"{model.name} makes pictures whose sides are multiples of {model.multiple} from {model.least} to "
            f"{model.most} pixels, not {width} × {height}; ask for {near[0]} × {near[1]}.",
            param="width" if width != near[0] else "height",
        )
    return width, height


def shaped(model: PictureModel, shape: float, pixels: int | None = None) -> tuple[int, int]:
    """The size of a picture `shape` times as wide as it is high, of about so many pixels, or as many as the model makes
    at best."""
    pixels = pixels if pixels is not None else model.width * model.height
    return _rounded(model, sqrt(pixels * shape)), _rounded(model, sqrt(pixels / shape))


def job(
    model: PictureModel,
    prompt: str,
    wish: Wish,
    of: tuple[int, int],
    sources: Sequence[bytes] = (),
    mask: bytes | None = None,
) -> Job:
    """The first picture of a wish that was checked, `of` that size; a seed is drawn where none is wished."""
    words = prompt.strip()
    if wish.style is not None:
        words = f"{words.rstrip(' .,;')}, {style(wish.style).suffix}"
    return Job(
        prompt=words,
        width=of[0],
        height=of[1],
        seed=wish.seed if wish.seed is not None else secrets.randbelow(SEEDS),
        steps=wish.steps if wish.steps is not None else model.steps,
        guidance=wish.guidance if wish.guidance is not None else model.guidance,
        negative=wish.negative.strip(),
        sources=tuple(sources),
        mask=mask,
        strength=wish.strength,
    )


def _like(model: PictureModel, source: tuple[int, int]) -> tuple[int, int]:
    """The shape of a picture in as many pixels as the model makes at best, or as that has."""
    shape = min(WIDEST_SHAPE, max(1 / WIDEST_SHAPE, source[0] / source[1]))
    return shaped(model, shape, min(model.width * model.height, source[0] * source[1]))


def _rounded(model: PictureModel, length: float) -> int:
    """The nearest side that the model makes."""
    least = -(-model.least // model.multiple)
    return min(model.most // model.multiple, max(least, round(length / model.multiple))) * model.multiple


def _within(name: str, value: float | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidInput(f"The field {name!r} is a number from {least} to {most:,}, not {value:g}.", param=name)
