-- branding of the house, one row; `logo` is a PNG that was made here, `source` the SHA-256 of the file that was given
CREATE TABLE branding (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    name   TEXT,
    notice TEXT,
    accent TEXT,
    logo   BLOB,
    source TEXT
) STRICT;
