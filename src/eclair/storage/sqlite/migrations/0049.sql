-- MCP servers; `owner` is null for those of the house, `config` and `secret_names` are JSON, `secrets` is encrypted
CREATE TABLE mcp_server (
    id           TEXT PRIMARY KEY,
    owner        TEXT,
    name         TEXT NOT NULL,
    config       TEXT NOT NULL,
    secrets      BLOB,
    secret_names TEXT NOT NULL,
    created      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX mcp_server_name ON mcp_server (coalesce(owner, ''), name);

-- tools of servers when they were allowed, and when they were last asked for, as JSON; `server` may be of the settings
CREATE TABLE mcp_listing (
    server   TEXT PRIMARY KEY,
    approved TEXT,
    seen     TEXT
) STRICT;

-- servers that a person has on or off, in a conversation or in all others
CREATE TABLE mcp_switch (
    owner        TEXT NOT NULL,
    server       TEXT NOT NULL,
    conversation TEXT REFERENCES conversation ON DELETE CASCADE,
    is_on        INTEGER NOT NULL,
    changed      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX mcp_switch_once ON mcp_switch (owner, server, coalesce(conversation, ''));
CREATE INDEX mcp_switch_of_conversation ON mcp_switch (conversation) WHERE conversation IS NOT NULL;
