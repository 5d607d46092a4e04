"""Port of canvases. Versions are only ever added; they go with their canvas, and that with its conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eclair.schema.canvases import Canvas, CanvasVersion, NewCanvasVersion
from eclair.schema.principal import Principal


class CanvasStore(Protocol):
    async def add_canvas(
        self, principal: Principal, canvas: Canvas, versions: Sequence[tuple[CanvasVersion, str]]
    ) -> None:
        """Add a canvas with its versions and their texts. Raises NotFound for another's conversation, and Conflict."""
        ...

    async def list_canvases(self, principal: Principal, conversation: str | None = None) -> list[Canvas]:
        """List canvases, the one changed last first: those of a conversation, or all. Raises NotFound."""
        ...

    async def get_canvas(self, principal: Principal, id: str) -> Canvas:
        """Return a canvas. Raises NotFound, also once its conversation was deleted."""
        ...

    async def list_versions(self, principal: Principal, id: str) -> list[CanvasVersion]:
        """List the versions of a canvas, oldest first. Raises NotFound."""
        ...

    async def get_version(self, principal: Principal, id: str, number: int) -> tuple[CanvasVersion, str]:
        """Return a version and its text. Raises NotFound, and DataDamaged."""
        ...

    async def add_version(self, principal: Principal, id: str, new: NewCanvasVersion) -> tuple[Canvas, CanvasVersion]:
        """Add a version, and return it with the canvas after it.

        It becomes the current one only if it was made from the current one. A text that is its parent's adds nothing,
        and the parent is returned. Raises NotFound.
        """
        ...

    async def edit_canvas(
        self, principal: Principal, id: str, *, title: str | None = None, language: str | None = None
    ) -> Canvas:
        """Change what isn't None. Raises NotFound."""
        ...

    async def name_version(self, principal: Principal, id: str, number: int, name: str) -> CanvasVersion:
        """Name a version; an empty name takes it away. Raises NotFound."""
        ...

    async def delete_canvas(self, principal: Principal, id: str) -> None:
        """Erase a canvas with all its versions. Raises NotFound, and Conflict while a legal hold is on it."""
        ...
