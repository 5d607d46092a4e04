"""`/api/mcp-servers`: servers whose tools a model may call: list, add, change, check, allow, switch and remove."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.chat.answer_tools import chosen_tools
from eclair.mcp_servers.server_choices import McpState, McpWish
from eclair.mcp_servers.server_config import (
    MAX_ARGUMENT_CHARS,
    MAX_ARGUMENTS,
    MAX_SECRET_CHARS,
    MAX_SECRETS,
    McpServerChange,
)
from eclair.mcp_servers.server_views import McpServer
from eclair.mcp_servers.service import OWN_SERVERS
from eclair.sandbox.program import has_program_walls
from eclair.schema.mcp_servers import McpListing, McpOrigin, McpSecrets, McpTool, tool_name
from eclair.schema.principal import Principal
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

Argument = Annotated[str, Field(max_length=MAX_ARGUMENT_CHARS)]
Arguments = Annotated[list[Argument], Field(max_length=MAX_ARGUMENTS)]
SecretName = Annotated[str, Field(max_length=64)]
SecretText = Annotated[str, Field(max_length=MAX_SECRET_CHARS)]
SecretValues = Annotated[dict[SecretName, SecretText], Field(max_length=MAX_SECRETS)]


class McpServerBody(RequestBody):
    """Settings of a server; what is left out stays. A variable or header that is empty is removed.

    `client_id` and `client_secret` are of a client that was registered by hand; an empty id removes both.
    """

    command: Arguments | None = None
    url: Argument | None = None
    variables: SecretValues = Field(default_factory=dict)
    headers: SecretValues = Field(default_factory=dict)
    folders: Arguments | None = None
    readable: Arguments | None = None
    network: bool | None = None
    by_default: bool | None = None
    client_id: Argument | None = None
    client_secret: SecretText = ""

    def change(self) -> McpServerChange:
        has_secrets = bool(self.variables or self.headers or self.client_secret)
        return McpServerChange(
            command=None if self.command is None else tuple(self.command),
            url=self.url,
            folders=None if self.folders is None else tuple(self.folders),
            readable=None if self.readable is None else tuple(self.readable),
            network=self.network,
            by_default=self.by_default,
            client_id=self.client_id,
            secrets=McpSecrets(self.variables, self.headers, self.client_secret) if has_secrets else None,
        )


class NewMcpServer(McpServerBody):
    name: str


class McpApproval(RequestBody):
    """The tools to allow, by the fingerprint that they were shown with."""

    fingerprint: str


class McpChoice(RequestBody):
    """A choice: for a conversation, or for all others."""

    on: bool
    conversation: str | None = None


class McpToolReport(BaseModel):
    """A tool; models call it by `call_name`. `arguments` is the JSON schema of its arguments.

    `read_only` is its server's word, which gives it no rights.
    """

    name: str
    call_name: str
    title: str
    description: str
    read_only: bool
    arguments: dict[str, object]

    @classmethod
    def from_tool(cls, server: str, tool: McpTool) -> Self:
        return cls(
            name=tool.name,
            call_name=tool_name(server, tool.name),
            title=tool.title,
            description=tool.description,
            read_only=tool.says_read_only,
            arguments=dict(tool.schema),
        )


class McpListingReport(BaseModel):
    tools: list[McpToolReport]
    fingerprint: str
    moment: int
    faults: list[str]

    @classmethod
    def from_listing(cls, server: str, listing: McpListing) -> Self:
        return cls(
            tools=[McpToolReport.from_tool(server, tool) for tool in listing.tools],
            fingerprint=listing.fingerprint,
            moment=listing.moment,
            faults=list(listing.faults),
        )


class McpServerReport(BaseModel):
    """A server. `state` is `ready`, `unseen` until somebody allows its tools, `held` since they changed, or `down`.

    `secrets` are the names of its variables or headers, `log` the last lines that it wrote. `approved` are the tools as
    they were allowed, `seen` as they were last asked for. `wants_sign_in` if the caller has to sign in there first;
    `signed_in_as` is how the server's side calls them, if it says so.
    `resources` and `prompts` say if it has any. `offered` unless the assistant or project has tools chosen, and none of
    this server.
    """

    id: str
    name: str
    origin: McpOrigin
    own: bool
    command: list[str]
    url: str | None
    folders: list[str]
    readable: list[str]
    network: bool
    by_default: bool
    secrets: list[str]
    state: McpState
    fault: str | None
    on: bool
    offered: bool
    may_change: bool
    client_id: str | None
    signed_in: bool
    signed_in_as: str | None
    wants_sign_in: bool
    approved: McpListingReport | None
    seen: McpListingReport | None
    log: list[str]
    resources: bool
    prompts: bool

    @classmethod
    def from_server(cls, server: McpServer) -> Self:
        config, name = server.config, server.name
        listing = server.seen or server.approved
        return cls(
            id=server.id,
            name=name,
            origin=server.origin,
            own=server.is_own,
            command=list(config.command),
            url=config.url,
            folders=list(config.folders),
            readable=list(config.readable),
            network=config.network,
            by_default=config.by_default,
            secrets=list(server.secret_names),
            state=server.state,
            fault=server.fault,
            on=server.is_on,
            offered=server.is_offered,
            may_change=server.may_change,
            client_id=config.client_id,
            signed_in=server.signed_in,
            signed_in_as=server.signed_in_as,
            wants_sign_in=server.wants_sign_in,
            approved=None if server.approved is None else McpListingReport.from_listing(name, server.approved),
            seen=None if server.seen is None else McpListingReport.from_listing(name, server.seen),
            log=list(server.log),
            resources=listing is not None and listing.has_resources,
            prompts=listing is not None and listing.has_prompts,
        )


class McpServerList(BaseModel):
    """The servers that somebody sees. `may_add` says what they may add; `walled` if commands run behind walls here."""

    servers: list[McpServerReport]
    may_add_commands: bool
    may_add_urls: bool
    walled: bool


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/mcp-servers", tags=["mcp-servers"])

    @api.get("")
    async def list_mcp_servers(
        principal: Caller, conversation: str | None = None, assistant: str | None = None, project: str | None = None
    ) -> McpServerList:
        """List servers as they are in a conversation, or in one that would begin with an assistant and in a project."""
        is_admin = principal.role == "admin"
        wish = await _wish(app, principal, conversation, assistant, project)
        return McpServerList(
            servers=[McpServerReport.from_server(each) for each in await app.mcp.list(principal, wish)],
            may_add_commands=is_admin,
            may_add_urls=is_admin or app.rights.may(principal, OWN_SERVERS),
            walled=has_program_walls(),
        )

    @api.post("", status_code=201)
    async def add_mcp_server(principal: Caller, body: NewMcpServer) -> McpServerReport:
        return McpServerReport.from_server(await app.mcp.add(principal, body.name, body.change()))

    @api.get("/{id}")
    async def show_mcp_server(principal: Caller, id: str) -> McpServerReport:
        return McpServerReport.from_server(await app.mcp.get(principal, id))

    @api.patch("/{id}")
    async def change_mcp_server(principal: Caller, id: str, body: McpServerBody) -> McpServerReport:
        return McpServerReport.from_server(await app.mcp.change(principal, id, body.change()))

    @api.delete("/{id}", status_code=204)
    async def remove_mcp_server(principal: Caller, id: str) -> None:
        await app.mcp.remove(principal, id)

    @api.post("/{id}/check")
    async def check_mcp_server(principal: Caller, id: str) -> McpServerReport:
        return McpServerReport.from_server(await app.mcp.check(principal, id))

    @api.post("/{id}/approve")
    async def approve_mcp_tools(principal: Caller, id: str, body: McpApproval) -> McpServerReport:
        return McpServerReport.from_server(await app.mcp.approve(principal, id, body.fingerprint))

    @api.put("/{id}/switch")
    async def switch_mcp_server(principal: Caller, id: str, body: McpChoice) -> McpServerReport:
        return McpServerReport.from_server(
            await app.mcp.switch(principal, id, is_on=body.on, conversation=body.conversation)
        )

    return api


async def _wish(
    app: App, principal: Principal, conversation: str | None, assistant: str | None, project: str | None
) -> McpWish:
    """Return what decides on servers in a conversation, stored or not. Raises NotFound."""
    if conversation is not None:
        found = await app.storage.conversations.get_conversation(principal, conversation)
        assistant, project = found.assistant_id, found.project_id
    used = await app.assistants.find(principal, assistant)
    profile = None if used is None else used.profile
    return McpWish(conversation, tools=chosen_tools(profile, await app.projects.find(principal, project)))
