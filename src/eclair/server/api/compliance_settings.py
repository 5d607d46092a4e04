"""`/api/compliance/settings`: who answers for this installation, and which uses it warns of."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from eclair.app import App
from eclair.compliance.compliance_settings import NAMES, ComplianceSettings
from eclair.server.api.preferences import PreferenceText
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody


def _none_if_blank(text: str | None) -> str | None:
    return (text or "").strip() or None


ContactText = Annotated[PreferenceText, Field(max_length=500)]
Country = Annotated[str, Field(pattern="^([A-Z]{2})?$")]


class ComplianceSettingsBody(BaseModel):
    """The settings in force, and the names of those that the settings file says, which can't be changed here."""

    organisation: str | None
    organisation_contact: str | None
    organisation_country: str | None
    data_protection_officer: str | None
    use_warnings: Literal["off", "warn", "block"]
    high_risk_use: bool
    works_council: bool
    fixed: list[str]


class NewComplianceSettings(RequestBody):
    """All settings; a text that is left out or empty is none."""

    organisation: Annotated[Annotated[PreferenceText, Field(max_length=200)] | None, AfterValidator(_none_if_blank)] = (
        None
    )
    organisation_contact: Annotated[ContactText | None, AfterValidator(_none_if_blank)] = None
    organisation_country: Annotated[Country | None, AfterValidator(_none_if_blank)] = None
    data_protection_officer: Annotated[ContactText | None, AfterValidator(_none_if_blank)] = None
    use_warnings: Literal["off", "warn", "block"] = "off"
    high_risk_use: bool = False
    works_council: bool = False


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/compliance/settings", tags=["compliance"])
    service = app.compliance_settings

    def body() -> ComplianceSettingsBody:
        current = service.current
        return ComplianceSettingsBody(**{name: getattr(current, name) for name in NAMES}, fixed=sorted(service.fixed))

    @api.get("")
    async def read_compliance_settings() -> ComplianceSettingsBody:
        return body()

    @api.put("")
    async def put_compliance_settings(principal: Caller, new: NewComplianceSettings) -> ComplianceSettingsBody:
        await service.change(principal, ComplianceSettings(**{name: getattr(new, name) for name in NAMES}))
        return body()

    return api
