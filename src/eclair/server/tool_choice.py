"""Checks which tool a foreign request lets the model call."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from eclair.errors import InvalidInput


def check_tool_choice(chosen: Sequence[str], tools: Collection[str], *, lacks_tools: bool) -> None:
    """Raise InvalidInput if a chosen tool is not among the tools, or if it `lacks_tools` that it requires."""
    unknown = next((name for name in chosen if name not in tools), None)
    if unknown is not None:
        raise InvalidInput(f"`tool_choice` names {unknown!r}, which is not among the `tools`.", param="tool_choice")
    if lacks_tools:
        raise InvalidInput("`tool_choice` requires a call, and there are no `tools`.", param="tool_choice")
