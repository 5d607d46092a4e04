"""Éclair: an AI assistant on hardware you own.

`open_app` opens everything that answers, as docs/python.md shows. Importing the package imports none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eclair.app import App, open_app
    from eclair.settings import Settings

__version__ = "0.1.0"
__all__ = ["App", "Settings", "__version__", "open_app"]


def __getattr__(name: str) -> object:
    """Import what `__all__` names when it is first used. Raises AttributeError for anything else."""
    if name == "Settings":
        from eclair import settings

        return settings.Settings
    if name in ("App", "open_app"):
        from eclair import app

        return getattr(app, name)
    raise AttributeError(f"module 'eclair' has no attribute {name!r}")
