-- the newsroom: feeds that an owner lists, and what they brought. Times are milliseconds; `taken` is until when somebody
-- fetches it, `failures` how often in a row it could not be, `digest` the SHA-256 of what came last
CREATE TABLE feed (
    id       TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    url      TEXT NOT NULL,
    host     TEXT NOT NULL,
    title    TEXT NOT NULL,
    site     TEXT,
    language TEXT,
    active   INTEGER NOT NULL DEFAULT 1,
    gone     INTEGER NOT NULL DEFAULT 0,
    created  INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    taken    INTEGER NOT NULL DEFAULT 0,
    checked  INTEGER,
    brought  INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    fault    TEXT,
    etag     TEXT,
    modified TEXT,
    digest   BLOB,
    UNIQUE (owner, url)
) STRICT;
CREATE INDEX feed_due ON feed (due) WHERE active AND NOT gone;

-- `at` is when it was published, or else first seen; `forms` further forms of words under which it is found
CREATE TABLE entry (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    feed      TEXT NOT NULL REFERENCES feed ON DELETE CASCADE,
    key       TEXT NOT NULL,
    at        INTEGER NOT NULL,
    published INTEGER,
    language  TEXT,
    author    TEXT,
    url       TEXT NOT NULL,
    title     TEXT NOT NULL,
    summary   TEXT NOT NULL,
    text      TEXT NOT NULL,
    forms     TEXT NOT NULL,
    UNIQUE (feed, key)
) STRICT;
CREATE INDEX entry_by_time ON entry (feed, at);
CREATE INDEX entry_at_url ON entry (url);
CREATE VIRTUAL TABLE entry_text USING fts5 (
    title, summary, text, forms, content = 'entry', content_rowid = 'number', tokenize = "unicode61 remove_diacritics 2 tokenchars '§'"
);
CREATE VIRTUAL TABLE entry_word USING fts5vocab (entry_text, 'row');
INSERT INTO entry_text (entry_text, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN
    INSERT INTO entry_text (rowid, title, summary, text, forms)
    VALUES (new.number, new.title, new.summary, new.text, new.forms);
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN
    INSERT INTO entry_text (entry_text, rowid, title, summary, text, forms)
    VALUES ('delete', old.number, old.title, old.summary, old.text, old.forms);
END;
CREATE TRIGGER entry_changed AFTER UPDATE OF title, summary, text, forms ON entry BEGIN
    INSERT INTO entry_text (entry_text, rowid, title, summary, text, forms)
    VALUES ('delete', old.number, old.title, old.summary, old.text, old.forms);
    INSERT INTO entry_text (rowid, title, summary, text, forms)
    VALUES (new.number, new.title, new.summary, new.text, new.forms);
END;
