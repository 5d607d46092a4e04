"""Arguments of `eclair assistants`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path

from eclair.cli._file_arguments import add_file_arguments
from eclair.cli._share_arguments import add_share_arguments

_ACTIONS = {
    "list": "list the assistants, those that are shared with you too",
    "show": "print what an assistant is, and with whom it is shared",
    "add": "set up an assistant",
    "edit": "change an assistant; what isn't named stays as it is",
    "remove": "delete an assistant with its files",
    "files": "list the files of an assistant, add some or remove some",
    "share": "share an assistant with everyone, a group or a person, or end that",
    "import": "add the assistant of a file, of Éclair or of OpenAI",
    "export": "write an assistant as a JSON file, or with its files as a zip",
}


def add_assistant_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `eclair assistants` to its parser."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list", module="assistants")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))
    for name, help in _ACTIONS.items():
        action = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        action.set_defaults(action=name)
        if name == "list":
            action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print it as JSON")
        if name == "import":
            action.add_argument("file", type=Path, metavar="FILE", help="the file")
        elif name != "list":
            action.add_argument("name", metavar="NAME", help="its name")
        if name in ("add", "edit"):
            _add_fields(action)
        if name == "edit":
            action.add_argument("--rename", metavar="NAME", help="its new name")
        if name == "export":
            help = "file to write to; standard output by default"
            action.add_argument("-o", "--output", type=Path, metavar="FILE", help=help)
        if name == "share":
            add_share_arguments(action)
        if name == "files":
            add_file_arguments(action)
        if name == "remove":
            action.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _add_fields(action: argparse.ArgumentParser) -> None:
    text = action.add_mutually_exclusive_group()
    text.add_argument("--instructions", metavar="TEXT", help="what it is to do, and how")
    text.add_argument("-f", "--file", type=Path, metavar="FILE", help="read its instructions from a file")
    action.add_argument("--description", metavar="TEXT", help="a sentence on what it is for")
    action.add_argument("--emoji", metavar="EMOJI", help="an emoji that stands for it")
    action.add_argument("--model", metavar="ID", help="model of its conversations; `eclair models` lists them")
    action.add_argument("--web", choices=("off", "auto", "on"), help="web search in its conversations")
    every = "; give it once for each"
    tool = f"a tool that it may call, all by default{every}"
    action.add_argument("--tool", action="append", metavar="NAME", help=tool)
    action.add_argument("--library", action="append", metavar="NAME", help=f"a library that it searches{every}")
    action.add_argument("--starter", action="append", metavar="TEXT", help=f"a question to begin with{every}")
