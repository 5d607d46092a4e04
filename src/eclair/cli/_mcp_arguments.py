"""Arguments of `eclair mcp`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse


def add_mcp_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser), required=True)

    def action(name: str, help: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        added.set_defaults(action=name)
        return added

    serving = action("serve", "offer documents, web search and answers to a program that starts this command")
    serving.set_defaults(module="mcp_serve")
