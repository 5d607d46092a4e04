"""Questions that a server asks in the middle of a call, on a terminal: field by field, or a page to visit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from eclair.errors import InvalidInput
from eclair.mcp_servers.elicitation_answers import check_answer, read_value
from eclair.schema.elicitations import Elicitation, ElicitationAction, ElicitationField, FieldValue

DECLINE, CANCEL = "/decline", "/cancel"

ReadLine = Callable[[], Awaitable[str | None]]
Say = Callable[[str], None]


async def ask_question(asked: Elicitation, read: ReadLine, say: Say) -> tuple[ElicitationAction, dict[str, FieldValue]]:
    """Ask the person; return what they do, and the values of the form. Without further input it is cancelled."""
    say(f"The MCP server {asked.server!r} asks you: {asked.message}")
    if asked.url is not None:
        return await _visit(asked.url, read, say), {}
    say(f"Your answer goes to this server alone; never enter a password. {DECLINE} declines, {CANCEL} leaves it.")
    content: dict[str, FieldValue] = {}
    for field in asked.fields:
        say(_describe(field))
        while True:
            typed = await read()
            if typed is None or typed.strip() == CANCEL:
                return "cancel", {}
            if typed.strip() == DECLINE:
                return "decline", {}
            try:
                value = _value(field, typed)
                content |= check_answer([field], {} if value is None else {field.name: value})
                break
            except InvalidInput as error:
                say(error.message)
    return "accept", content


async def _visit(url: str, read: ReadLine, say: Say) -> ElicitationAction:
    say(f"It wants you to visit a page of {urlsplit(url).hostname}: {url}")
    say("Type y once you have been there, n to decline.")
    while (typed := await read()) is not None:
        match typed.strip().lower():
            case "y" | "yes":
                return "accept"
            case "n" | "no" | "/decline":
                return "decline"
            case "/cancel":
                break
            case _:
                say("Type y or n.")
    return "cancel"


def _value(field: ElicitationField, typed: str) -> FieldValue | None:
    """Return what was typed, or else the default; None for neither."""
    typed = typed.strip() or ",".join(field.default)
    return read_value(field, typed) if typed else None


def _describe(field: ElicitationField) -> str:
    options = " · ".join(f"{number}: {each.title}" for number, each in enumerate(field.options, 1))
    enter = "" if field.is_required else "Enter leaves it out"
    notes = [
        field.description,
        options,
        "several, with commas" if field.kind == "choices" else "",
        "y or n" if field.kind == "boolean" else "",
        f"Enter takes {_shown_default(field)}" if field.default else enter,
    ]
    shown = "; ".join(note for note in notes if note)
    return f"{field.title}{f' ({shown})' if shown else ''}"


def _shown_default(field: ElicitationField) -> str:
    titles = {each.value: each.title for each in field.options}
    if field.kind == "boolean":
        return "y" if field.default == ("true",) else "n"
    return ", ".join(titles.get(each, each) for each in field.default)
