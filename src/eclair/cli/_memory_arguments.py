"""Arguments of `eclair memory`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_memory_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.add_argument("--project", metavar="NAME", help="only what is kept in this project")
    parser.set_defaults(action="list", words=[])
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))

    def action(name: str, help: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        added.set_defaults(action=name)
        return added

    listing = action("list", "list what is kept, or only what has these words")
    listing.add_argument("words", nargs="*", metavar="WORDS", help="words to look for")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")
    adding = action("add", "keep a sentence")
    adding.add_argument("words", nargs="+", metavar="WORDS", help="the sentence")
    here, there = "only what is kept in this project", "keep it in this project, where alone it is used"
    listing.add_argument("--project", metavar="NAME", default=argparse.SUPPRESS, help=here)
    adding.add_argument("--project", metavar="NAME", default=argparse.SUPPRESS, help=there)
    editing = action("edit", "replace a sentence")
    editing.add_argument("which", metavar="ID", help="its id")
    editing.add_argument("words", nargs="+", metavar="WORDS", help="the new sentence")
    action("remove", "erase sentences").add_argument("which", nargs="+", metavar="ID", help="their ids")
    action("export", "write everything as JSON").add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="file to write to; standard output by default"
    )
