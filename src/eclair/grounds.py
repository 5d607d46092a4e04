"""What an answer can rest on: the port between the assistant and its sources. It finds nothing itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.citations import Checker
from eclair.engines.base import Engine, Model
from eclair.events import Remarked, SourceFound, StepFinished, StepStarted
from eclair.messages import Citation, Passage

Finding = StepStarted | StepFinished | SourceFound | Remarked


@dataclass(frozen=True, slots=True)
class Quoted:
    """Words with which an answer begins: `text`, of which `citation` is where they stand; its place is in `text`."""

    text: str
    citation: Citation


class Grounds(Protocol):
    """What an answer can rest on: its sources, found and checked against."""

    def gather(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Find the passages, as many as the model does well with, which may be asked for notes. Raises EclairError
        where nothing can be found out."""
        ...

    def notes(self) -> Sequence[str]:
        """Notes on what was too long to be shown, each with the numbers of the passages that say so."""
        ...

    async def lead(self, model: Model) -> Sequence[Quoted]:
        """What is quoted before the model's words; nothing for a model that reads well enough by itself."""
        ...

    def suffice(self) -> bool:
        """Whether what is quoted is the answer, so that the model is not asked."""
        ...

    def checker(self, passages: Sequence[Passage]) -> Checker: ...
