-- calls that left this machine, or were refused; nothing here is ever changed, but that what was asked goes with its run
CREATE TABLE egress (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   TEXT NOT NULL,
    moment  INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    run     TEXT,
    method  TEXT NOT NULL,
    url     TEXT,
    host    TEXT NOT NULL,
    address TEXT,
    country TEXT,
    sent    INTEGER NOT NULL,
    received INTEGER NOT NULL,
    status  INTEGER,
    milliseconds REAL NOT NULL,
    verdict TEXT NOT NULL,
    reason  TEXT
) STRICT;
CREATE INDEX egress_of_owner ON egress (owner, id);
CREATE INDEX egress_of_run ON egress (run) WHERE run IS NOT NULL;
CREATE INDEX egress_by_moment ON egress (moment);
CREATE TRIGGER egress_forgets AFTER DELETE ON run BEGIN
    UPDATE egress SET url = NULL WHERE run = old.id;
END;
