"""Arguments of `eclair mcp`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse


def add_mcp_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))

    def action(name: str, help: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        added.set_defaults(action=name)
        return added

    listing = action("list", "list the servers")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")
    adding = action("add", "add a server by its address, or by a command after --")
    adding.add_argument("name", metavar="NAME", help="a name of your choice: lowercase letters, digits, dashes")
    adding.add_argument("target", nargs="+", metavar="URL | -- COMMAND", help="its address, or its command")
    adding.add_argument(
        "--variable",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable of the command, kept encrypted",
    )
    adding.add_argument(
        "--header", action="append", default=[], metavar="NAME=VALUE", help="a header for the address, kept encrypted"
    )
    adding.add_argument("--token", action="store_true", help="ask for a bearer token, or read it from a pipe")
    adding.add_argument(
        "--client-id",
        metavar="ID",
        help="the id that the service gave Éclair, where programs can't register themselves",
    )
    adding.add_argument("--client-secret", action="store_true", help="ask for that id's secret, or read it from a pipe")
    adding.add_argument(
        "--folder", action="append", default=[], metavar="FOLDER", help="a folder that the command may change"
    )
    adding.add_argument(
        "--readable", action="append", default=[], metavar="FOLDER", help="a folder that the command may read"
    )
    adding.add_argument("--network", action="store_true", help="let the command connect to other machines")
    adding.add_argument("--default", action="store_true", help="have it on for everybody")
    adding.add_argument("--allow", action="store_true", help="allow its tools without asking")
    checking = action("check", "connect to a server and list its tools")
    checking.add_argument("name", metavar="NAME", help="its name")
    checking.add_argument("--allow", action="store_true", help="allow its tools as they are now")
    for name, help in (
        ("on", "have models call a server's tools"),
        ("off", "have them not"),
        ("sign-in", "sign in at a server that wants it, with a browser"),
        ("sign-out", "sign out of a server, and have the tokens revoked"),
        ("remove", "remove a server"),
    ):
        named = action(name, help)
        named.add_argument("name", metavar="NAME", help="its name")
        if name == "sign-in":
            port = "port of this machine that the service knows, where it takes no other; any free one by default"
            named.add_argument("--port", type=int, choices=range(1, 65536), default=0, metavar="N", help=port)
    action("resources", "list what a server has to read").add_argument("name", metavar="NAME", help="its name")
    reading = action("read", "print a resource of a server")
    reading.add_argument("name", metavar="NAME", help="its name")
    reading.add_argument("uri", metavar="URI", help="the resource, as `eclair mcp resources` lists it")
    action("prompts", "list the prompts of a server").add_argument("name", metavar="NAME", help="its name")
    writing = action("prompt", "print a prompt of a server")
    writing.add_argument("name", metavar="NAME", help="its name")
    writing.add_argument("prompt", metavar="PROMPT", help="the prompt, as `eclair mcp prompts` lists it")
    writing.add_argument("values", nargs="*", metavar="ARGUMENT=VALUE", help="what it asks for")
    serving = action("serve", "offer documents, web search and answers to a program that starts this command")
    serving.set_defaults(module="mcp_serve")
