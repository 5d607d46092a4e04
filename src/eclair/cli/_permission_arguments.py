"""Arguments of `eclair permissions`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse


def add_permission_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))
    listing = actions.add_parser("list", help="list them", description="List them.")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")
    listing.set_defaults(action="list")
    taking = actions.add_parser("remove", help="ask again from now on", description="Ask again from now on.")
    taking.add_argument("which", nargs="+", metavar="ID", help="their ids")
    taking.set_defaults(action="remove")
