"""Tools for tests and demos, which the scripted engine calls: one each that reads, calls out, and changes something.

They do as they are told and touch nothing but a file of their own in the data folder. They are offered where the person
names them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from pydantic import BaseModel, Field

from eclair.errors import UpstreamError
from eclair.generation.tools import CALL_TIMEOUT_S, ToolContext, ToolResult, define_function
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model

EFFECTS_FILE = "scripted-effects.txt"
"""A line for each call that was made: its id and its text."""


class ScriptedArguments(BaseModel):
    text: str = Field(description="The result.")
    wait: float = Field(0.0, ge=0, description="Seconds before the effect.")
    linger: float = Field(0.0, ge=0, description="Seconds after it.")
    repeat: int = Field(1, ge=1, description="How often the text is in the result.")
    fail: bool = Field(False, description="Fail after the effect.")


class ScriptedTool:
    """Implements `Tool`."""

    arguments: type[BaseModel] = ScriptedArguments
    timeout_s = CALL_TIMEOUT_S

    def __init__(self, name: str, access: CallAccess, folder: Path) -> None:
        self.name = name
        self.access: CallAccess = access
        self._effects = folder / EFFECTS_FILE

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """See `Tool.definition`."""
        is_named = any(self.name in str(message.content) for message in messages if message.role == "user")
        return define_function(self.name, "Does what the script says.", ScriptedArguments) if is_named else None

    def summary(self, arguments: ScriptedArguments) -> str:
        """See `Tool.summary`."""
        return f"Write “{arguments.text[:80]}”"

    def scope(self, arguments: ScriptedArguments) -> str:
        """See `Tool.scope`."""
        return arguments.text.partition(":")[0] if ":" in arguments.text else ""

    def sends(self, arguments: ScriptedArguments) -> str:
        """See `Tool.sends`."""
        return arguments.text * arguments.repeat if self.access in ("outbound", "write") else ""

    def asks_if_tainted(self, arguments: ScriptedArguments) -> bool:
        """See `Tool.asks_if_tainted`."""
        return False

    async def run(self, arguments: ScriptedArguments, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Wait, write a line, and return the text."""
        await asyncio.sleep(arguments.wait)
        await asyncio.to_thread(self._write, f"{self.name} {context.call} {arguments.text}\n")
        await asyncio.sleep(arguments.linger)
        if arguments.fail:
            raise UpstreamError("The scripted tool fails, as it was told to.")
        yield ToolResult(arguments.text * arguments.repeat)

    def _write(self, line: str) -> None:
        with self._effects.open("a", encoding="utf-8") as effects:
            effects.write(line)


def scripted_tools(folder: Path) -> tuple[ScriptedTool, ...]:
    """Return the tools of the scripted engine."""
    return (
        ScriptedTool("scripted_read", "read", folder),
        ScriptedTool("scripted_send", "outbound", folder),
        ScriptedTool("scripted_write", "write", folder),
    )
