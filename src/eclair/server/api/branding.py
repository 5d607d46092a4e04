"""`/api/branding`: name, notice, accent color and logo of the house. The last two are shown to strangers too."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from eclair.app import App
from eclair.errors import NotFound, TooLarge
from eclair.images.logo_maker import MAX_LOGO_BYTES
from eclair.policy.accent import DARK_GROUNDS, LIGHT_GROUNDS, AccentShade, accent_style, adjust_accent
from eclair.policy.branding_service import MAX_NAME_CHARS, MAX_NOTICE_CHARS
from eclair.server.api.preferences import PreferenceText
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

CACHED = {"Cache-Control": "public, max-age=31536000, immutable"}
"""The page asks for both by an address that changes with them."""


class AccentShadeBody(BaseModel):
    """The accent color as a theme has it, the theme's usual ground, and the lowest contrast with all of its grounds."""

    color: str
    ground: str
    contrast: float


class BrandingBody(BaseModel):
    """The branding in force. `logo` is its digest; `fixed` names what the settings say, which can't be changed here.

    `light` and `dark` are the accent color, adjusted until text in it can be read.
    """

    name: str | None
    notice: str | None
    accent: str | None
    light: AccentShadeBody | None
    dark: AccentShadeBody | None
    logo: str | None
    fixed: list[str]


class BrandingRequest(RequestBody):
    """Name, notice and accent color (`#rrggbb`); null removes one."""

    name: Annotated[PreferenceText, Field(min_length=1, max_length=MAX_NAME_CHARS)] | None = None
    notice: Annotated[PreferenceText, Field(min_length=1, max_length=MAX_NOTICE_CHARS)] | None = None
    accent: Annotated[str, Field(max_length=20)] | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/branding", tags=["branding"])
    service = app.branding

    async def show() -> BrandingBody:
        found = await service.get()
        shades = None if found.accent is None else adjust_accent(found.accent)
        return BrandingBody(
            name=found.name,
            notice=found.notice,
            accent=found.accent,
            light=None if shades is None else _shade(shades.light, LIGHT_GROUNDS[0]),
            dark=None if shades is None else _shade(shades.dark, DARK_GROUNDS[0]),
            logo=found.logo_digest,
            fixed=list(service.fixed),
        )

    @api.get("")
    async def show_branding() -> BrandingBody:
        return await show()

    @api.put("")
    async def change_branding(principal: Caller, body: BrandingRequest) -> BrandingBody:
        await service.change(principal, body.name, body.notice, body.accent)
        return await show()

    @api.post("/logo", openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}})
    async def set_logo(principal: Caller, request: Request) -> BrandingBody:
        data = b""
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_LOGO_BYTES:
                raise TooLarge(f"The logo is larger than {MAX_LOGO_BYTES >> 20} MB; make it smaller.")
        await service.set_logo(principal, data)
        return await show()

    @api.delete("/logo", status_code=204)
    async def delete_logo(principal: Caller) -> None:
        await service.set_logo(principal, None)

    @api.get("/logo", response_class=Response)
    async def show_logo() -> Response:
        found = await service.get()
        if found.logo is None:
            raise NotFound("There is no logo.")
        return Response(found.logo, media_type="image/png", headers=CACHED)

    @api.get("/style.css", response_class=Response)
    async def show_style() -> Response:
        found = await service.get()
        return Response(
            "" if found.accent is None else accent_style(found.accent), media_type="text/css", headers=CACHED
        )

    return api


def _shade(shade: AccentShade, ground: str) -> AccentShadeBody:
    return AccentShadeBody(color=shade.color, ground=ground, contrast=shade.contrast)
