"""Errors in the format of Ollama's API, and the paths that answer in it."""

from __future__ import annotations

from eclair.errors import EclairError
from eclair.llm.base import JSON
from eclair.server.lazy_routes import ROUTE_MODULES, route_prefix

_PREFIXES = frozenset(
    prefix for prefix, modules in ROUTE_MODULES.items() if any(module.startswith("ollama.") for module in modules)
)


def is_ollama_path(path: str) -> bool:
    return route_prefix(path) in _PREFIXES


def body(error: EclairError) -> JSON:
    """Render an error in the format that Ollama's clients read."""
    return {"error": error.message}
