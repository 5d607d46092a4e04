"""Arguments of `eclair canvas`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

_ACTIONS = {
    "list": "list canvases, the latest first",
    "versions": "list the versions of a canvas",
    "show": "print the text of a canvas",
    "edit": "change the text of a canvas in your editor, or take it from a file",
    "restore": "make an earlier version of a canvas the current one again, as a new version",
    "export": "write a canvas to a file",
    "remove": "erase canvases with all their versions",
}
_FORMATS = ("source", "markdown", "html", "docx", "pdf", "pptx", "xlsx", "csv")


def add_canvas_options(parser: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """Add the actions of `eclair canvas` to its parser; `positive` reads a number from 1."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list", module="canvas")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))
    for name, help in _ACTIONS.items():
        action = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        action.set_defaults(action=name)
        if name in ("list", "versions"):
            action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")
        if name == "remove":
            action.add_argument("which", nargs="+", metavar="CANVAS", help="which ones")
            action.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        elif name != "list":
            action.add_argument("which", metavar="CANVAS", help="which one")
        if name in ("show", "export"):
            earlier = "an earlier version; the current one by default"
            action.add_argument("--version", type=positive, metavar="N", help=earlier)
        if name == "edit":
            source = "take the text from a file, or from standard input if it is -"
            action.add_argument("-f", "--file", type=Path, metavar="FILE", help=source)
        if name == "restore":
            action.add_argument("version", type=positive, metavar="N", help="the number of the version")
        if name == "export":
            kinds = "format; its text as it is by default"
            action.add_argument("--format", choices=_FORMATS, default="source", help=kinds)
            action.add_argument("-o", "--output", type=Path, metavar="FILE", help="file or folder to write to")
