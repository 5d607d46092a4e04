-- announcements to everybody: texts by language as JSON; times in milliseconds, NULL where open
CREATE TABLE announcement (
    id       TEXT PRIMARY KEY,
    level    TEXT NOT NULL,
    language TEXT NOT NULL,
    texts    TEXT NOT NULL,
    begins   INTEGER,
    ends     INTEGER,
    closable INTEGER NOT NULL,
    changed  INTEGER NOT NULL
) STRICT;
