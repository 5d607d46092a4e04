-- pictures that were made; they go with their message and with its conversation. Times are milliseconds; `blob` and
-- `thumbnail` name bytes that are kept elsewhere
CREATE TABLE picture (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    owner        TEXT NOT NULL,
    conversation TEXT REFERENCES conversation ON DELETE CASCADE,
    message      TEXT REFERENCES message (id) ON DELETE CASCADE,
    created      INTEGER NOT NULL,
    prompt       TEXT NOT NULL,
    model        TEXT NOT NULL,
    media        TEXT NOT NULL,
    width        INTEGER NOT NULL,
    height       INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    blob         TEXT NOT NULL,
    thumbnail    TEXT NOT NULL,
    seed         INTEGER,
    steps        INTEGER,
    guidance     REAL,
    style        TEXT,
    negative     TEXT NOT NULL,
    source       TEXT,
    milliseconds REAL
) STRICT;
CREATE INDEX picture_of_owner ON picture (owner, id DESC);
CREATE INDEX picture_of_conversation ON picture (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX picture_of_message ON picture (message) WHERE message IS NOT NULL;
CREATE INDEX picture_blob ON picture (blob);
CREATE INDEX picture_thumbnail ON picture (thumbnail);
CREATE VIRTUAL TABLE picture_text USING fts5 (
    prompt, content = 'picture', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO picture_text (picture_text, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER picture_added AFTER INSERT ON picture BEGIN
    INSERT INTO picture_text (rowid, prompt) VALUES (new.number, new.prompt);
END;

-- bytes of pictures that are gone, to be deleted unless another picture has them
CREATE TABLE picture_gone (
    blob TEXT PRIMARY KEY
) STRICT;
CREATE TRIGGER picture_removed AFTER DELETE ON picture BEGIN
    INSERT INTO picture_text (picture_text, rowid, prompt) VALUES ('delete', old.number, old.prompt);
    INSERT OR IGNORE INTO picture_gone VALUES (old.blob), (old.thumbnail);
END;
