"""The port: whatever makes pictures is a `Generator`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, runtime_checkable

from eclair.schema.images import Drawn, Job, PictureModel, Progress
from eclair.schema.principal import Principal


class Generator(Protocol):
    """Has models that make pictures. `name` is what `PictureModel.generator` calls it."""

    @property
    def name(self) -> str: ...

    async def models(self) -> Sequence[PictureModel]:
        """Those that can draw now, and those that could, with what is missing. Never raises for one that is down."""
        ...

    def draw(
        self, model: PictureModel, job: Job, principal: Principal, run: str | None
    ) -> AsyncGenerator[Progress | Drawn, None]:
        """Make one picture: progress, and at last what was drawn. Closing what comes back stops the work within a step.

        `principal` and `run` are for whom calls to elsewhere are put down. Raises UserError for what the model does not
        make, SetupError for what is missing here, and UpstreamError for what fails there.
        """
        ...

    async def close(self) -> None:
        """End what it has started."""
        ...


@runtime_checkable
class PromptChecker(Protocol):
    """A generator that knows before it begins which prompts it can draw."""

    async def check(self, job: Job, principal: Principal) -> None:
        """Raise InvalidInput for a prompt that cannot be drawn."""
        ...
