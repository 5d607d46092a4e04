-- what replicas share that each kept for itself: steps of signing in, the keys that sign and mark, and who ran Python
-- last in a conversation
CREATE TABLE sign_in_state (
    digest  BLOB PRIMARY KEY,
    kind    TEXT NOT NULL,
    person  TEXT,
    code    TEXT,
    address TEXT NOT NULL,
    state   TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_state_by_expiry ON sign_in_state (kind, expires);
CREATE UNIQUE INDEX sign_in_state_by_code ON sign_in_state (kind, code) WHERE code IS NOT NULL;
CREATE TABLE installation_key (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
ALTER TABLE python_state ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
