"""`/api/announcements`: what the house says to everybody: what is shown now, and all of it for administrators."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from eclair.app import App
from eclair.errors import Conflict
from eclair.policy.announcement_rules import MAX_TEXT_CHARS, SETTINGS_ID, check_announcement, stated_announcement
from eclair.schema.announcements import Announcement, AnnouncementLevel
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.server.api.preferences import PreferenceText
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

MAX_MOMENT = 10**14


class AnnouncementBody(BaseModel):
    """An announcement; whoever reads a language that `texts` lacks gets the one in `language`.

    `begins` and `ends` are in milliseconds. One that is `fixed` stands in the settings.
    """

    id: str
    level: AnnouncementLevel
    language: str
    texts: dict[str, str]
    begins: int | None
    ends: int | None
    closable: bool
    changed: int
    fixed: bool

    @classmethod
    def from_announcement(cls, found: Announcement) -> AnnouncementBody:
        return cls(
            id=found.id,
            level=found.level,
            language=found.language,
            texts=dict(found.texts),
            begins=found.begins,
            ends=found.ends,
            closable=found.closable,
            changed=found.changed,
            fixed=found.id == SETTINGS_ID,
        )


class AnnouncementList(BaseModel):
    announcements: list[AnnouncementBody]


class AnnouncementRequest(RequestBody):
    """An announcement with a text in `language` at least."""

    level: AnnouncementLevel = "info"
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] = "en"
    texts: dict[
        Annotated[str, Field(pattern="^[a-z]{2}$")],
        Annotated[PreferenceText, Field(min_length=1, max_length=MAX_TEXT_CHARS)],
    ]
    begins: Annotated[int | None, Field(ge=0, le=MAX_MOMENT)] = None
    ends: Annotated[int | None, Field(ge=0, le=MAX_MOMENT)] = None
    closable: bool = True

    @model_validator(mode="after")
    def _check(self) -> AnnouncementRequest:
        check_announcement(self.to_announcement(""))
        return self

    def to_announcement(self, id: str) -> Announcement:
        return Announcement(
            id=id,
            level=self.level,
            language=self.language,
            texts=self.texts,
            begins=self.begins,
            ends=self.ends,
            closable=self.closable,
        )


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/announcements", tags=["announcements"])
    store = app.storage.announcements

    async def list_all() -> list[Announcement]:
        return [*stated_announcement(app.settings), *await store.list_announcements()]

    async def put(principal: Principal, announcement: Announcement) -> AnnouncementBody:
        stored = await store.put_announcement(principal, announcement)
        app.changes.publish_to_all("announcements")
        return AnnouncementBody.from_announcement(stored)

    def refuse_stated(id: str) -> None:
        if id == SETTINGS_ID:
            raise Conflict("This announcement stands in the settings (`announcement`); change it there.")

    @api.get("")
    async def list_shown_announcements() -> AnnouncementList:
        now = int(time.time() * 1000)
        shown = [each for each in await list_all() if each.is_shown(now)]
        return AnnouncementList(announcements=[AnnouncementBody.from_announcement(each) for each in shown])

    @api.get("/all")
    async def list_all_announcements() -> AnnouncementList:
        found = await list_all()
        return AnnouncementList(announcements=[AnnouncementBody.from_announcement(each) for each in found])

    @api.post("", status_code=201)
    async def add_announcement(principal: Caller, body: AnnouncementRequest) -> AnnouncementBody:
        return await put(principal, body.to_announcement(new_id("ann")))

    @api.put("/{id}")
    async def change_announcement(
        principal: Caller, id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")], body: AnnouncementRequest
    ) -> AnnouncementBody:
        refuse_stated(id)
        return await put(principal, body.to_announcement(id))

    @api.delete("/{id}", status_code=204)
    async def delete_announcement(principal: Caller, id: str) -> None:
        refuse_stated(id)
        await store.delete_announcement(principal, id)
        app.changes.publish_to_all("announcements")

    return api
