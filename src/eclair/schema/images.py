"""What is drawn, by what, and what comes of it, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MOST_AT_ONCE = 10
"""Pictures that one wish may ask for."""

LONGEST_PROMPT = 4000
"""Characters of a prompt, as OpenAI's images API has it at the least."""

State = Literal["ready", "absent", "locked"]
"""It can draw; its weights have to be pulled first; it is not allowed to, for which `why` says what is missing."""


@dataclass(frozen=True, slots=True)
class PictureModel:
    """A model that makes pictures. Sizes are in pixels.

    Pictures are `width` by `height` unless another size is asked for, and then sides are multiples of `multiple`
    between `least` and `most`. `steps` and `guidance` are what its makers advise, None where it has no such thing.
    `edits` says that it takes pictures too, `masks` that it takes a mask, `negative` that it heeds what is not to be
    seen, `previews` that it can be watched. `jurisdiction` is the country where it runs, None for this machine.
    `drawn` is for one that no pictures taught: what it makes is put together from drawings.
    """

    id: str
    name: str
    maker: str
    country: str | None
    generator: str
    licence: str
    licence_url: str | None = None
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
    state: State = "ready"
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to be made, with nothing left open but what the model does not have. `sources` are the bytes of the
    pictures that are edited and `mask` those of a PNG that is transparent where the first may change."""

    prompt: str
    width: int
    height: int
    seed: int
    steps: int | None = None
    guidance: float | None = None
    negative: str = ""
    sources: tuple[bytes, ...] = ()
    mask: bytes | None = None
    strength: float | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many pictures are made first."""

    before: int


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `of` steps are done. `preview` is the picture so far, small, as JPEG or PNG, where it can be had."""

    done: int
    of: int
    preview: bytes | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """The picture, as PNG, WebP or JPEG without marks. `revised_prompt` is what the model made of the words, where it
    says so, and `seed` the one that it used, None where it does not tell."""

    image: bytes
    seed: int | None
    revised_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was made and is kept, marked. Times are milliseconds since 1970, UTC; sizes are in pixels.

    `blob` and `thumbnail` name its bytes and those of a small one; `source` is the first picture or file that it was
    edited from. Without a conversation it was made outside any. `revised_prompt` is what its model made of the words,
    or a sentence that says what was drawn, None where the model does not tell.
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
class Underway:
    """Picture number `index` of a wish, counted from 0, is being made and will have the id `picture`. `done` of `of`
    steps are done; `preview` counts the looks at it, None where there are none."""

    index: int
    picture: str
    done: int
    of: int
    preview: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """Picture number `index` of a wish is made, marked and kept."""

    index: int
    picture: Picture
