-- destinations of the audit log that administrators have added; `key` is encrypted
CREATE TABLE audit_destination (
    id     TEXT PRIMARY KEY,
    kind   TEXT NOT NULL,
    target TEXT NOT NULL,
    key    BLOB,
    UNIQUE (kind, target)
) STRICT;
