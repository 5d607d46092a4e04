-- runs that wait for a person's decision on a call of a tool, and permissions for further calls
ALTER TABLE run ADD COLUMN options TEXT;
ALTER TABLE run ADD COLUMN waiting_since INTEGER;
CREATE INDEX run_waiting ON run (waiting_since) WHERE status = 'waiting';

CREATE TABLE call_decision (
    run      TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
    call     TEXT NOT NULL,
    decision TEXT NOT NULL,
    is_taken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, call)
) STRICT, WITHOUT ROWID;

CREATE TABLE tool_permission (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    tool         TEXT NOT NULL,
    scope        TEXT NOT NULL,
    conversation TEXT REFERENCES conversation ON DELETE CASCADE,
    created      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tool_permission_once ON tool_permission (owner, tool, scope, coalesce(conversation, ''));
