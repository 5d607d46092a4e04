"""Requests to the sandbox that reads exports of other programs, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.sandbox.protocol import SandboxProtocol
from eclair.transfer.normalize import ImportKind
from eclair.util.frames import Codec

MEMORY_LIMIT_BYTES = 4 << 30
"""An unpacked file is mapped as a whole, and one conversation at a time is parsed."""
CPU_LIMIT_S = 60.0
"""For one conversation."""
RESULT_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class ReadExport:
    """Read the export at `path`, which people call `name`. `now` is the time for what has none, in ms since 1970."""

    path: str
    name: str
    now: int


@dataclass(frozen=True, slots=True)
class ReadConversation:
    """An `ImportedConversation` as JSON, on one line."""

    line: bytes


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """An `ArchiveRecord` of Éclair's own archive as JSON, on one line."""

    line: bytes


@dataclass(frozen=True, slots=True)
class ReadMembers:
    """Read the bytes of members of the zip at `path`, which people call `name`: their names with their sizes."""

    path: str
    name: str
    members: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class MemberBytes:
    """A piece of a member, in order; the `last` one may be empty."""

    member: str
    data: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """Preview of an import: up to twenty `titles`, and `problems` as sentences."""

    kind: ImportKind
    conversations: int
    messages: int
    titles: tuple[str, ...]
    problems: tuple[str, ...]


PROTOCOL = SandboxProtocol[ReadExport | ReadMembers, ReadConversation | ReadRecord | MemberBytes | ImportPreview](
    "eclair.transfer.import_worker",
    Codec(ReadExport, ReadMembers),
    (ReadConversation, ReadRecord, MemberBytes, ImportPreview),
    input_paths=lambda request: (request.path,),
)
