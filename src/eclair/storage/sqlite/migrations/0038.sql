-- canvases beside conversations, and their versions, whose texts are compressed
CREATE TABLE canvas (
    id           TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    title        TEXT NOT NULL,
    language     TEXT NOT NULL,
    created      INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    current      INTEGER NOT NULL
) STRICT;
CREATE INDEX canvas_of_conversation ON canvas (conversation, updated);
CREATE TABLE canvas_version (
    id      INTEGER PRIMARY KEY,
    canvas  TEXT NOT NULL REFERENCES canvas ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    parent  INTEGER,
    author  TEXT NOT NULL,
    model   TEXT,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    text    BLOB NOT NULL,
    UNIQUE (canvas, number)
) STRICT;
CREATE TRIGGER canvas_held BEFORE DELETE ON canvas
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('folder', folder), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
