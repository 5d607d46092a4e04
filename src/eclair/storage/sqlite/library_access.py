"""Access to libraries on SQLite: the owner's, and that of those with whom they are shared."""

from __future__ import annotations

import orjson

from eclair.schema.principal import Principal
from eclair.storage.grants import subjects_of

OWNED = "owner = ?1 ->> 'owner'"
"""The condition on a row that it belongs to the principal whom ?1 describes; see `describe`."""

_MINE = "subject IN (SELECT value FROM json_each(?1, '$.subjects'))"
SHARED = f"(SELECT library FROM library_share WHERE {_MINE})"
"""The libraries that are shared with the principal whom ?1 describes."""
EDITABLE = f"(SELECT library FROM library_share WHERE {_MINE} AND access = 'edit')"

ACCESS = f"iif(library.{OWNED}, 'own', (SELECT min(access) FROM library_share WHERE library = library.id AND {_MINE}))"
"""The access of the principal to a row of `library`: own, edit, view, or NULL."""


def describe(principal: Principal) -> str:
    """Describe a principal as the parameter of the conditions above."""
    return orjson.dumps({"owner": principal.id, "subjects": subjects_of(principal)}).decode()
