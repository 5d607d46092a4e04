"""Imports projects of Éclair's own archive, which take the imported conversations that are in none."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

from eclair.errors import Conflict, NotFound
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.conversations import ConversationEdit
from eclair.storage.libraries import Library
from eclair.storage.projects import Project
from eclair.transfer.archive import ArchivedProject


async def import_project(
    storage: Storage, principal: Principal, archived: ArchivedProject, added_libraries: dict[str, Library]
) -> str:
    """Add a project unless it is here, put its conversations in it, and return its id here.

    Its own files become its own again where their library is one of `added_libraries`, and is taken from those. One
    that was here before, and may be anything, is searched, but stays apart.
    """
    known = [each.project for each in await storage.projects.list_projects(principal)]
    mine = [each for each in known if each.access == "own"]
    here = next((each for each in mine if each.id == archived.id or each.name == archived.name), None)
    if here is None:
        here = await _add(storage, principal, archived, added_libraries)
    for id in archived.conversations:
        with contextlib.suppress(NotFound):
            if (await storage.conversations.get_conversation(principal, id)).project_id is None:
                await storage.conversations.edit_conversation(principal, id, ConversationEdit(project_id=here.id))
    return here.id


async def _add(
    storage: Storage, principal: Principal, archived: ArchivedProject, added_libraries: dict[str, Library]
) -> Project:
    here = {each.library.id for each in await storage.libraries.list_libraries(principal)}
    own = added_libraries.get(archived.library or "")
    wanted = (*archived.libraries, *([] if own is not None or archived.library is None else [archived.library]))
    new = Project(
        id=archived.id,
        owner=principal.id,
        name=archived.name,
        created=archived.created,
        instructions=archived.instructions,
        model=archived.model,
        web=archived.web,
        tools=archived.tools,
        libraries=tuple(id for id in dict.fromkeys(wanted) if id in here),
        memory=archived.memory,
    )
    try:
        await storage.projects.add_project(principal, new)
    except Conflict:  # the id is another person's
        new = replace(new, id=new_id("proj", time.time))
        await storage.projects.add_project(principal, new)
    if own is not None and archived.library is not None:
        await storage.projects.open_library(principal, new.id, own)
        del added_libraries[archived.library]
    return new
