"""Sentences about calls of tools and their results, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from eclair.schema.events import CallEnded
from eclair.schema.messages import CallOutcome, Part
from eclair.tools.run_python import MADE_FILES_MARK, PYTHON_TOOL_NAME, MadeFile, read_made_files
from eclair.tools.run_skill_script import RUN_SKILL_SCRIPT_TOOL_NAME
from eclair.util.humanize import format_size

MAX_REASON_CHARS = 300
_OUTCOMES: dict[CallOutcome, str] = {
    "done": "",
    "failed": "failed",
    "late": "timed out",
    "declined": "declined",
    "stopped": "stopped",
    "unknown": "may or may not have been done; please check",
}
_PYTHON_TOOLS = (PYTHON_TOOL_NAME, RUN_SKILL_SCRIPT_TOOL_NAME)
_NO_OUTPUT = "Output:\n(nothing)"
_NOTE = "\n\nNote: "
"""The beginning of advice to the model, at the end of a result."""


def describe_call_end(summary: str, event: CallEnded) -> str:
    """Say how a call ended, as in `Search the web for “Brest” · failed · 312 bytes left this machine`.

    Empty for one that was done and sent nothing.
    """
    sent = f"{format_size(event.sent_bytes)} left this machine" if event.sent_bytes else ""
    facts = [fact for fact in (_OUTCOMES[event.outcome], sent) if fact]
    return " · ".join((summary.removesuffix("."), *facts)) if facts else ""


def describe_result(tool: str, text: str, ended: CallEnded | None) -> str:
    """Return what to show of the result of a call that `ended`: what code printed, its error, and the files made.

    Of other tools, and where the call has a fault, why they failed; empty if there is nothing to show.
    """
    if ended is not None and ended.fault is not None:
        return textwrap.shorten(ended.fault.message, MAX_REASON_CHARS, placeholder="…")
    outcome = ended.outcome if ended is not None else None
    files = ", ".join(f"{file.name} ({format_size(file.size)})" for file in _read_files(tool, text))
    return "\n".join(filter(None, (_read_text(tool, text, outcome), f"Files made: {files}" if files else "")))


def _without_notes(text: str) -> str:
    end = len(text)
    while (at := text.rfind(_NOTE, 0, end)) >= 0 and text.find("\n", at + len(_NOTE), end) < 0:
        end = at
    return text[:end]


def _read_text(tool: str, text: str, outcome: CallOutcome | None) -> str:
    if tool in _PYTHON_TOOLS and outcome in ("done", "failed", "late"):
        printed = _without_notes(text.rpartition(MADE_FILES_MARK)[0].rstrip() or text)
        return printed.removeprefix(_NO_OUTPUT).removeprefix("Error: ").strip("\n")
    if outcome in ("failed", "late"):
        return textwrap.shorten(text.removeprefix("Error: ").partition("\n")[0], MAX_REASON_CHARS, placeholder="…")
    return ""


def list_made_files(parts: Iterable[Part]) -> list[MadeFile]:
    """List the files that the calls of an answer made, each in its last version."""
    made: dict[str, MadeFile] = {}
    for part in parts:
        if part.kind == "tool_result":
            made |= {file.name: file for file in _read_files(part.name or "", part.text)}
    return list(made.values())


def _read_files(tool: str, text: str) -> list[MadeFile]:
    """Return the files that a result names: of Python, and of tools of MCP servers, which make pictures."""
    return read_made_files(text) if tool in _PYTHON_TOOLS or "__" in tool else []
