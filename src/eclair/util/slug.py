"""Anchors of headings, for links within a document."""

from __future__ import annotations

import re


def heading_anchor(heading: str) -> str:
    """Return a heading's anchor as on GitHub: lower case, hyphens between words."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))
