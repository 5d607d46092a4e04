-- questions that servers ask in the middle of calls, and their answers until those are taken
CREATE TABLE elicitation (
    run     TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
    call    TEXT NOT NULL,
    number  INTEGER NOT NULL,
    key     TEXT NOT NULL,
    state   TEXT,
    action  TEXT,
    content TEXT,
    PRIMARY KEY (run, call, number)
) STRICT, WITHOUT ROWID;
