"""Port of the web settings that were chosen in the app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWebSettings:
    """Web settings as they were chosen; None leaves a matter to the settings file.

    `services` are the search services in use, `searxng` is the address of that one, `keys` are encrypted, by service.
    `policy` is the mode of the outbound policy, and `hosts` are allowed besides those of the settings file.
    """

    services: tuple[str, ...] | None = None
    searxng: str | None = None
    keys: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    policy: str | None = None
    hosts: tuple[str, ...] = ()


class WebSettingsStore(Protocol):
    """The web settings. They belong to the installation, not to a person, so no method takes a Principal."""

    async def get_web_settings(self) -> StoredWebSettings:
        """Return what was chosen; everything is None or empty where nothing was, or where the row is damaged."""
        ...

    async def edit_web_settings(
        self, principal: Principal, edit: Callable[[StoredWebSettings], StoredWebSettings]
    ) -> StoredWebSettings:
        """Replace the web settings with what `edit` returns for them. Raises any error of `edit`."""
        ...
