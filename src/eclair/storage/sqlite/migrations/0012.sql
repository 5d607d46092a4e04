-- keys that let programs and people in; `digest` is the SHA-256 of one, `used` the last day of its use (ISO 8601)
CREATE TABLE api_key (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    digest  BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    used    TEXT,
    UNIQUE (owner, name)
) STRICT;
