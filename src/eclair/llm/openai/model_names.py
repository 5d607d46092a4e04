"""What the catalogue, or its very name, tells of a model that a server lists."""

from __future__ import annotations

import re
from functools import cache

from eclair.models import catalog
from eclair.models.catalog import CatalogEntry

_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])")
_ACTIVE = re.compile(r"(?<![a-z0-9.])a(\d+(?:\.\d+)?)b(?![a-z0-9])")
_NO_CHAT = re.compile(r"embed|rerank|whisper|(^|[/-])(tts|bge|gte|e5|ocr)([-_:]|$)|moderation|transcribe|guard")


def find_entry(id: str) -> CatalogEntry | None:
    """The catalogue's entry of a model that a server calls `id`: by our own name for it, by its maker's repository,
    by its file, or as Ollama writes it (`qwen3:8b`)."""
    names = _names()
    plain = id.lower()
    last = plain.rpartition("/")[2].removesuffix(".gguf")
    return names.get(plain) or names.get(last) or names.get(last.replace(":", "-"))


def sizes_from_name(id: str) -> tuple[float | None, float | None]:
    """The billions of parameters, and of those that a token uses, as the name has them: `Qwen3-30B-A3B`."""
    plain = id.lower()
    size, active = _SIZE.search(plain), _ACTIVE.search(plain)
    return float(size[1]) if size else None, float(active[1]) if active else None


def is_chat_model(id: str) -> bool:
    """Whether a model can be talked to, as far as its name tells."""
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
