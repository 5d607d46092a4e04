-- folders of conversations; their columns stand in another order than those of libraries, so that a row of a damaged
-- database is recognized
CREATE TABLE folder (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    created INTEGER NOT NULL,
    name    TEXT NOT NULL,
    UNIQUE (owner, name)
) STRICT;
ALTER TABLE conversation ADD COLUMN folder TEXT;
CREATE INDEX conversation_in_folder ON conversation (owner, folder, updated DESC, id DESC) WHERE folder IS NOT NULL;
