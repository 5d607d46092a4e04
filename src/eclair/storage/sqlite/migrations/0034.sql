-- rights that administrators give or deny; `subject` is such as group:ID or everyone, `object` such as model:ID or web
CREATE TABLE access_grant (
    id      TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    object  TEXT NOT NULL,
    effect  TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (subject, object)
) STRICT;

-- libraries that their owners share; `access` is view or edit
CREATE TABLE library_share (
    library TEXT NOT NULL REFERENCES library ON DELETE CASCADE,
    subject TEXT NOT NULL,
    access  TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (library, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX library_shared_with ON library_share (subject);

-- shared links that take an account
ALTER TABLE share ADD COLUMN house INTEGER NOT NULL DEFAULT 0;

-- emergency reads: two people let one of them, or both, read somebody's conversations for a time
CREATE TABLE emergency_read (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    status       TEXT NOT NULL,
    requester    TEXT NOT NULL,
    requested    INTEGER NOT NULL,
    decider      TEXT,
    decided      INTEGER,
    expires      INTEGER,
    acknowledged INTEGER
) STRICT;
CREATE INDEX emergency_read_by_time ON emergency_read (requested DESC, id DESC);
CREATE INDEX emergency_read_untold ON emergency_read (owner) WHERE acknowledged IS NULL;
CREATE TABLE emergency_reading (
    request      TEXT NOT NULL REFERENCES emergency_read ON DELETE CASCADE,
    conversation TEXT NOT NULL,
    reader       TEXT NOT NULL,
    moment       INTEGER NOT NULL,
    PRIMARY KEY (request, conversation, reader)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER person_rights_gone AFTER DELETE ON person BEGIN
    DELETE FROM access_grant WHERE subject = 'person:' || old.id;
    DELETE FROM library_share WHERE subject = 'person:' || old.id;
END;
CREATE TRIGGER group_rights_gone AFTER DELETE ON person_group BEGIN
    DELETE FROM access_grant WHERE subject = 'group:' || old.id;
    DELETE FROM library_share WHERE subject = 'group:' || old.id;
END;
