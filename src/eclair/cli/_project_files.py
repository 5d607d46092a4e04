"""Files of projects at the command line."""

from __future__ import annotations

import argparse

from eclair.chat.projects import ProjectService
from eclair.cli._owned_files import FileOwner, change_files
from eclair.cli._terminal import Terminal
from eclair.documents.ingest import Ingestor
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed


class ProjectFiles:
    """Implements `FileOwners`."""

    command = "projects"

    async def find(self, storage: Storage, name: str) -> FileOwner:
        """See `FileOwners.find`."""
        project = await storage.projects.get_project_by_name(LOCAL_PRINCIPAL, name)
        return FileOwner(project.id, project.name, project.library)

    async def open_library(self, storage: Storage, ingestor: Ingestor, owner: FileOwner) -> str:
        """See `FileOwners.open_library`. Raises Forbidden for viewers."""
        projects = ProjectService(storage.projects, storage.libraries, ChangeFeed(storage.processes), ingestor)
        return await projects.open_library(LOCAL_PRINCIPAL, owner.id)


async def change_project_files(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List, add or remove files of a project, as the arguments say; return the exit status."""
    return await change_files(settings, arguments, terminal, ProjectFiles())
