"""Sign-ins at MCP servers, begun and finished by a person's browser, and Éclair's description of itself as a client."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.mcp_servers.sign_in_client import client_document
from eclair.mcp_servers.sign_ins import SignInAnswer
from eclair.server.api.mcp_servers import McpServerReport
from eclair.server.principal import Caller
from eclair.server.public_address import PublicAddress
from eclair.server.request_body import RequestBody

SIGN_IN_PAGE = "/settings/mcp"
"""The page to which an authorization server leads a browser back."""
CLIENT_DOCUMENT = "/.well-known/eclair-mcp-client.json"


class McpSignInStart(BaseModel):
    """The page to which the person's browser goes."""

    url: str


class McpSignInReply(RequestBody):
    """Parameters that the browser came back with: the `state`, and a `code` or an `error`. `iss` is who says so."""

    state: Annotated[str, Field(min_length=1, max_length=2000)]
    code: Annotated[str, Field(max_length=4000)] = ""
    iss: Annotated[str | None, Field(max_length=2000)] = None
    error: Annotated[str, Field(max_length=2000)] = ""


class McpClientDocument(BaseModel):
    """Éclair as a client of authorization servers (Client ID Metadata Document)."""

    client_id: str
    client_name: str
    redirect_uris: list[str]
    grant_types: list[str]
    response_types: list[str]
    token_endpoint_auth_method: str
    application_type: str


def router(app: App) -> APIRouter:
    api = APIRouter(tags=["mcp-servers"])
    public = PublicAddress.from_settings(app.settings)
    document = public.link(CLIENT_DOCUMENT) if public.link("").startswith("https://") else None

    @api.post("/api/mcp-servers/{id}/sign-in")
    async def begin_mcp_sign_in(principal: Caller, id: str, request: Request) -> McpSignInStart:
        back = public.absolute_url(request, SIGN_IN_PAGE)
        return McpSignInStart(url=await app.mcp_sign_ins.begin(principal, id, back, document))

    @api.post("/api/mcp-servers/sign-ins")
    async def finish_mcp_sign_in(principal: Caller, body: McpSignInReply) -> McpServerReport:
        answer = SignInAnswer(body.state, body.code, body.iss, body.error)
        return McpServerReport.from_server(await app.mcp_sign_ins.finish(principal, answer))

    @api.delete("/api/mcp-servers/{id}/sign-in")
    async def end_mcp_sign_in(principal: Caller, id: str) -> McpServerReport:
        return McpServerReport.from_server(await app.mcp_sign_ins.end(principal, id))

    @api.get(CLIENT_DOCUMENT)
    async def describe_mcp_client(request: Request) -> McpClientDocument:
        where, back = (public.absolute_url(request, path) for path in (CLIENT_DOCUMENT, SIGN_IN_PAGE))
        return McpClientDocument.model_validate(client_document(where, back))

    return api
