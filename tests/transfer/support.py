"""Samples of exports, and the conversations that a file holds."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from eclair.errors import InvalidInput, TooLarge
from eclair.sandbox.protocol import Rejected
from eclair.schema.messages import Message
from eclair.transfer import import_worker
from eclair.transfer.import_protocol import ImportPreview, ReadConversation, ReadExport
from eclair.transfer.normalize import ImportedConversation

SAMPLES = Path(__file__).parent / "samples"
_IMPORTED = TypeAdapter(ImportedConversation)
NOW = 1_760_000_000_000


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def staged(folder: Path, data: bytes, name: str = "export.json") -> tuple[ImportPreview, list[ImportedConversation]]:
    """What a file holds, read as in the sandbox; it is written to `folder` first."""
    path = folder / "upload"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(folder))
        try:
            *conversations, preview = import_worker.handle(ReadExport(str(path), name, NOW))
        except Rejected as rejected:
            raise (TooLarge if rejected.kind == "too_large" else InvalidInput)(rejected.message) from rejected
    assert isinstance(preview, ImportPreview)
    return preview, [_IMPORTED.validate_json(each.line) for each in conversations if isinstance(each, ReadConversation)]


def told(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    """Who said what."""
    return [(message.role, message.text) for message in messages]
