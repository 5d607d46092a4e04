-- exports that were uploaded and wait to be imported, at whichever server; their bytes are blobs
CREATE TABLE waiting_import (
    id        TEXT PRIMARY KEY,
    owner     TEXT NOT NULL,
    name      TEXT NOT NULL,
    blob      TEXT NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    libraries TEXT NOT NULL
) STRICT;
CREATE INDEX waiting_import_of_owner ON waiting_import (owner, created);
