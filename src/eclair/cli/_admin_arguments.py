"""Arguments of `eclair admin`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from eclair.schema.announcements import ANNOUNCEMENT_LEVELS
from eclair.schema.principal import ROLES

PEOPLE_ACTIONS = {
    "list": "list the people, or those whose name, display name or address has a text in it",
    "add": "add an account and print a link by which its person chooses a password",
    "lock": "lock an account; its sessions end and its keys let nobody in",
    "unlock": "unlock an account",
    "role": "give a person another role",
    "reset-password": "print a link by which a person chooses a new password",
    "end-sessions": "end all sessions of a person",
    "delete": "delete an account; what its person kept stays",
}
GROUP_ACTIONS = {
    "list": "list the groups, or those whose name has a text in it",
    "add": "add a group",
    "delete": "delete a group; its members stay",
    "members": "list the members of a group",
    "add-member": "add a person to a group",
    "remove-member": "remove a person from a group",
}


def add_admin_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `eclair admin` to its parser."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=type(parser))
    setup = actions.add_parser(
        "setup-code",
        help="print a new code for the first account",
        description="Print a new code for the first account.",
    )
    setup.set_defaults(action="setup-code")
    rights = actions.add_parser(
        "rights",
        help="show what a person may use, with the reason",
        description="Show what a person may use, with the reason.",
    )
    rights.set_defaults(action="rights")
    rights.add_argument("name", metavar="NAME", help="name to sign in with")
    rights.add_argument("--json", action="store_true", help="print the rights as JSON")
    _add_policy_actions(actions.add_parser)
    _add_announcement_actions(actions.add_parser, type(parser))
    for topic, choices in (("people", PEOPLE_ACTIONS), ("groups", GROUP_ACTIONS)):
        help = f"list and change {topic}"
        added = actions.add_parser(topic, help=help, description=f"L{help[1:]}.")
        inner = added.add_subparsers(metavar="ACTION", required=True, parser_class=type(parser))
        for name, meaning in choices.items():
            action = inner.add_parser(name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
            action.set_defaults(action=f"{topic} {name}")
            _add_details(action, topic, name)


def _add_policy_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    apply = add(
        "apply",
        help="apply a policy file: rights, budgets, retention, engines, branding and more",
        description="Apply a policy file: rights, budgets, retention, engines, branding and more; see docs/policy.md.",
    )
    apply.set_defaults(action="apply")
    apply.add_argument("file", nargs="?", metavar="FILE", help="the file (TOML); that of the settings unless given")
    apply.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    export = add(
        "export",
        help="write the present state as a policy file, without keys",
        description="Write the present state as a policy file, without keys.",
    )
    export.set_defaults(action="export")
    export.add_argument("file", nargs="?", metavar="FILE", help="the file to write; standard output unless given")
    drift = add(
        "drift",
        help="say where the store differs from the policy file of the settings; exit code 1 if it does",
        description="Say where the store differs from the policy file of the settings; exit code 1 if it does.",
    )
    drift.set_defaults(action="drift")
    for action in (apply, drift):
        action.add_argument("--json", action="store_true", help="print the differences as JSON")


def _add_announcement_actions(
    add: Callable[..., argparse.ArgumentParser], parser_class: type[argparse.ArgumentParser]
) -> None:
    help = "list and change what is said to everybody"
    announcements = add("announcements", help=help, description=f"L{help[1:]}.")
    inner = announcements.add_subparsers(metavar="ACTION", required=True, parser_class=parser_class)
    listing = inner.add_parser("list", help="list the announcements", description="List the announcements.")
    listing.set_defaults(action="announcements list")
    listing.add_argument("--json", action="store_true", help="print the list as JSON")
    adding = inner.add_parser("add", help="add an announcement", description="Add an announcement.")
    adding.set_defaults(action="announcements add")
    adding.add_argument(
        "--text",
        action="append",
        required=True,
        metavar="[LANGUAGE=]TEXT",
        help="text in a language, such as de=TEXT; English unless given; the first is for everybody else",
    )
    adding.add_argument("--level", choices=ANNOUNCEMENT_LEVELS, default="info", help="info unless given")
    adding.add_argument("--from", dest="begins", metavar="TIME", help="show it from a day or time on (ISO 8601)")
    adding.add_argument("--until", dest="ends", metavar="TIME", help="show it until a day or time (ISO 8601)")
    adding.add_argument("--keep-open", action="store_true", help="let nobody close it")
    removing = inner.add_parser("remove", help="remove an announcement", description="Remove an announcement.")
    removing.set_defaults(action="announcements remove")
    removing.add_argument("id", metavar="ID", help="id of the announcement")


def _add_details(action: argparse.ArgumentParser, topic: str, name: str) -> None:
    if name == "list":
        action.add_argument("query", nargs="?", default="", metavar="TEXT", help="text to look for")
        action.add_argument("--json", action="store_true", help="print the list as JSON")
        return
    of_group = topic == "groups"
    action.add_argument("name", metavar="NAME", help="name of the group" if of_group else "name to sign in with")
    if name == "members":
        action.add_argument("--json", action="store_true", help="print the list as JSON")
    if name in ("add-member", "remove-member"):
        action.add_argument("person", metavar="PERSON", help="name that the person signs in with")
    if name == "role":
        action.add_argument("role", choices=ROLES, help="the new role")
    if name == "add" and not of_group:
        action.add_argument("--display-name", default="", metavar="TEXT", help="name that others see")
        action.add_argument("--email", metavar="ADDRESS", help="e-mail address")
        action.add_argument("--role", choices=ROLES, default="member", help="member unless given")
