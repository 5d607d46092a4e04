"""Arguments of `eclair projects`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path

from eclair.cli._file_arguments import add_file_arguments
from eclair.cli._share_arguments import add_share_arguments

_ACTIONS = {
    "list": "list the projects, those that are shared with you too",
    "show": "print a project's settings and instructions, and with whom it is shared",
    "add": "begin a project",
    "edit": "change a project's name, instructions and settings",
    "files": "list the files of a project, add some or remove some",
    "remove": "delete a project and keep its conversations",
    "restore": "restore a project within ten minutes of its deletion",
    "share": "share a project with everyone, a group or a person, or end that",
}


def add_project_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `eclair projects` to its parser."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list", module="projects")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))
    for name, help in _ACTIONS.items():
        action = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        action.set_defaults(action=name)
        if name == "list":
            action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print it as JSON")
            continue
        if name == "restore":
            action.add_argument("id", metavar="ID", help="its id, which `remove` printed")
            continue
        action.add_argument("name", metavar="NAME", help="its name")
        if name == "edit":
            _add_changes(action)
        if name == "files":
            add_file_arguments(action)
        if name == "share":
            add_share_arguments(action)
        if name == "remove":
            action.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _add_changes(action: argparse.ArgumentParser) -> None:
    action.add_argument("--rename", metavar="NAME", help="its new name")
    text = action.add_mutually_exclusive_group()
    text.add_argument("--instructions", metavar="TEXT", help="instructions for its conversations; empty for none")
    text.add_argument("-f", "--file", type=Path, metavar="FILE", help="read the instructions from a file")
    action.add_argument("--model", metavar="MODEL", help="the model that answers there; empty for the person's")
    web = "whether the web is searched there; default leaves that to the person"
    action.add_argument("--web", choices=("off", "auto", "on", "default"), help=web)
    memory = "what is remembered there: own for the project's memories alone, both for the person's other ones too"
    action.add_argument("--memory", choices=("own", "both"), help=memory)
    tools = "tools that are offered there, separated by commas; all for every one, none for none"
    action.add_argument("--tools", metavar="TOOLS", help=tools)
