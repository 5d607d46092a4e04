CREATE TABLE conversation (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    title   TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    leaf    TEXT
) STRICT;
CREATE INDEX conversation_by_time ON conversation (owner, updated DESC);

CREATE TABLE message (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    parent       TEXT REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED,
    text         TEXT NOT NULL,
    body         TEXT NOT NULL
) STRICT;
CREATE INDEX message_of_conversation ON message (conversation);
CREATE INDEX message_of_parent ON message (parent);

CREATE TABLE run (
    id           TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    message      TEXT NOT NULL UNIQUE REFERENCES message (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    process      TEXT NOT NULL,
    status       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX run_at_work ON run (conversation) WHERE status = 'running';
CREATE INDEX run_of_conversation ON run (conversation);

CREATE TABLE chunk (
    run   TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
    last  INTEGER NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (run, last)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE message_text USING fts5 (
    text, content = 'message', content_rowid = 'number', tokenize = "unicode61 remove_diacritics 2"
);
CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
    INSERT INTO message_text (rowid, text) VALUES (new.number, new.text);
END;
CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
    INSERT INTO message_text (message_text, rowid, text) VALUES ('delete', old.number, old.text);
END;
CREATE TRIGGER message_changed AFTER UPDATE OF text ON message BEGIN
    INSERT INTO message_text (message_text, rowid, text) VALUES ('delete', old.number, old.text);
    INSERT INTO message_text (rowid, text) VALUES (new.number, new.text);
END;
