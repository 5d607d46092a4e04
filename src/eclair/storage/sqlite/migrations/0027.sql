-- batches of requests that run in the background, the files that they read and write, and the replies to their lines;
-- and what a program said of a file that it uploaded
CREATE TABLE batch (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    created INTEGER NOT NULL,
    status  TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX batch_by_status ON batch (status);
CREATE TABLE batch_file (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    expires INTEGER,
    batch   TEXT REFERENCES batch ON DELETE CASCADE,
    failed  INTEGER NOT NULL
) STRICT;
CREATE TABLE batch_part (
    file   TEXT NOT NULL REFERENCES batch_file ON DELETE CASCADE,
    number INTEGER NOT NULL,
    data   BLOB NOT NULL,
    PRIMARY KEY (file, number)
) STRICT;
CREATE TABLE batch_reply (
    batch  TEXT NOT NULL REFERENCES batch ON DELETE CASCADE,
    line   INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (batch, line)
) STRICT;
CREATE TABLE upload (
    file    TEXT PRIMARY KEY REFERENCES file ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    expires INTEGER
) STRICT;
