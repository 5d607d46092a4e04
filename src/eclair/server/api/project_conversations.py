"""`/api/project-conversations`: conversations that their authors show to the members of a project."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.errors import NotFound
from eclair.schema.messages import Message
from eclair.schema.principal import Principal
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.shown_messages import picture_response, shown_message, without_ids
from eclair.server.subject_names import SubjectNames


class ProjectPlace(RequestBody):
    """The project to whose members a conversation is shown; it is moved there."""

    project_id: Annotated[str, Field(max_length=200)]


class ShownConversationBody(BaseModel):
    """A conversation that is shown in a project. `author` is the name of whoever shows it, null for the caller's own.

    The project's owner and the author may hide it.
    """

    id: str
    title: str
    updated: int
    author: str | None
    may_hide: bool


class ShownConversationList(BaseModel):
    conversations: list[ShownConversationBody]


class ShownThread(BaseModel):
    """A shown conversation: the messages of its thread, without ids and whatever else the page doesn't show."""

    title: str
    author: str | None
    messages: list[Message]


class PresentPeople(BaseModel):
    """Names of the others who have a shown conversation open now, and the number of further ones."""

    people: list[str]
    more: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/project-conversations", tags=["projects"])

    async def author_of(names: SubjectNames, principal: Principal, owner: str) -> str | None:
        return None if owner == principal.id else await names.find(f"person:{owner}")

    @api.get("")
    async def list_shown(principal: Caller, project_id: Annotated[str, Query(max_length=200)]) -> ShownConversationList:
        names, project = SubjectNames(app.storage), await app.projects.get(principal, project_id)
        return ShownConversationList(
            conversations=[
                ShownConversationBody(
                    id=each.id,
                    title=each.title,
                    updated=each.updated,
                    author=await author_of(names, principal, each.owner),
                    may_hide=principal.id in (each.owner, project.owner),
                )
                for each in await app.shown_conversations.list(principal, project.id)
            ]
        )

    @api.put("/{id}", status_code=204)
    async def show_conversation(principal: Caller, id: str, body: ProjectPlace) -> None:
        await app.shown_conversations.show(principal, body.project_id, id)

    @api.delete("/{id}", status_code=204)
    async def hide_conversation(principal: Caller, id: str) -> None:
        await app.shown_conversations.hide(principal, id)

    @api.get("/{id}")
    async def read_shown(principal: Caller, id: str, response: Response) -> ShownThread:
        shown, conversation, messages = await app.shown_conversations.read(principal, id)
        response.headers["Cache-Control"] = "no-store"
        return ShownThread(
            title=conversation.title,
            author=await author_of(SubjectNames(app.storage), principal, shown.owner),
            messages=[without_ids(shown_message(message)) for message in messages if not message.is_open],
        )

    @api.get("/{id}/presence")
    async def list_present(principal: Caller, id: str, response: Response) -> PresentPeople:
        """List who else has a shown conversation open. Nobody is listed in works-council mode."""
        others, names = await app.presence.find_others(principal, id), SubjectNames(app.storage)
        response.headers["Cache-Control"] = "no-store"
        people = [await names.find(f"person:{each}") for each in others.people]
        return PresentPeople(people=sorted(people, key=str.casefold), more=others.more)

    @api.get("/{id}/pictures/{picture:path}", response_class=Response)
    async def read_shown_picture(principal: Caller, id: str, picture: str) -> Response:
        shown, _, messages = await app.shown_conversations.read(principal, id)
        if picture not in {part.id for message in messages for part in shown_message(message).parts}:
            raise NotFound(f"There is no image {picture!r} in this conversation.")
        return await picture_response(app, Principal(shown.owner), id, picture)

    return api
