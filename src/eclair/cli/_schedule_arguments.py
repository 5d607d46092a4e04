"""Arguments of `eclair schedules`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse

_ACTIONS = {
    "list": "list schedules, with their next and last time",
    "add": "add a schedule",
    "edit": "change a schedule; what isn't named stays as it is",
    "on": "switch schedules on; one that was paused counts its failures from 0",
    "off": "switch schedules off",
    "remove": "erase schedules",
    "run": "ask a schedule's question now",
}


def add_schedule_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `eclair schedules` to its parser."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=type(parser))
    for name, help in _ACTIONS.items():
        action = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        action.set_defaults(action=name)
        match name:
            case "list":
                action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print it as JSON")
            case "add":
                _add_new(action)
            case "edit":
                _add_changes(action)
            case "run":
                action.add_argument("which", metavar="ID", help="its id")
            case _:
                action.add_argument("which", nargs="+", metavar="ID", help="their ids")


def _add_new(action: argparse.ArgumentParser) -> None:
    action.add_argument("words", nargs="+", metavar="QUESTION", help="what to ask")
    _add_time(action, at="; 07:00 by default", every="; every day by default", zone="; that of this machine by default")
    action.add_argument("--name", default="", help="name; the beginning of the question by default")
    _add_question_options(action, "", several="; give it once for each")
    action.add_argument("--web", action="store_const", const="on", help="search the web")
    action.add_argument(
        "--same", action="store_const", const="same", default="new", dest="keeps", help="keep to one conversation"
    )


def _add_changes(action: argparse.ArgumentParser) -> None:
    action.add_argument("which", metavar="ID", help="its id")
    action.add_argument("--question", metavar="TEXT", help="what to ask")
    _add_time(action, at="", every="", zone="")
    action.add_argument("--name", help="its new name")
    _add_question_options(
        action, "; empty for none", several="; give it once for each, in place of those before, or empty for none"
    )
    web = "whether the web is searched; default leaves that to the person's choice"
    action.add_argument("--web", choices=("off", "auto", "on", "default"), help=web)
    keeps = action.add_mutually_exclusive_group()
    for name, help in (("same", "keep to one conversation"), ("new", "begin a new conversation each time")):
        keeps.add_argument(f"--{name}", action="store_const", const=name, dest="keeps", help=help)


def _add_time(action: argparse.ArgumentParser, at: str, every: str, zone: str) -> None:
    action.add_argument("--at", metavar="TIME", help=f"time of day, such as 07:00{at}")
    action.add_argument(
        "--every",
        choices=("day", "weekday", "week", "month"),
        help=f"how often: a week is on Mondays, a month on its first day{every}",
    )
    action.add_argument("--cron", metavar="LINE", help='a cron line instead, such as "0 7 * * 1-5"')
    action.add_argument("--zone", metavar="ZONE", help=f"time zone, such as Europe/Berlin{zone}")


def _add_question_options(action: argparse.ArgumentParser, single: str, several: str) -> None:
    """Add the options of the question; `single` ends the help of those with one value, `several` of the others."""
    action.add_argument("--model", metavar="MODEL", help=f"model that answers{single}")
    action.add_argument("--assistant", metavar="NAME", help=f"assistant that new conversations begin with{single}")
    action.add_argument("--project", metavar="NAME", help=f"project that new conversations are in{single}")
    feed = "feed whose newest entries the answer reads, by its id or address; `eclair feeds` lists them"
    action.add_argument("--feed", action="append", metavar="FEED", help=f"{feed}{several}")
    action.add_argument("--library", action="append", metavar="NAME", help=f"library that it searches{several}")
    tool = f"tool that may change something without asking{several}"
    action.add_argument("--allow", action="append", metavar="TOOL", help=tool)
    mail = "mail that there is an answer (notice), or the answer itself"
    action.add_argument("--mail", choices=("off", "notice", "answer"), help=mail)
