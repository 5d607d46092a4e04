-- assistants, their shares, and with which one a conversation was begun
CREATE TABLE assistant (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    name    TEXT NOT NULL,
    profile TEXT NOT NULL,
    UNIQUE (owner, name)
) STRICT;
CREATE TABLE assistant_share (
    assistant TEXT NOT NULL REFERENCES assistant ON DELETE CASCADE,
    subject   TEXT NOT NULL,
    access    TEXT NOT NULL,
    created   INTEGER NOT NULL,
    PRIMARY KEY (assistant, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX assistant_shared_with ON assistant_share (subject);
CREATE TRIGGER person_assistants_gone AFTER DELETE ON person BEGIN
    DELETE FROM assistant_share WHERE subject = 'person:' || old.id;
END;
CREATE TRIGGER group_assistants_gone AFTER DELETE ON person_group BEGIN
    DELETE FROM assistant_share WHERE subject = 'group:' || old.id;
END;
CREATE TRIGGER assistant_held BEFORE DELETE ON assistant
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;

ALTER TABLE conversation ADD COLUMN assistant_id TEXT;
