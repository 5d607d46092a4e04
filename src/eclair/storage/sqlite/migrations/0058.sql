-- claims of processes on background work, and attempts that failed; the work itself is in the tables of its subjects
CREATE TABLE job (
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    process  TEXT,
    claimed  INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due      INTEGER NOT NULL DEFAULT 0,
    fault    TEXT,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_of_process ON job (process) WHERE process IS NOT NULL;

-- processes that do background work
CREATE TABLE worker (
    process TEXT PRIMARY KEY,
    host    TEXT NOT NULL,
    kinds   TEXT NOT NULL,
    at_once INTEGER NOT NULL,
    began   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE document ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE document ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
UPDATE document SET queued = CAST(unixepoch('subsec') * 1000 AS INTEGER) WHERE state IN ('queued', 'reading');
CREATE INDEX document_waiting ON document (priority DESC, number) WHERE state IN ('queued', 'reading');
