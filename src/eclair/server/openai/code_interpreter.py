"""`code_interpreter` of `/v1/responses`: the tool's definition, the item of a call, and the tool that runs it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from eclair.app import App
from eclair.errors import InvalidInput, NotFound
from eclair.llm.base import JSON
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.server.request_body import ForeignModel
from eclair.tools.code_interpreter import CodeInterpreterTool, ContainerFile, container_key
from eclair.tools.run_python import PYTHON_TOOL_NAME, PythonArguments

MAX_CONTAINER_FILES = 64


class AutoContainer(ForeignModel):
    """A new container, with files by their ids. The memory that it may take is fixed."""

    type: Literal["auto"]
    file_ids: list[str] = Field(default_factory=list[str], max_length=MAX_CONTAINER_FILES)
    memory_limit: str | None = None


class CodeInterpreterDefinition(ForeignModel):
    """Lets the model run Python, in a new container or in that of an earlier response, by its id."""

    type: Literal["code_interpreter"]
    container: str | AutoContainer
    allowed_callers: list[str] | None = None


async def open_interpreter(
    app: App, principal: Principal, asked: CodeInterpreterDefinition | None, functions: frozenset[str]
) -> tuple[CodeInterpreterTool | None, str]:
    """Return the tool for a request with these `functions`, and the id of its container; none if it isn't asked for.

    Raises InvalidInput if a function has its name, NotFound for files, and RightMissing.
    """
    if asked is None:
        return None, ""
    if PYTHON_TOOL_NAME in functions:
        raise InvalidInput(
            f"The code interpreter is called {PYTHON_TOOL_NAME} here; give your function another name.", param="tools"
        )
    app.rights.require(principal, f"tool:{PYTHON_TOOL_NAME}", "Your account may not run Python; ask an administrator.")
    if isinstance(asked.container, str):
        if not app.python.has_container(container_key(principal, asked.container)):
            raise NotFound(
                f"There is no container {asked.container!r} any more; begin a new one with `auto`.", param="tools"
            )
        return CodeInterpreterTool(app.python, principal, asked.container), asked.container
    files: list[ContainerFile] = []
    for id in asked.container.file_ids:
        file = (await app.storage.files.get_file(principal, id)).file
        files.append(ContainerFile(file.name, file.sha256))
    container = new_id("cntr")
    return CodeInterpreterTool(app.python, principal, container, files), container


def read_code(arguments: str) -> str:
    """Return the code of a call's arguments; they are shown themselves if they aren't what the tool takes."""
    try:
        return PythonArguments.model_validate_json(arguments).code
    except ValidationError:
        return arguments


def call_outputs(result: str, images: tuple[str, ...]) -> list[JSON]:
    """Return the outputs of a call: what it printed, and its pictures."""
    return [{"type": "logs", "logs": result}, *({"type": "image", "url": url} for url in images)]
