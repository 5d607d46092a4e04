"""Arguments of `eclair prompts`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path

from eclair.cli._share_arguments import add_share_arguments

_ACTIONS = {
    "list": "list the prompts, those that are shared with you too",
    "show": "print a prompt's text, and with whom it is shared",
    "add": "save a prompt",
    "edit": "change a prompt's text or name",
    "remove": "delete a prompt",
    "share": "share a prompt with everyone, a group or a person, or end that",
}


def add_prompt_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `eclair prompts` to its parser."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list", module="prompts")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))
    for name, help in _ACTIONS.items():
        action = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        action.set_defaults(action=name)
        if name == "list":
            action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print it as JSON")
            continue
        action.add_argument("name", metavar="NAME", help="its name, a word")
        if name in ("add", "edit"):
            text = action.add_mutually_exclusive_group()
            help = "its text, in which {{name}} is a variable; standard input if neither is given"
            text.add_argument("text", nargs="?", metavar="TEXT", help=help)
            text.add_argument("-f", "--file", type=Path, metavar="FILE", help="read its text from a file")
        if name == "edit":
            action.add_argument("--rename", metavar="NAME", help="its new name")
        if name == "share":
            add_share_arguments(action)
        if name == "remove":
            action.add_argument("--yes", action="store_true", help="do not ask for confirmation")
