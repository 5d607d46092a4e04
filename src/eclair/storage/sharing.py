"""Sharing: libraries, projects and prompts that people own, opened to people and groups as viewers or editors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Access = Literal["own", "edit", "view"]
"""Access to what is shared: an editor changes what is in it, the owner alone shares and deletes it."""
SharedAccess = Literal["edit", "view"]


@dataclass(frozen=True, slots=True)
class AccessShare:
    """Something that is shared with a subject such as `group:ID`; see `Grant`. `created` is in milliseconds."""

    object: str
    subject: str
    access: SharedAccess
    created: int
