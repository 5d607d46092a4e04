"""Arguments of `eclair schedules`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse


def add_schedule_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))

    def action(name: str, help: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        added.set_defaults(action=name)
        return added

    listing = action("list", "list schedules, with their next and last time")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")
    adding = action("add", "add a schedule")
    adding.add_argument("words", nargs="+", metavar="QUESTION", help="what to ask")
    adding.add_argument("--at", metavar="TIME", default="07:00", help="time of day; 07:00 by default")
    adding.add_argument(
        "--every",
        choices=("day", "weekday", "week", "month"),
        default="day",
        help="how often: a week is on Mondays, a month on its first day; every day by default",
    )
    adding.add_argument("--cron", metavar="LINE", help='a cron line instead, such as "0 7 * * 1-5"')
    adding.add_argument(
        "--zone", metavar="ZONE", help="time zone, such as Europe/Berlin; that of this machine by default"
    )
    adding.add_argument("--name", default="", help="name; the beginning of the question by default")
    adding.add_argument("--model", metavar="MODEL", help="model that answers")
    adding.add_argument("--assistant", metavar="NAME", help="assistant that new conversations begin with")
    adding.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="TOOL",
        help="tool that may change something without asking; several times for several",
    )
    adding.add_argument("--web", action="store_true", help="search the web")
    adding.add_argument("--same", action="store_true", help="keep to one conversation")
    action("remove", "erase schedules").add_argument("which", nargs="+", metavar="ID", help="their ids")
    action("run", "ask a schedule's question now").add_argument("which", metavar="ID", help="its id")
