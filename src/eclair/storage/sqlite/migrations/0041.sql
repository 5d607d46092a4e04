-- files that Python made in a conversation, in all their versions, and the variables of its session
CREATE TABLE workspace_file (
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    media        TEXT NOT NULL,
    created      INTEGER NOT NULL,
    sha256       TEXT NOT NULL,
    alt          TEXT NOT NULL,
    current      INTEGER NOT NULL,
    data         BLOB NOT NULL,
    PRIMARY KEY (conversation, name, version)
) STRICT;
CREATE TABLE python_state (
    conversation TEXT PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    interpreter  TEXT NOT NULL,
    data         BLOB NOT NULL
) STRICT;
CREATE TRIGGER workspace_file_held BEFORE DELETE ON workspace_file
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('folder', folder), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
