"""`/api/sign-in-providers`: the identity providers of the settings, and whether each answers now."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.identity.provider_checks import ProviderFault, ProviderKind, check_providers


class CheckedProvider(BaseModel):
    """A provider, as it was found now; `fault` is null where all is well. `detail` is a sentence for administrators."""

    id: str
    name: str
    kind: ProviderKind
    detail: str
    fault: ProviderFault | None
    seconds: int | None
    expires: int | None


class CheckedProviders(BaseModel):
    """All providers, and whether a second step is required of everybody."""

    second_step: Literal["optional", "required"]
    providers: list[CheckedProvider]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/sign-in-providers", tags=["session"])

    @api.get("")
    async def check_sign_in_providers() -> CheckedProviders:
        found = await check_providers(app.identity, time.time())
        return CheckedProviders(
            second_step=app.settings.second_step,
            providers=[
                CheckedProvider(**{name: getattr(each, name) for name in CheckedProvider.model_fields})
                for each in found
            ],
        )

    return api
