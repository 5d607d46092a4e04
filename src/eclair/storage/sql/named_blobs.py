"""Blobs that a database names."""

from __future__ import annotations

from eclair.storage.sql.connection import Connection


def list_named_blobs(db: Connection) -> set[str]:
    """List the files of documents and images that a database names, as paths in a data folder."""
    rows = db.execute(
        "SELECT 'pictures', blob FROM picture UNION SELECT 'pictures', thumbnail FROM picture"
        " UNION SELECT 'files', document.sha256 FROM file JOIN document ON document.number = file.document"
    )
    return {f"{folder}/{name[:2]}/{name}" for folder, name in rows if isinstance(name, str)}
