-- the audit log: a row an act, each with the hash of all before it; personal values stand beside, to be erased
CREATE TABLE audit (
    number  INTEGER PRIMARY KEY,
    moment  INTEGER NOT NULL,
    action  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    details TEXT NOT NULL,
    hashes  TEXT NOT NULL,
    hash    BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_action ON audit (action, number);
CREATE INDEX audit_by_moment ON audit (moment);
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_keeps_all BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TABLE audit_value (
    number INTEGER NOT NULL,
    field  TEXT NOT NULL,
    salt   BLOB,
    value  TEXT,
    erased INTEGER,
    PRIMARY KEY (number, field)
) STRICT;
CREATE INDEX audit_value_of ON audit_value (value, number) WHERE value IS NOT NULL;
CREATE TABLE audit_checkpoint (
    size   INTEGER PRIMARY KEY,
    moment INTEGER NOT NULL,
    peaks  TEXT NOT NULL,
    note   TEXT NOT NULL
) STRICT;
CREATE TABLE audit_delivery (
    destination TEXT PRIMARY KEY,
    number      INTEGER NOT NULL
) STRICT;
ALTER TABLE egress ADD COLUMN url_salt BLOB;
ALTER TABLE egress ADD COLUMN url_hash BLOB;
DROP TRIGGER egress_forgets;
CREATE TRIGGER egress_forgets AFTER DELETE ON run BEGIN
    UPDATE egress SET url = NULL, url_salt = NULL WHERE run = old.id;
END;
