"""Charts that Python made for an answer, as images wherever a conversation is shown outside the app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from eclair.schema.messages import Message, Part
from eclair.tools.run_python import PYTHON_TOOL_NAME, MadeFile, read_made_files
from eclair.tools.run_skill_script import RUN_SKILL_SCRIPT_TOOL_NAME

CHART_ID_PREFIX = "chart:"
SVG = "image/svg+xml"
MAX_BYTES = {"image/png": 8_000_000, "image/jpeg": 8_000_000, "image/webp": 8_000_000, SVG: 1_000_000}
"""Sizes up to which the app shows files as images, by their type."""
_TOOLS = (PYTHON_TOOL_NAME, RUN_SKILL_SCRIPT_TOOL_NAME)


def show_charts(message: Message) -> Message:
    """Add each chart as a part of kind `picture` after the result that names it; its id is for `chart_file`."""
    parts: list[tuple[int | None, Part]] = []
    for index, part in enumerate(message.parts):
        parts.append((index, part))
        if part.kind == "tool_result" and part.name in _TOOLS:
            parts += [(None, _chart_part(file)) for file in _shown_files(read_made_files(part.text))]
    return replace_parts(message, parts)


def chart_file(id: str | None) -> tuple[str, int] | None:
    """Return name and version of the file that a part's id names; None for one that is no chart."""
    prefix, _, rest = (id or "").partition(":")
    version, _, name = rest.partition(":")
    return (name, int(version)) if f"{prefix}:" == CHART_ID_PREFIX and version.isdecimal() and name else None


def replace_parts(message: Message, parts: Sequence[tuple[int | None, Part]]) -> Message:
    """Give a message these parts, each with its index until now, None for a new one.

    Citations, doubts and computed figures go along with the part they are in.
    """
    moved = {index: place for place, (index, _) in enumerate(parts) if index is not None}
    return replace(
        message,
        parts=tuple(part for _, part in parts),
        citations=tuple(replace(each, index=moved[each.index]) for each in message.citations if each.index in moved),
        doubts=tuple(replace(each, index=moved[each.index]) for each in message.doubts if each.index in moved),
        computed_figures=tuple(
            replace(each, index=moved[each.index]) for each in message.computed_figures if each.index in moved
        ),
    )


def _chart_part(file: MadeFile) -> Part:
    return Part("picture", file.alt or file.name, f"{CHART_ID_PREFIX}{file.version}:{file.name}")


def _shown_files(files: Sequence[MadeFile]) -> list[MadeFile]:
    """Return the files that the app shows: images, and drawings that are there as no other image."""
    shown = [file for file in files if file.size <= MAX_BYTES.get(file.media, -1)]
    stems = {PurePosixPath(file.name).with_suffix("") for file in shown if file.media != SVG}
    return [file for file in shown if file.media != SVG or PurePosixPath(file.name).with_suffix("") not in stems]
