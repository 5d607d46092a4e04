"""`server__resources`: a model lists what an MCP server offers to read, and reads it.

A text is kept as a file with the answer, so that what rests on it is cited and checked as on any other source.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import orjson
from pydantic import BaseModel, ConfigDict, Field

from eclair.documents.ingest import Ingestor
from eclair.documents.passages import load_passages
from eclair.errors import EclairError
from eclair.generation.passage_results import fit_passages, passage_result
from eclair.generation.tools import ToolContext, ToolResult, define_function
from eclair.llm.base import JSON, PromptMessage
from eclair.mcp_servers.content_service import ResourceKeeper
from eclair.mcp_servers.service import CALL_TIMEOUT_S
from eclair.schema.events import Event
from eclair.schema.mcp_servers import MCP_NAME_SEPARATOR, McpContent, McpResource
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.mcp_servers import StoredMcpServer
from eclair.tools.draw_picture import AnswerRef

RESOURCES_TOOL = "resources"
START_TIMEOUT_S = 40.0
READ_TIMEOUT_S = 20.0
MAX_LISTED = 100
MAX_PASSAGES = 200

_DESCRIPTION = (
    "Reads a resource of the MCP server {name} by its URI; without one it lists those that there are. Read one where "
    "the question is about what that server keeps."
)


class ResourceToRead(BaseModel):
    model_config = ConfigDict(extra="ignore")

    uri: str = Field("", max_length=2_000, description="The URI of the resource; empty to list them.")


@dataclass(frozen=True, slots=True)
class ResourceShelf:
    """Reads resources, and holds the places where their texts are kept."""

    keeper: ResourceKeeper
    storage: Storage
    ingestor: Ingestor


class McpResourcesTool:
    """Implements `Tool` for the resources of one server. Without an `answer` nothing that was read is kept."""

    arguments: type[BaseModel] = ResourceToRead
    timeout_s = CALL_TIMEOUT_S + START_TIMEOUT_S + READ_TIMEOUT_S

    def __init__(self, shelf: ResourceShelf, server: StoredMcpServer, answer: AnswerRef | None) -> None:
        self._shelf = shelf
        self._server = server
        self._answer = answer
        self.name = f"{server.name}{MCP_NAME_SEPARATOR}{RESOURCES_TOOL}"
        self.access: CallAccess = "outbound" if server.config.url is not None or server.config.network else "read"

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that can't call tools."""
        if not model.can_call_tools:
            return None
        return define_function(self.name, _DESCRIPTION.format(name=self._server.name), ResourceToRead)

    def summary(self, arguments: ResourceToRead) -> str:
        """See `Tool.summary`."""
        if not arguments.uri:
            return f"List the resources of the MCP server {self._server.name}"
        return f"Read {arguments.uri[:160]} from the MCP server {self._server.name}"

    def scope(self, arguments: ResourceToRead) -> str:
        """See `Tool.scope`."""
        return ""

    def sends(self, arguments: ResourceToRead) -> str:
        """See `Tool.sends`."""
        return arguments.uri

    def asks_if_tainted(self, arguments: ResourceToRead) -> bool:
        """See `Tool.asks_if_tainted`."""
        return False

    async def run(self, arguments: ResourceToRead, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """List or read. Raises what the service raises."""
        if not arguments.uri:
            found = await self._shelf.keeper.contents.resources(context.principal, self._server.id)
            yield ToolResult(_listed(found))
            return
        contents, sent_bytes = await self._shelf.keeper.contents.read(context.principal, self._server.id, arguments.uri)
        passages: list[Passage] = []
        remarks: list[str] = []
        for content in contents:
            kept, remark = await self._read(context.principal, content)
            passages += kept
            remarks += [remark] if remark else []
        fitting = fit_passages(passages, context)
        if len(fitting) < len(passages):
            remarks.append(f"{len(passages) - len(fitting)} more passages of the resource are not shown.")
        if fitting:
            made = passage_result(fitting, "\n".join(remarks))
            yield ToolResult(made.text, passages=made.passages, sent_bytes=sent_bytes)
        else:
            yield ToolResult("\n".join(remarks) or "The resource has no text.", sent_bytes=sent_bytes)

    async def _read(self, principal: Principal, content: McpContent) -> tuple[list[Passage], str]:
        """Keep a part as a file with the answer; return its passages, or else what is said of it."""
        from eclair.mcp_servers.contents import readable_text  # slow to import

        shelf = self._shelf
        if self._answer is None:
            return [], readable_text(content) or f"[a file of type {content.media or 'unknown'}, which is not shown]"
        try:
            file = await shelf.keeper.keep(principal, content)
        except EclairError as error:
            return [], error.message
        await shelf.storage.files.attach_files(principal, self._answer.message, [file.file.id])
        await shelf.ingestor.wait_until_searchable({file.document.sha256}, READ_TIMEOUT_S)
        state = await shelf.storage.files.get_file(principal, file.file.id)
        if state.document.fault is not None:
            return [], state.document.fault.message
        return await load_passages(shelf.storage, state, MAX_PASSAGES), ""


def _listed(found: Sequence[McpResource]) -> str:
    """Return resources as JSON lines; names in braces in the URI of a template are to be filled in."""
    lines = [
        orjson.dumps(
            {
                "uri": each.uri,
                "title": each.title,
                **({"description": each.description} if each.description else {}),
                **({"type": each.media} if each.media else {}),
                **({"template": True} if each.is_template else {}),
            }
        ).decode()
        for each in found[:MAX_LISTED]
    ]
    more = len(found) - len(lines)
    return "\n".join([*lines, *([f"{more} more are not listed."] if more > 0 else [])]) or "There are no resources."
