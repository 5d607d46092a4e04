-- folders of conversations
CREATE TABLE folder (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (owner, name)
) STRICT;
ALTER TABLE conversation ADD COLUMN folder TEXT;
CREATE INDEX conversation_in_folder ON conversation (owner, folder, updated DESC, id DESC) WHERE folder IS NOT NULL;
