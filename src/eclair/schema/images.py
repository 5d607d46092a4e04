"""Generated images: requests, models and results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_IMAGES_PER_REQUEST = 10

MAX_PROMPT_CHARS = 4000
"""OpenAI's images API allows at least as many."""

ImageModelState = Literal["ready", "absent", "locked"]
"""Ready to generate; not downloaded; not allowed. The model's `why` says what is missing."""


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """Options for generating images; None leaves a choice to the model. Sizes are in pixels.

    `count` images are generated, with seeds from `seed` on. `style` is the name of a style, and `negative` names what
    must not be seen. `sources` are ids of images and files to edit; the first is changed by `strength`, between 0 and
    1, and where there is a `mask`, an id too, only where that is transparent.
    """

    count: int = 1
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    style: str | None = None
    negative: str = ""
    sources: tuple[str, ...] = ()
    mask: str | None = None
    strength: float | None = None


@dataclass(frozen=True, slots=True)
class ImageModel:
    """A model that generates images. Sizes are in pixels.

    Images are `width` by `height` unless another size is asked for; sides are multiples of `multiple` from `least` to
    `most`. `steps` and `guidance` are its makers' defaults, None where it has no such setting. `edits` says that it
    takes images too, `masks` that it takes a mask, `negative` that it heeds a negative prompt, `previews` that it
    reports previews. `generator` names its backend, `jurisdiction` the country where it runs, None for this machine.
    `drawn` is for a program without a trained model. `why` says what is missing where it is not ready; `installable`
    that nothing but its download is, which has about `bytes`.
    """

    id: str
    name: str
    maker: str
    country: str | None
    generator: str
    license: str
    license_url: str | None = None
    restricted: bool = False
    width: int = 1024
    height: int = 1024
    least: int = 64
    most: int = 2048
    multiple: int = 16
    steps: int | None = None
    guidance: float | None = None
    edits: bool = False
    masks: bool = False
    negative: bool = False
    previews: bool = False
    jurisdiction: str | None = None
    drawn: bool = False
    languages: tuple[str, ...] = ()
    state: ImageModelState = "ready"
    why: str | None = None
    installable: bool = False
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class BackendProgress:
    """`done` of `of` steps are done. `preview` is a small JPEG or PNG of the image so far, where there is one."""

    done: int
    of: int
    preview: bytes | None = None


@dataclass(frozen=True, slots=True)
class UnmarkedImage:
    """An image as a backend returns it: PNG, WebP or JPEG without marks.

    `revised_prompt` is what the model made of the prompt, and `seed` the one that it used, None where it doesn't say.
    """

    image: bytes
    seed: int | None
    revised_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """An image that was generated, marked and stored. Times are milliseconds since 1970, UTC; sizes are in pixels.

    `blob` and `thumbnail` name its bytes and those of its thumbnail; `source` is the first image or file that it was
    edited from. Without a conversation it was generated outside any. `revised_prompt` is what its model made of the
    prompt, or a sentence that says what was drawn; None where the model doesn't say.
    """

    id: str
    owner: str
    conversation: str | None
    created: int
    prompt: str
    model: str
    media: str
    width: int
    height: int
    size: int
    blob: str
    thumbnail: str
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    style: str | None = None
    negative: str = ""
    source: str | None = None
    milliseconds: float | None = None
    revised_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class ImageQueued:
    """`before` images are generated first."""

    before: int


@dataclass(frozen=True, slots=True)
class ImageProgressed:
    """Image number `index` of a job, counted from 0, is being generated and will have the id `picture`.

    `done` of `of` steps are done; `preview` counts its previews, None if the backend has none.
    """

    index: int
    picture: str
    done: int
    of: int
    preview: int | None = None


@dataclass(frozen=True, slots=True)
class ImageFinished:
    """Image number `index` of a job is generated, marked and stored."""

    index: int
    picture: GeneratedImage


ImageUpdate = ImageQueued | ImageProgressed | ImageFinished


def is_image_id(id: str) -> bool:
    """Return True for the id of a generated image, False for that of a file."""
    return id.startswith("pic_")
