"""Port of SCIM resources: people and groups as a directory provisions them. Concerns the installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

ScimType = Literal["User", "Group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimRecord:
    """A resource of a directory. `id` is that of the person or group, `body` its JSON.

    `name` is what its type is unique by, in lower case. Times are in milliseconds; `version` grows with each change.
    """

    id: str
    type: ScimType
    name: str
    external_id: str | None
    body: str
    version: int
    created: int
    modified: int


class ScimStore(Protocol):
    async def add_resource(self, record: ScimRecord) -> None:
        """Add a resource. Raises Conflict where its type has one of that name."""
        ...

    async def get_resource(self, type: ScimType, id: str) -> ScimRecord:
        """Return a resource. Raises NotFound."""
        ...

    async def list_resources(
        self, type: ScimType, name: str | None = None, external_id: str | None = None
    ) -> list[ScimRecord]:
        """List resources by id: all of a type, or those with a name or the directory's own id."""
        ...

    async def count_resources(self, type: ScimType) -> int: ...

    async def replace_resource(self, record: ScimRecord, version: int) -> bool:
        """Replace a resource of that version; False where it has another by now. Raises NotFound and Conflict."""
        ...

    async def delete_resource(self, type: ScimType, id: str) -> None:
        """Forget a resource. Raises NotFound."""
        ...
