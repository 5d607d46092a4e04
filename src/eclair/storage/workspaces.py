"""Port of workspaces: the files that Python made in a conversation, and what its session remembers.

A file that is written again keeps its former versions, since earlier answers show them. They go with the conversation,
or when a person deletes the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal

MAX_WORKSPACE_BYTES = 256 << 20
"""Bound of all files of a conversation, former versions included."""


@dataclass(frozen=True, slots=True)
class WorkspaceFile:
    """A version of a file in a workspace. `size` is in bytes, `created` in milliseconds.

    `alt` describes a chart for those who can't see it. Only the current version can be read by later code.
    """

    name: str
    version: int
    size: int
    media: str
    created: int
    sha256: str
    alt: str = ""
    current: bool = True


@dataclass(frozen=True, slots=True)
class NewWorkspaceFile:
    """A file to be stored."""

    name: str
    data: bytes
    media: str
    alt: str = ""


@dataclass(frozen=True, slots=True)
class PythonState:
    """Variables of an ended session, as the interpreter of that version wrote them.

    `number` is that of the call that they are of, by which a live session knows whether another process made a later
    one.
    """

    interpreter: str
    data: bytes
    number: int = 0


class WorkspaceStore(Protocol):
    async def list_workspace_files(self, principal: Principal, conversation: str) -> list[WorkspaceFile]:
        """List the current files by name. Raises NotFound for a conversation that isn't there."""
        ...

    async def read_workspace_file(
        self, principal: Principal, conversation: str, name: str, version: int | None = None
    ) -> tuple[WorkspaceFile, bytes]:
        """Return a version of a file, or the current one, with its bytes. Raises NotFound."""
        ...

    async def update_workspace(
        self,
        principal: Principal,
        conversation: str,
        written: Sequence[NewWorkspaceFile],
        removed: Sequence[str],
        state: PythonState | None,
    ) -> list[WorkspaceFile]:
        """Store the results of a call in one transaction, and return the new versions.

        What is written as it was before gets no new version. Removed files are current no more, and a `state` replaces
        the one before. Raises NotFound, and TooLarge where the workspace would be too large.
        """
        ...

    async def get_python_state(self, principal: Principal, conversation: str) -> PythonState | None:
        """Return the variables of the conversation's last session, if they were kept. Raises NotFound."""
        ...

    async def get_python_number(self, principal: Principal, conversation: str) -> int:
        """Return the number of the conversation's last call; 0 before the first. Raises NotFound."""
        ...

    async def delete_workspace_file(self, principal: Principal, conversation: str, name: str) -> None:
        """Erase all versions of a file. Raises NotFound."""
        ...
