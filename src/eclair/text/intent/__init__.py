"""Detect the intent of a question from its words."""

from __future__ import annotations

MAX_QUESTION_CHARS = 2000
"""Of a longer question the beginning is read: a pasted text is what it asks about."""
