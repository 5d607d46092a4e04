"""Port of the branding. Concerns the installation; who may change it is up to the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from eclair.schema.branding import Branding
from eclair.schema.principal import Principal


class BrandingStore(Protocol):
    async def get_branding(self) -> Branding:
        """Return the branding; all of it is None where nothing was chosen, or where the row is damaged."""
        ...

    async def edit_branding(self, principal: Principal, edit: Callable[[Branding], Branding]) -> Branding:
        """Replace the branding with what `edit` returns for it. Raises any error of `edit`."""
        ...
