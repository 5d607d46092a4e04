"""Arguments of `eclair skills`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_skill_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `eclair skills` to its parser."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))

    def action(name: str, help: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        added.set_defaults(action=name)
        return added

    def named(name: str, help: str) -> argparse.ArgumentParser:
        added = action(name, help)
        added.add_argument("name", metavar="NAME", help="its name")
        return added

    listing = action("list", "list your skills, and those that come with Éclair")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")
    showing = named("show", "print the SKILL.md of a skill and its files, or one of those")
    showing.add_argument("file", nargs="?", metavar="FILE", help="a file of the skill")
    importing = action("import", "add the skill of a folder, a zip or a SKILL.md, switched off")
    importing.add_argument("path", type=Path, metavar="PATH", help="the folder, zip or SKILL.md")
    on = named("on", "show a skill and switch it on")
    on.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    named("off", "switch a skill off")
    exporting = named("export", "write a skill as a zip")
    output = "file to write to; NAME.zip here by default"
    exporting.add_argument("-o", "--output", type=Path, metavar="FILE", help=output)
    removing = named("remove", "delete a skill of yours")
    removing.add_argument("--yes", action="store_true", help="do not ask for confirmation")
