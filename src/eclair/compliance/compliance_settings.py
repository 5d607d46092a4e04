"""Compliance settings: who answers for this installation, and which uses it warns of.

What the settings file says is fixed; everything else is chosen in the app, stored, and in force at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from eclair.errors import Conflict
from eclair.live_settings import LiveSettings
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.compliance_settings import ComplianceSettingsStore, ComplianceValues
from eclair.storage.open import read_compliance_settings
from eclair.util.log_context import log_admin_act

LAYER: Final = "compliance"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplianceSettings:
    """The settings that can be chosen in the app; docs/configuration.md says what each does."""

    organisation: str | None = None
    organisation_contact: str | None = None
    organisation_country: str | None = None
    data_protection_officer: str | None = None
    use_warnings: Literal["off", "warn", "block"] = "off"
    high_risk_use: bool = False
    works_council: bool = False


NAMES: Final = tuple(spec.name for spec in fields(ComplianceSettings))
_DEFAULTS: Final = ComplianceSettings()
_STORED: Final = TypeAdapter(ComplianceSettings)


class ComplianceSettingsService:
    """Shows and changes the compliance settings, and puts them in force through `live`."""

    def __init__(self, live: LiveSettings, store: ComplianceSettingsStore) -> None:
        self._live = live
        self._store = store

    @property
    def current(self) -> ComplianceSettings:
        return _values(self._live.current)

    @property
    def fixed(self) -> frozenset[str]:
        """The names of what the settings file says, which can't be changed in the app."""
        return fixed_by(self._live.configured)

    async def change(self, principal: Principal, wanted: ComplianceSettings) -> None:
        """Change the settings, at once and for good. Raises Conflict for what the settings file says."""
        current, fixed = self.current, self.fixed
        for name in NAMES:
            if name in fixed and getattr(wanted, name) != getattr(current, name):
                raise Conflict(f"The settings file says {name}; change it there.")
        chosen = {name: getattr(wanted, name) for name in NAMES if name not in fixed}
        stored = {name: value for name, value in chosen.items() if value != getattr(_DEFAULTS, name)}
        await self._store.put_compliance_settings(principal, stored)
        await self.reload()
        log_admin_act("compliance.changed", "The compliance settings were changed.")

    async def reload(self) -> None:
        """Put in force what is stored, where something else than `change` has changed it. Raises StoreError."""
        stored = await self._store.get_compliance_settings()
        self._live.overlay(overlay_of(self._live.configured, stored), LAYER)


def fixed_by(settings: Settings) -> frozenset[str]:
    """Return the names of the settings that the file, or the environment, says."""
    return frozenset(name for name in NAMES if getattr(settings, name) != getattr(_DEFAULTS, name))


def overlay_of(settings: Settings, stored: ComplianceValues) -> Mapping[str, Any]:
    """Return the settings that the stored choices replace, where `settings` don't say them."""
    known = {name: value for name, value in stored.items() if name in NAMES}
    try:
        chosen = _STORED.validate_python(known)
    except ValidationError:  # no Éclair writes this
        return {}
    fixed = fixed_by(settings)
    return {name: getattr(chosen, name) for name in known if name not in fixed}


def with_compliance_settings(settings: Settings) -> Settings:
    """Return the settings with what was chosen in the app, for commands without a server. Raises StoreError."""
    return replace(settings, **overlay_of(settings, read_compliance_settings(settings)))


def _values(settings: Settings) -> ComplianceSettings:
    return ComplianceSettings(**{name: getattr(settings, name) for name in NAMES})
