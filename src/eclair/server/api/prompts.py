"""`/api/prompts`: texts that people save to use again, and share."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.schema.ids import new_id
from eclair.server.api.preferences import PreferenceText
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sharing_routes import add_sharing_routes, find_owner_name
from eclair.server.subject_names import SubjectNames
from eclair.storage.prompts import MAX_PROMPT_CHARS, PROMPT_NAME_PATTERN, SavedPrompt
from eclair.storage.sharing import Access


class PromptBody(BaseModel):
    """A prompt. Of one that is shared with the caller, `owner` is the name of its owner."""

    id: str
    name: str
    text: str
    created: int
    access: Access = "own"
    owner: str | None = None


class NewPrompt(RequestBody):
    """A prompt's name, a word by which `/name` calls it, and its text, in which `{{name}}` is a variable."""

    name: Annotated[str, Field(pattern=PROMPT_NAME_PATTERN)]
    text: Annotated[PreferenceText, Field(min_length=1, max_length=MAX_PROMPT_CHARS)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/prompts", tags=["prompts"])
    prompts = app.storage.prompts

    async def body_of(prompt: SavedPrompt, names: SubjectNames) -> PromptBody:
        owner = await find_owner_name(names, prompt.owner, is_own=prompt.access == "own")
        return PromptBody(
            id=prompt.id,
            name=prompt.name,
            text=prompt.text,
            created=prompt.created,
            access=prompt.access,
            owner=owner,
        )

    @api.get("")
    async def list_prompts(principal: Caller) -> list[PromptBody]:
        names = SubjectNames(app.storage)
        return [
            await body_of(each, names)
            for each in await prompts.list_prompts(principal)
            if app.rights.may(principal, f"prompt:{each.id}")
        ]

    @api.post("", status_code=201)
    async def add_prompt(principal: Caller, body: NewPrompt) -> PromptBody:
        new = SavedPrompt(new_id("prompt"), principal.id, body.name, body.text, int(time.time() * 1000))
        await prompts.add_prompt(principal, new)
        app.changes.publish(principal, None, "prompts")
        return await body_of(new, SubjectNames(app.storage))

    @api.put("/{id}")
    async def edit_prompt(principal: Caller, id: str, body: NewPrompt) -> PromptBody:
        edited = await prompts.edit_prompt(principal, id, body.name, body.text)
        app.changes.publish_to_all("prompts")
        return await body_of(edited, SubjectNames(app.storage))

    @api.delete("/{id}", status_code=204)
    async def delete_prompt(principal: Caller, id: str) -> None:
        await prompts.delete_prompt(principal, id)
        app.changes.publish_to_all("prompts")

    add_sharing_routes(api, app, prompts, noun="prompt", kind="prompts")
    return api
