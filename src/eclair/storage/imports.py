"""Port of uploaded exports that wait to be imported, at whichever server the next request comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from eclair.schema.principal import Principal
from eclair.storage.libraries import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingImport:
    """An uploaded export, whose bytes are a blob. Times are in milliseconds.

    `libraries` are those that an attempt which was broken off has made, by their ids in the export, as
    `StagedImport.added_libraries` has them.
    """

    id: str
    owner: str
    name: str
    blob: str
    created: int
    expires: int
    libraries: Mapping[str, Library] = field(default_factory=dict[str, Library])


class ImportStore(Protocol):
    async def add_import(self, principal: Principal, waiting: WaitingImport) -> None:
        """Add an export whose blob is stored."""
        ...

    async def get_import(self, principal: Principal, id: str) -> WaitingImport:
        """Return an export, which may have expired. Raises NotFound."""
        ...

    async def list_imports(self, principal: Principal) -> list[WaitingImport]:
        """List the principal's exports, the oldest first."""
        ...

    async def note_libraries(self, principal: Principal, id: str, libraries: Mapping[str, Library]) -> None:
        """Note which libraries an attempt has made; nothing where the export is gone."""
        ...

    async def delete_import(self, principal: Principal, id: str) -> None:
        """Delete an export; its blob may be another's too. Raises NotFound."""
        ...

    async def list_expired_imports(self, now: int) -> list[WaitingImport]:
        """List everybody's exports that have expired."""
        ...

    async def list_import_blobs(self) -> set[str]:
        """List the blobs of everybody's exports."""
        ...
