"""Resources and prompts of MCP servers, in `/api/mcp-servers/{id}`: list, keep as files, and have written."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.mcp_servers.content_service import MAX_ARGUMENT_CHARS
from eclair.server.api.files import FileBody
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

MAX_URI_CHARS = 2_000
PromptArgumentText = Annotated[str, Field(max_length=MAX_ARGUMENT_CHARS)]


class McpResourceBody(BaseModel):
    """A resource. The `uri` of a `template` has names in braces, which are to be filled in."""

    uri: str
    title: str
    description: str
    media: str
    size: int | None
    template: bool


class McpResourceList(BaseModel):
    resources: list[McpResourceBody]


class ResourceToKeep(RequestBody):
    """A resource to keep as files; `title` is the name of one whose URI has none."""

    uri: Annotated[str, Field(min_length=1, max_length=MAX_URI_CHARS)]
    title: Annotated[str, Field(max_length=200)] = ""


class KeptFiles(BaseModel):
    files: list[FileBody]


class McpPromptArgumentBody(BaseModel):
    name: str
    title: str
    description: str
    required: bool


class McpPromptBody(BaseModel):
    name: str
    title: str
    description: str
    arguments: list[McpPromptArgumentBody]


class McpPromptList(BaseModel):
    prompts: list[McpPromptBody]


class PromptToWrite(RequestBody):
    """A prompt by its `name`, with its `arguments`."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    arguments: Annotated[dict[str, PromptArgumentText], Field(max_length=20, default_factory=dict)]


class WrittenPrompt(BaseModel):
    text: str


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/mcp-servers", tags=["mcp-servers"])

    @api.get("/{id}/resources")
    async def list_mcp_resources(principal: Caller, id: str) -> McpResourceList:
        return McpResourceList(
            resources=[
                McpResourceBody(
                    uri=each.uri,
                    title=each.title,
                    description=each.description,
                    media=each.media,
                    size=each.size,
                    template=each.is_template,
                )
                for each in await app.mcp_resources.contents.resources(principal, id)
            ]
        )

    @api.post("/{id}/files", status_code=201)
    async def keep_mcp_resource(principal: Caller, id: str, body: ResourceToKeep) -> KeptFiles:
        kept = await app.mcp_resources.read_as_files(principal, id, body.uri, body.title)
        return KeptFiles(files=[FileBody.from_state(state) for state in kept])

    @api.get("/{id}/prompts")
    async def list_mcp_prompts(principal: Caller, id: str) -> McpPromptList:
        return McpPromptList(
            prompts=[
                McpPromptBody(
                    name=prompt.name,
                    title=prompt.title,
                    description=prompt.description,
                    arguments=[
                        McpPromptArgumentBody(
                            name=each.name, title=each.title, description=each.description, required=each.is_required
                        )
                        for each in prompt.arguments
                    ],
                )
                for prompt in await app.mcp_resources.contents.prompts(principal, id)
            ]
        )

    @api.post("/{id}/prompts")
    async def write_mcp_prompt(principal: Caller, id: str, body: PromptToWrite) -> WrittenPrompt:
        return WrittenPrompt(text=await app.mcp_resources.contents.prompt(principal, id, body.name, body.arguments))

    return api
