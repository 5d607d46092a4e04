"""Tools of MCP servers. They are named `server__tool`, and what a server says of itself gives a call no more rights.

A call may change something unless its server says that it only reads; even then a server by address, or one that may
connect to others, calls out, and a call that foreign text may have led to is asked for. Results are foreign text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import orjson

from eclair.errors import EclairError, UpstreamError
from eclair.generation.tools import Tool, ToolContext, ToolResult
from eclair.images.logo_maker import redraw_picture
from eclair.llm.base import JSON, PromptMessage
from eclair.mcp_servers.argument_model import argument_model
from eclair.mcp_servers.progress import MAX_CALL_S
from eclair.mcp_servers.server_choices import McpWish
from eclair.mcp_servers.server_views import McpOffer
from eclair.mcp_servers.service import McpService
from eclair.schema.events import Event
from eclair.schema.mcp_servers import McpTool, tool_name
from eclair.schema.messages import CallAccess, Fault, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.mcp_servers import StoredMcpServer
from eclair.storage.workspaces import NewWorkspaceFile
from eclair.tools.draw_picture import AnswerRef
from eclair.tools.mcp_calls import McpCallEnd, McpCalls
from eclair.tools.mcp_resources import McpResourcesTool, ResourceShelf

MAX_SUMMARY_CHARS = 160
START_TIMEOUT_S = 40.0
"""Time for a server to start and to list its tools, before a call."""

PICTURE_SIDE_PX = 1600
DEFINITION_CHARS_PER_TOKEN = 1
"""Definitions take at most so many characters for each token of the window, which is about a quarter of it."""

_PATH_NAME = re.compile(
    r"(?:(?:path|file|filename)s?|(?P<folder>dirs?|dirname|director(?:y|ies)|folders?))$", re.IGNORECASE
)
"""Ends of the names of arguments that are paths, whatever they look like."""
_PATH = re.compile(r"(?:file://|[A-Za-z]:[/\\]|~?/|\.{1,2}(?:/|$))[^\n]*", re.IGNORECASE)
"""Paths, whatever their argument is called."""
_ODD = re.compile(r"[^A-Za-z0-9_-]")


class McpServerTool:
    """Implements `Tool` for one tool of a server. `before` counts the characters of definitions that precede it."""

    timeout_s = MAX_CALL_S + START_TIMEOUT_S

    def __init__(
        self,
        service: McpService,
        server: StoredMcpServer,
        tool: McpTool,
        before: int,
        storage: Storage,
        answer: AnswerRef | None,
    ) -> None:
        self._calls = McpCalls(service, storage.elicitations, server, None if answer is None else answer.run)
        self._server = server
        self._tool = tool
        self._workspaces = storage.workspaces
        self._conversation = None if answer is None else answer.conversation
        self.name = tool_name(server.name, tool.name)
        self.access: CallAccess = access_of(server, tool)
        self.arguments = argument_model(self.name, tool.schema)
        self.end = before + len(orjson.dumps(self._definition()))

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that can't call tools, or whose window has no room for it."""
        if not model.can_call_tools or self.end > (model.context or 8192) * DEFINITION_CHARS_PER_TOKEN:
            return None
        return self._definition()

    def summary(self, arguments: Any) -> str:
        """See `Tool.summary`."""
        given = ", ".join(f"{key}: {_shown(value)}" for key, value in arguments.root.items())
        text = f"Use “{self._tool.title}” of the MCP server {self._server.name}{f' with {given}' if given else ''}"
        return text if len(text) <= MAX_SUMMARY_CHARS else f"{text[:MAX_SUMMARY_CHARS]}…"

    def scope(self, arguments: Any) -> str:
        """Return the folders of the paths among the arguments, for which a permission counts."""
        return ", ".join(sorted(set(_folders(arguments.root))))

    def sends(self, arguments: Any) -> str:
        """See `Tool.sends`."""
        words = list(_words(arguments.root))
        return words[0] if len(words) == 1 else "\n".join(words)

    def asks_if_tainted(self, arguments: Any) -> bool:
        """Return True where nothing but the server's word says that a call only reads, whatever it sends."""
        return self.access == "outbound"

    async def run(self, arguments: Any, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Call the server. Raises what the service raises."""
        async with aclosing(self._calls.call(self._tool.name, arguments.root, context)) as events:
            async for event in events:
                if isinstance(event, McpCallEnd):
                    yield await self._result(event, context)
                else:
                    yield event

    async def _result(self, end: McpCallEnd, context: ToolContext) -> ToolResult:
        found = end.result
        text = found.text or ("The call failed." if found.has_failed else "The call gave no text.")
        if found.pictures:
            text += await self._keep_pictures(context.principal, context.call, found.pictures)
        is_unsaid = found.has_failed and not found.text
        said = f"The MCP server {self._server.name!r} says that the call failed, and not why."
        fault = Fault(UpstreamError.code, said) if is_unsaid else None
        return ToolResult(text, has_failed=found.has_failed, sent_bytes=end.sent_bytes, fault=fault)

    def _definition(self) -> JSON:
        described = self._tool.description or self._tool.title
        return {
            "type": "function",
            "function": {"name": self.name, "description": described, "parameters": dict(self._tool.schema)},
        }

    async def _keep_pictures(self, principal: Principal, call: str, pictures: Sequence[bytes]) -> str:
        """Store pictures, decoded and re-encoded in a sandbox; the page reads the form of the list."""
        lines: list[str] = []
        for number, picture in enumerate(pictures, 1):
            try:
                data = await redraw_picture(picture, PICTURE_SIDE_PX)
                name = f"{self.name}-{_ODD.sub('', call)[-8:]}-{number}.png"
                if self._conversation is None:
                    raise EclairError("Temporary chats keep no pictures.")
                new = NewWorkspaceFile(name, data, "image/png", f"{self._tool.title} ({self._server.name})")
                (file,) = await self._workspaces.update_workspace(principal, self._conversation, [new], (), None)
                lines.append(f"- {file.name} ({file.media}, version {file.version}, {file.size} bytes): {file.alt}")
            except EclairError:
                lines.append(f"- picture {number}, which can't be shown")
        return "\n\nFiles made:\n" + "\n".join(lines)


@dataclass(frozen=True, slots=True)
class McpToolSource:
    """The tools of all servers that somebody has on, and their resources if there is a `shelf` for them."""

    service: McpService
    storage: Storage
    shelf: ResourceShelf | None = None

    async def tools(
        self,
        principal: Principal,
        answer: AnswerRef | None,
        switched: Mapping[str, bool],
        named: Collection[str] | None,
    ) -> list[Tool]:
        """Return the tools for an answer; those of a temporary chat keep nothing.

        `switched` and `named` are as `switched` and `tools` in `McpWish`.
        """
        conversation = answer.conversation if answer is not None else None
        offered = await self.service.offered(principal, McpWish(conversation, switched, named))
        found: dict[str, Tool] = {tool.name: tool for tool in server_tools(self.service, offered, self.storage, answer)}
        if self.shelf is not None:
            for offer in offered:
                if offer.has_resources:
                    made = McpResourcesTool(self.shelf, offer.server, answer)
                    found.setdefault(made.name, made)
        return list(found.values())


def server_tools(
    service: McpService, offered: Sequence[McpOffer], storage: Storage, answer: AnswerRef | None
) -> list[McpServerTool]:
    """Return the tools of servers, in the order of their names. One whose name is another's is left out."""
    found: dict[str, McpServerTool] = {}
    before = 0
    for each in offered:
        for tool in each.tools:
            made = McpServerTool(service, each.server, tool, before, storage, answer)
            if made.name not in found:
                found[made.name] = made
                before = made.end
    return list(found.values())


def access_of(server: StoredMcpServer, tool: McpTool) -> CallAccess:
    """Return what a call may do: the word of a server that it only reads lowers that, as far as walls hold it."""
    if not tool.says_read_only:
        return "write"
    return "outbound" if server.config.url is not None or server.config.network else "read"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _folders(value: Any, name: str = "") -> Iterator[str]:
    """Yield the folder of each path: itself where the argument says that it is one, otherwise the one that it is in."""
    if isinstance(value, Mapping):
        for key, each in cast("Mapping[str, Any]", value).items():
            yield from _folders(each, key)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _folders(each, name)
    elif isinstance(value, str):
        named = _PATH_NAME.search(name)
        if named is not None or _PATH.fullmatch(value):
            path = posixpath.normpath(value.removeprefix("file://").replace("\\", "/"))
            is_folder = path in (".", "..") or (named is not None and named["folder"] is not None)
            yield path if is_folder else posixpath.dirname(path) or "."


def _words(value: Any) -> Iterator[str]:
    """Yield the values of arguments as text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _words(each)
    elif isinstance(value, Mapping):
        for each in cast("Mapping[str, Any]", value).values():
            yield from _words(each)
    elif value is not None:
        yield str(value)
