"""Image jobs: requests that were checked, with every choice made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from eclair.provenance.provenance_report import DEFAULT_QUALITY, ImageForm
from eclair.schema.images import ImageModel, ImageRequest
from eclair.schema.principal import Principal

SEED_COUNT = 1 << 32


@dataclass(frozen=True, slots=True)
class ImageJob:
    """The input of a backend for one image, and where the image goes. Sizes are in pixels.

    `prompt` is the model's prompt, with the words of the style. `request` is the original request, for which the
    service generates `request.count` images with consecutive seeds. `sources` are the bytes of the images to edit, and
    `mask` those of a PNG that is transparent where the first may change. Images that are part of an answer belong to
    `message` in `conversation`; outgoing calls are logged under its `run`. `form` is the file format, None for the
    backend's own, and `quality` its quality from 1 to 100.
    """

    model: ImageModel
    principal: Principal
    prompt: str
    width: int
    height: int
    seed: int
    steps: int | None = None
    guidance: float | None = None
    negative: str = ""
    strength: float | None = None
    sources: tuple[bytes, ...] = field(default=(), repr=False)
    mask: bytes | None = field(default=None, repr=False)
    asked_prompt: str = ""
    request: ImageRequest = field(default_factory=ImageRequest)
    run: str | None = None
    conversation: str | None = None
    message: str | None = None
    form: ImageForm | None = None
    quality: int = DEFAULT_QUALITY

    def with_answer(self, run: str, conversation: str, message: str) -> ImageJob:
        """Return the job as part of an answer."""
        return replace(self, run=run, conversation=conversation, message=message)

    def with_image(self, index: int) -> ImageJob:
        """Return the job for image number `index`, counted from 0."""
        return replace(self, seed=(self.seed + index) % SEED_COUNT)
