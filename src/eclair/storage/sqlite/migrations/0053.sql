-- sign-ins of people at MCP servers; `sealed` is encrypted, `server` may be of the settings
CREATE TABLE mcp_sign_in (
    owner   TEXT NOT NULL,
    server  TEXT NOT NULL,
    sealed  BLOB NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (owner, server)
) STRICT;
