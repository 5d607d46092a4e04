"""A tool that MCP clients may call: name, schemas of its arguments and result, and the service behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mcp.types import ContentBlock, ResourceLink, TextContent, ToolAnnotations
from mcp.types import Tool as ToolDefinition
from pydantic import BaseModel, ConfigDict

from eclair.generation.tools import without_titles
from eclair.schema.principal import Principal

TellProgress = Callable[[str], Awaitable[None]]
"""Tells a client in one sentence how far a call is."""


class ToolArguments(BaseModel):
    """Arguments of a call; fields that a tool doesn't have are refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class CallReply:
    """The result of a call: as values, as text for models, and links to what it rests on."""

    result: BaseModel
    text: str
    links: tuple[ResourceLink, ...] = ()

    def content(self) -> list[ContentBlock]:
        return [TextContent(text=self.text), *self.links]


@dataclass(frozen=True, slots=True)
class ServedTool:
    """A tool, which only reads. One that `needs_web` is for those who may use it.

    With `is_outbound` a call may leave this machine; one that `is_repeatable` costs nothing the second time.
    """

    name: str
    title: str
    description: str
    arguments: type[ToolArguments]
    result: type[BaseModel]
    run: Callable[[Principal, Any, TellProgress], Awaitable[CallReply]]
    needs_web: bool = False
    is_outbound: bool = False
    is_repeatable: bool = True

    def definition(self) -> ToolDefinition:
        return ToolDefinition(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=without_titles(self.arguments.model_json_schema()),
            output_schema=without_titles(self.result.model_json_schema(mode="serialization")),
            annotations=ToolAnnotations(
                read_only_hint=True,
                destructive_hint=False,
                idempotent_hint=self.is_repeatable,
                open_world_hint=self.is_outbound,
            ),
        )
