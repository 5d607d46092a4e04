"""Importers: one module per program whose exports are understood."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from eclair.transfer.importers import chatgpt, claude, copilot, eclair, gemini, lechat, librechat, openwebui
from eclair.transfer.json_fields import JSON
from eclair.transfer.normalize import ImportedConversation, ImportKind


@dataclass(frozen=True, slots=True)
class Importer:
    """One program's export format.

    `fits` recognizes a conversation by its shape. `read` converts one; a time in milliseconds stands in for missing
    times. Neither raises, whatever the JSON holds.
    """

    kind: ImportKind
    matches: Callable[[JSON], bool]
    read: Callable[[JSON, int], ImportedConversation]


@dataclass(frozen=True, slots=True)
class RecordImporter:
    """A format that lists messages, or questions with their answers, without conversations around them.

    `matches` recognizes a record by its shape. `read` converts all records of a file. Neither raises.
    """

    kind: ImportKind
    matches: Callable[[JSON], bool]
    read: Callable[[Sequence[JSON], int], Iterator[ImportedConversation]]


IMPORTERS = (
    Importer("eclair", eclair.matches, eclair.read),
    Importer("chatgpt", chatgpt.matches, chatgpt.read),
    Importer("claude", claude.matches, claude.read),
    Importer("openwebui", openwebui.matches, openwebui.read),
    Importer("librechat", librechat.matches, librechat.read),
)
RECORD_IMPORTERS = (
    RecordImporter("lechat", lechat.matches, lechat.read),
    RecordImporter("gemini", gemini.matches, gemini.read),
    RecordImporter("copilot", copilot.matches, copilot.read),
)
