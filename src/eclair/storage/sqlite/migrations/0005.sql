-- OpenAI-compatible servers that were added; `key` is encrypted (storage/secrets.py), `models` a JSON list
CREATE TABLE server (
    name    TEXT PRIMARY KEY,
    url     TEXT NOT NULL,
    key     BLOB,
    models  TEXT NOT NULL,
    context INTEGER,
    country TEXT,
    created INTEGER NOT NULL
) STRICT;

-- what a probe found, as JSON; of a server in the settings file too
CREATE TABLE probe (
    server TEXT PRIMARY KEY,
    body   TEXT NOT NULL
) STRICT;
