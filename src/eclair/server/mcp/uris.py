"""Addresses of files for MCP clients: `eclair://files/{id}`, and `eclair://files/{id}/pages/{number}`."""

from __future__ import annotations

import re

from eclair.errors import InvalidInput

FILE_TEMPLATE = "eclair://files/{id}"
PAGE_TEMPLATE = "eclair://files/{id}/pages/{number}"

_ADDRESS = re.compile(r"(?:eclair://files/)?([A-Za-z0-9_-]{1,64})(?:/pages/([0-9]{1,9}))?")


def file_uri(file: str, page: int | None = None) -> str:
    return FILE_TEMPLATE.replace("{id}", file) if page is None else f"eclair://files/{file}/pages/{page}"


def parse_file_uri(text: str) -> tuple[str, int | None]:
    """Return the file's id and the page that an address names; an id alone will do. Raises InvalidInput."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text[:100]!r} is no file of Éclair; its address looks like {FILE_TEMPLATE}.", param="uri")
    return found[1], None if found[2] is None else int(found[2])
