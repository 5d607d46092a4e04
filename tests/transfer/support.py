"""Samples of exports, and the conversations that a file holds."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from eclair.schema.messages import Message
from eclair.transfer.normalize import ImportedConversation
from eclair.transfer.staging import ImportPreview, stage

SAMPLES = Path(__file__).parent / "samples"
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
    """What a file holds; it is written to `folder` first."""
    path = folder / "upload"
    path.write_bytes(data)
    with path.open("rb") as file:
        found = stage(file, name, folder, NOW)
    try:
        return found.preview, list(found.conversations())
    finally:
        found.close()


def told(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    """Who said what."""
    return [(message.role, message.text) for message in messages]
