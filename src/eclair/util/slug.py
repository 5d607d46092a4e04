"""The names of headings, to which links within a text lead."""

from __future__ import annotations

import re


def heading_anchor(heading: str) -> str:
    """The name of a heading as GitHub has it: its words in small letters, with hyphens between them."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))
