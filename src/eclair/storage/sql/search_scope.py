"""Files of a scope of search, as SQL."""

from __future__ import annotations

import orjson

from eclair.storage.chunks import SearchScope
from eclair.storage.sql.sharing import FILE_THERE, LIBRARIES, OWNED, describe

INSIDE = (
    "WITH inside (file, name, document) AS ("
    " SELECT id, name, document FROM file WHERE id IN (SELECT value FROM json_each(?2))"
    f" AND ({OWNED} OR library IN {LIBRARIES.usable}) AND {FILE_THERE}"
    " UNION SELECT id, name, document FROM file WHERE library IN (SELECT value FROM json_each(?3))"
    f" AND ({OWNED} OR library IN {LIBRARIES.usable}) AND {FILE_THERE})"
)
"""Begin of a statement: the files of the scope whose `scope_values` are its first parameters."""


def scope_values(scope: SearchScope) -> tuple[str, str, str]:
    """Return the parameters of INSIDE."""
    return describe(scope.principal), orjson.dumps(scope.files).decode(), orjson.dumps(scope.libraries).decode()
