"""Sharing at the command line: of prompts, projects and assistants, by their names."""

from __future__ import annotations

import argparse
import re
import time

from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.sharing import AccessShare, SharedStore

ACCESS = {"own": "yours", "edit": "editor", "view": "viewer"}
_SUBJECT = re.compile(r"everyone|(?:person|group):[\w.:-]{1,200}")


def read_subject(arguments: argparse.Namespace) -> str:
    """Return with whom something is to be shared. Raises InvalidInput."""
    subject: str = arguments.subject
    if _SUBJECT.fullmatch(subject) is None:
        raise InvalidInput(f"{subject!r} is none of everyone, group:ID, person:ID.")
    return subject


async def share_object(
    store: SharedStore, id: str, subject: str, called: str, arguments: argparse.Namespace, terminal: Terminal
) -> None:
    """Share something with a subject as the arguments say, or end its share; `called` names it in the reply."""
    if arguments.end:
        await store.unshare(LOCAL_PRINCIPAL, id, subject)
    else:
        access = "edit" if arguments.edit else "view"
        await store.share(LOCAL_PRINCIPAL, AccessShare(id, subject, access, int(time.time() * 1000)))
    terminal.line(f"The {called} is {'no longer ' if arguments.end else ''}shared with {subject}.")


async def show_shares(store: SharedStore, id: str, terminal: Terminal) -> None:
    """Print with whom something is shared, and as what."""
    for share in await store.list_shares(LOCAL_PRINCIPAL, id):
        terminal.note(f"Shared with {share.subject} ({ACCESS[share.access]}).")
