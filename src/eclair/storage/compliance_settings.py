"""Port of the compliance settings that were chosen in the app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from eclair.schema.principal import Principal

ComplianceValues = Mapping[str, Any]
"""Values by the names of settings; what isn't there is left to the settings file."""


class ComplianceSettingsStore(Protocol):
    """The compliance settings. They belong to the installation: who may change them is up to the caller."""

    async def get_compliance_settings(self) -> ComplianceValues:
        """Return what was chosen; nothing where the row is damaged."""
        ...

    async def put_compliance_settings(self, principal: Principal, values: ComplianceValues) -> None:
        """Replace what was chosen. The act in the audit log names the settings that differ, without their values."""
        ...
