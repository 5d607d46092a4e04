"""`/api/tool-permissions`: what a person allowed to tools beyond one call, to see and take back."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.server.principal import Caller
from eclair.storage.tool_permissions import ToolPermission


class ToolPermissionList(BaseModel):
    permissions: list[ToolPermission]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/tool-permissions", tags=["runs"])

    @api.get("")
    async def list_tool_permissions(principal: Caller) -> ToolPermissionList:
        return ToolPermissionList(permissions=await app.tool_permissions.list_given(principal))

    @api.delete("/{id}", status_code=204)
    async def revoke_tool_permission(principal: Caller, id: str) -> None:
        await app.tool_permissions.revoke(principal, id)

    return api
