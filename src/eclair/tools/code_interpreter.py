"""`run_python` for requests of programs: in a container that nothing is stored of, and that lasts while it is used."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial

from eclair.generation.tools import ToolContext, ToolResult
from eclair.python.python_protocol import FileWritten
from eclair.python.python_service import PythonService, free_name, media_type
from eclair.schema.events import CallProgressed, Event
from eclair.schema.principal import Principal
from eclair.tools.call_progress import report_printed
from eclair.tools.run_python import PythonArguments, PythonTool, describe_run

MAX_SHOWN_IMAGES = 16
"""Of one call."""


@dataclass(frozen=True, slots=True)
class ContainerFile:
    """A file of the caller's that code in a container may read: its name, and that of its bytes."""

    name: str
    sha256: str


class CodeInterpreterTool(PythonTool):
    """Implements `Tool`: runs code in a container. `images` are the pictures that calls made, as `data:` URLs."""

    def __init__(
        self, service: PythonService, principal: Principal, container: str, files: Sequence[ContainerFile] = ()
    ) -> None:
        super().__init__(service, principal, container)
        self._key = container_key(principal, container)
        self._inputs = _name_inputs(files)
        self.images: dict[str, tuple[str, ...]] = {}

    async def run(self, arguments: PythonArguments, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Run the code. Raises what the service raises."""
        code, model = arguments.code, context.model.id
        run = partial(self._service.run_in_container, self._key, code, self._inputs, model=model)
        async with contextlib.aclosing(report_printed(context.call, run)) as reports:
            async for each in reports:
                if isinstance(each, CallProgressed):
                    yield each
                    continue
                found, written = each
                self.images[context.call] = tuple(_data_urls(written))
                yield ToolResult(describe_run(found), has_failed=found.error is not None)


def container_key(principal: Principal, container: str) -> str:
    """Return the key of a container, which is its owner's alone."""
    return f"{principal.id} {container}"


def _name_inputs(files: Sequence[ContainerFile]) -> dict[str, str]:
    """Return the names of files in the workspace, each with the name of its bytes."""
    named: dict[str, str] = {}
    for file in files:
        named[free_name(file.name, named)] = file.sha256
    return named


def _data_urls(written: Sequence[FileWritten]) -> list[str]:
    """Return the pictures among files that code wrote; of a chart, the PNG."""
    pictures = [file for file in written if media_type(file.name) in ("image/png", "image/jpeg", "image/webp")]
    return [
        f"data:{media_type(file.name)};base64,{base64.b64encode(file.data).decode()}"
        for file in pictures[:MAX_SHOWN_IMAGES]
    ]
