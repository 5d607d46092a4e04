-- questions that are asked by themselves: `asks` is JSON, `cron` and `zone` say when, `next_due` is null unless it is on
CREATE TABLE schedule (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    name         TEXT NOT NULL,
    asks         TEXT NOT NULL,
    cron         TEXT NOT NULL,
    zone         TEXT NOT NULL,
    state        TEXT NOT NULL,
    next_due     INTEGER,
    keeps        TEXT NOT NULL,
    mail         TEXT NOT NULL,
    failures     INTEGER NOT NULL,
    reason       TEXT,
    conversation TEXT,
    created      INTEGER NOT NULL,
    changed      INTEGER NOT NULL
) STRICT;
CREATE INDEX schedule_of_owner ON schedule (owner, id);
CREATE INDEX schedule_due ON schedule (next_due) WHERE state = 'on';
CREATE TRIGGER schedule_held BEFORE DELETE ON schedule
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;

-- due times of schedules, each taken once; `question` is the id of its message, `process` whose it is until it ends
CREATE TABLE occurrence (
    id           TEXT PRIMARY KEY,
    schedule     TEXT NOT NULL REFERENCES schedule ON DELETE CASCADE,
    due          INTEGER NOT NULL,
    status       TEXT NOT NULL,
    conversation TEXT NOT NULL,
    question     TEXT NOT NULL,
    began        INTEGER NOT NULL,
    ended        INTEGER,
    run          TEXT,
    fault        TEXT,
    is_missed    INTEGER NOT NULL,
    is_manual    INTEGER NOT NULL,
    process      TEXT NOT NULL,
    UNIQUE (schedule, due)
) STRICT;
CREATE INDEX occurrence_open ON occurrence (began) WHERE status IN ('due', 'running', 'waiting');

-- an answer came while nobody looked
ALTER TABLE conversation ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;
