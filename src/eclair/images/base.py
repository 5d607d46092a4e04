"""The port: an `ImageBackend` generates images."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, runtime_checkable

from eclair.images.job import ImageJob
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage


class ImageBackend(Protocol):
    """Generates images with its models. `name` is what `ImageModel.generator` calls it."""

    @property
    def name(self) -> str: ...

    async def models(self) -> Sequence[ImageModel]:
        """Return models that are ready, and others with what they lack. Never raises because a server is down."""
        ...

    def generate(self, job: ImageJob) -> AsyncGenerator[BackendProgress | UnmarkedImage, None]:
        """Generate one image: yield progress, and the image last. Closing the stream stops the work within a step.

        Raises UserError for what the model can't do, SetupError for what is missing here, and UpstreamError for what
        fails elsewhere.
        """
        ...

    async def close(self) -> None:
        """Stop what it has started."""
        ...


@runtime_checkable
class PromptChecker(Protocol):
    """A backend that knows in advance which prompts it can draw."""

    async def check(self, job: ImageJob) -> None:
        """Raise InvalidInput for a prompt that it can't draw."""
        ...
