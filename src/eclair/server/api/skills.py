"""`/api/skills`: skills that people import, look at, switch on and export, and those that come with Éclair."""

from __future__ import annotations

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from eclair.app import App
from eclair.errors import InvalidInput, NotFound, TooLarge
from eclair.schema.skills import MAX_SKILL_ZIP_BYTES, SKILL_FILE, Skill
from eclair.server.api.exports import attachment_disposition
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.skills.service import TOO_LARGE

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}}


class SkillFileBody(BaseModel):
    """A file by its path in the skill's folder; `size` is in bytes."""

    path: str
    size: int


class SkillBody(BaseModel):
    """A skill. Models are told of it while it `is_on`; `is_packaged` ones come with Éclair.

    `allowed_tools` is what its author wishes for, and grants nothing. `scripts` can be run in the sandbox.
    """

    id: str
    name: str
    description: str
    license: str | None
    compatibility: str | None
    allowed_tools: str | None
    metadata: dict[str, str]
    files: list[SkillFileBody]
    scripts: list[str]
    created: int
    changed: int
    is_on: bool
    is_packaged: bool

    @classmethod
    def from_skill(cls, skill: Skill) -> SkillBody:
        return cls(
            id=skill.id,
            name=skill.name,
            description=skill.head.description,
            license=skill.head.license,
            compatibility=skill.head.compatibility,
            allowed_tools=skill.head.allowed_tools,
            metadata=dict(skill.head.metadata),
            files=[SkillFileBody(path=file.path, size=file.size) for file in skill.files],
            scripts=list(skill.scripts),
            created=skill.created,
            changed=skill.changed,
            is_on=skill.is_on,
            is_packaged=skill.is_packaged,
        )


class SkillList(BaseModel):
    """Skills by name: the caller's, then those that come with Éclair."""

    skills: list[SkillBody]


class SkillText(BaseModel):
    """The text of a file of a skill."""

    path: str
    text: str


class SkillSwitch(RequestBody):
    """A skill switched on or off by somebody who has seen it as it was at `changed`."""

    is_on: bool
    changed: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/skills", tags=["skills"])
    skills = app.skills

    @api.get("")
    async def list_skills(principal: Caller) -> SkillList:
        return SkillList(skills=[SkillBody.from_skill(each) for each in await skills.list(principal)])

    @api.post("", status_code=201, openapi_extra=_FILE_BODY)
    async def import_skill(principal: Caller, request: Request) -> SkillBody:
        """Add the skill of a zip or a SKILL.md, switched off; one's own of that name is replaced."""
        return SkillBody.from_skill(await skills.import_skill(principal, await _read_body(request)))

    @api.get("/{id}")
    async def get_skill(principal: Caller, id: str) -> SkillBody:
        return SkillBody.from_skill(await skills.get(principal, id))

    @api.put("/{id}/switch")
    async def switch_skill(principal: Caller, id: str, body: SkillSwitch) -> SkillBody:
        """Switch a skill on or off; 409 if it was changed since it was looked at."""
        return SkillBody.from_skill(await skills.switch(principal, id, is_on=body.is_on, changed=body.changed))

    @api.get("/{id}/text")
    async def read_skill_text(principal: Caller, id: str, path: str = Query(SKILL_FILE, max_length=200)) -> SkillText:
        data = (await skills.read_files(principal, id)).get(path)
        if data is None:
            raise NotFound(f"The skill has no file {path!r}.", param="path")
        try:
            return SkillText(path=path, text=data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise InvalidInput(f"{path} is no text; export the skill to have it.", param="path") from None

    @api.get("/{id}/export", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
    async def export_skill(principal: Caller, id: str) -> Response:
        """Return a skill as a zip of its folder."""
        name, data = await skills.export(principal, id)
        headers = {"Content-Disposition": attachment_disposition(f"{name}.zip")}
        return Response(data, media_type="application/zip", headers=headers)

    @api.delete("/{id}", status_code=204)
    async def delete_skill(principal: Caller, id: str) -> None:
        await skills.delete(principal, id)

    return api


async def _read_body(request: Request) -> bytes:
    """Read a file. Raises TooLarge, and InvalidInput if the client disconnects."""
    data = bytearray()
    try:
        async for piece in request.stream():
            data += piece
            if len(data) > MAX_SKILL_ZIP_BYTES:
                raise TooLarge(TOO_LARGE)
    except ClientDisconnect:
        raise InvalidInput("The file did not arrive whole; send it again.") from None
    return bytes(data)
