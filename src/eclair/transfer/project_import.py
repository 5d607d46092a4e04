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
from eclair.storage.projects import Project
from eclair.transfer.archive import ArchivedProject


async def import_project(storage: Storage, principal: Principal, archived: ArchivedProject) -> str:
    """Add a project unless it is here, put its conversations in it, and return its id here."""
    known = [each.project for each in await storage.projects.list_projects(principal)]
    mine = [each for each in known if each.access == "own"]
    here = next((each for each in mine if each.id == archived.id or each.name == archived.name), None)
    if here is None:
        here = await _add(storage, principal, archived)
    for id in archived.conversations:
        with contextlib.suppress(NotFound):
            if (await storage.conversations.get_conversation(principal, id)).project_id is None:
                await storage.conversations.edit_conversation(principal, id, ConversationEdit(project_id=here.id))
    return here.id


async def _add(storage: Storage, principal: Principal, archived: ArchivedProject) -> Project:
    libraries = {each.library.id: each.library for each in await storage.libraries.list_libraries(principal)}
    new = Project(
        id=archived.id,
        owner=principal.id,
        name=archived.name,
        created=archived.created,
        instructions=archived.instructions,
        model=archived.model,
        web=archived.web,
        tools=archived.tools,
        libraries=tuple(id for id in archived.libraries if id in libraries),
        memory=archived.memory,
    )
    try:
        await storage.projects.add_project(principal, new)
    except Conflict:  # the id is another person's
        new = replace(new, id=new_id("proj", time.time))
        await storage.projects.add_project(principal, new)
    own = libraries.get(archived.library or "")
    if own is not None and own.access == "own":
        await storage.projects.open_library(principal, new.id, own)
    return new
