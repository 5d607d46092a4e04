"""Recognizes a model that a server lists, by the catalog or by its name."""

from __future__ import annotations

import re
from functools import cache

from eclair.models import catalog
from eclair.models.catalog import CatalogEntry

_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])")
_ACTIVE = re.compile(r"(?<![a-z0-9.])a(\d+(?:\.\d+)?)b(?![a-z0-9])")
_EMBEDS = re.compile(r"embed|(^|[/-])(bge|gte|e5|minilm)([-_:]|$)")
_TRANSCRIBES = re.compile(r"whisper|transcri|voxtral|parakeet|canary|(^|[/-])(asr|stt)([-_:]|$)|speech-to-text")
_NO_CHAT = re.compile(
    r"embed|rerank|whisper|(^|[/-])(tts|bge|gte|e5|minilm|ocr|piper)([-_:]|$)|moderation|"
    r"transcribe|guard|kokoro"
)


def find_entry(id: str) -> CatalogEntry | None:
    """Find the catalog entry of a model that a server calls `id`.

    That may be our id, its maker's repository, its file, or Ollama's name (`qwen3:8b`).
    """
    names = _names()
    plain = id.lower()
    last = plain.rpartition("/")[2].removesuffix(".gguf")
    return names.get(plain) or names.get(last) or names.get(last.replace(":", "-"))


def sizes_from_name(id: str) -> tuple[float | None, float | None]:
    """Parse total and active parameters, in billions, from a name like `Qwen3-30B-A3B`."""
    plain = id.lower()
    size, active = _SIZE.search(plain), _ACTIVE.search(plain)
    return float(size[1]) if size else None, float(active[1]) if active else None


def is_embedding_model(id: str) -> bool:
    """Return whether a model gives vectors, as far as its name tells."""
    return _EMBEDS.search(id.lower()) is not None and not is_reranker(id)


def is_reranker(id: str) -> bool:
    """Return whether a model puts texts into order, as far as its name tells."""
    return "rerank" in id.lower()


def is_moderation_model(id: str) -> bool:
    """Return whether a model judges what others write, as far as its name tells."""
    return "moderation" in id.lower()


def is_transcription_model(id: str) -> bool:
    """Return whether a model writes what is said in a recording, as far as its name tells."""
    return _TRANSCRIBES.search(id.lower()) is not None


def is_chat_model(id: str) -> bool:
    """Return whether a model is one to chat with, as far as its name tells."""
    return _NO_CHAT.search(id.lower()) is None


@cache
def _names() -> dict[str, CatalogEntry]:
    names: dict[str, CatalogEntry] = {}
    for entry in catalog.load_entries().values():
        names.setdefault(entry.id, entry)
        if entry.card is not None:
            names.setdefault(entry.card.rpartition("/")[2].lower(), entry)
        for file in entry.files:
            names.setdefault(file.name.removesuffix(".gguf").lower(), entry)
    return names
