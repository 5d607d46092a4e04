"""The branding in force: what the settings say, else what was chosen; and changes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from eclair.errors import Conflict, InvalidInput
from eclair.images.logo_maker import make_logo
from eclair.live_settings import LiveSettings
from eclair.policy.accent import check_color
from eclair.schema.branding import Branding
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.branding import BrandingStore
from eclair.util.log_context import log_admin_act

MAX_NAME_CHARS = 60
MAX_NOTICE_CHARS = 1000


def fixed_branding(settings: Settings) -> tuple[str, ...]:
    """Return what the settings say of the branding themselves."""
    said = {"name": settings.house_name, "notice": settings.sign_in_notice}
    return tuple(name for name, value in said.items() if value is not None)


@dataclass(frozen=True, slots=True)
class BrandingService:
    """Shows and changes the branding."""

    live_settings: LiveSettings
    store: BrandingStore

    @property
    def fixed(self) -> tuple[str, ...]:
        return fixed_branding(self.live_settings.configured)

    async def get(self) -> Branding:
        """Return the branding in force."""
        stored, settings = await self.store.get_branding(), self.live_settings.configured
        return replace(stored, name=settings.house_name or stored.name, notice=settings.sign_in_notice or stored.notice)

    async def change(self, principal: Principal, name: str | None, notice: str | None, accent: str | None) -> None:
        """Change name, notice and accent color; None removes one.

        Raises InvalidInput for what is no color, and Conflict for what the settings say.
        """
        try:
            color = None if accent is None else check_color(accent)
        except ValueError as error:
            raise InvalidInput(f"{str(error)[:1].upper()}{str(error)[1:]}.", param="accent") from None
        now = await self.get()
        for field, setting, value, said in (
            ("name", "house_name", name, now.name),
            ("notice", "sign_in_notice", notice, now.notice),
        ):
            if field in self.fixed and value != said:
                raise Conflict(f"The settings file says {setting}; change it there (`eclair config` says where).")

        def edit(stored: Branding) -> Branding:
            return replace(
                stored,
                name=stored.name if "name" in self.fixed else name,
                notice=stored.notice if "notice" in self.fixed else notice,
                accent=color,
            )

        await self.store.edit_branding(principal, edit)
        log_admin_act("branding.changed", "The branding was changed.")

    async def set_logo(self, principal: Principal, data: bytes | None) -> None:
        """Set the logo to a picture, or remove it. Raises TooLarge and UnreadableFile."""
        logo = None if data is None else await make_logo(data)
        source = None if data is None else hashlib.sha256(data).hexdigest()
        await self.store.edit_branding(principal, lambda stored: replace(stored, logo=logo, source=source))
        log_admin_act("branding.changed", "The logo was changed.")
