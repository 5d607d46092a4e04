"""Whole numbers in paths and queries, none larger than every JSON client and the database can hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MAX_INTEGER = (1 << 53) - 1

Position = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
"""A place that is counted from 0."""

Ordinal = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
"""A place that is counted from 1."""
