CREATE TABLE library (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (owner, name)
) STRICT;

-- what files hold, by the SHA-256 of their bytes; without one it is to be erased. `embedded` counts the pieces that
-- have vectors of `embedder`, `remarks` is a JSON list
CREATE TABLE document (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256     TEXT UNIQUE,
    state      TEXT NOT NULL,
    reader     INTEGER NOT NULL,
    pages      INTEGER,
    pages_read INTEGER NOT NULL DEFAULT 0,
    characters INTEGER NOT NULL DEFAULT 0,
    chunks     INTEGER NOT NULL DEFAULT 0,
    embedder   TEXT,
    embedded   INTEGER NOT NULL DEFAULT 0,
    fault      TEXT,
    remarks    TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX document_in_state ON document (state, number);

-- `path` and `mtime_ns` are those of a file in a folder that is watched
CREATE TABLE file (
    id       TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    library  TEXT REFERENCES library,
    name     TEXT NOT NULL,
    size     INTEGER NOT NULL,
    document INTEGER NOT NULL REFERENCES document,
    media    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    path     TEXT,
    mtime_ns INTEGER
) STRICT;
CREATE INDEX file_of_owner ON file (owner, id DESC);
CREATE INDEX file_in_library ON file (library, id DESC);
CREATE INDEX file_of_document ON file (document);
CREATE UNIQUE INDEX file_at_path ON file (library, path) WHERE path IS NOT NULL;

CREATE TABLE attached (
    number  INTEGER PRIMARY KEY,
    message TEXT NOT NULL REFERENCES message (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    file    TEXT NOT NULL REFERENCES file ON DELETE CASCADE,
    UNIQUE (message, file)
) STRICT;
CREATE INDEX attached_file ON attached (file);

-- ids of pages, pieces and vectors: the document's number times 2^24 and their own, so that those of one document stand
-- together. `text`, `blocks` and `words` are compressed (storage/encoding.py)
CREATE TABLE page (
    id     INTEGER PRIMARY KEY,
    start  INTEGER NOT NULL,
    length INTEGER NOT NULL,
    label  TEXT,
    member TEXT,
    read   TEXT NOT NULL,
    width  REAL,
    height REAL,
    text   BLOB NOT NULL,
    blocks BLOB NOT NULL,
    words  BLOB NOT NULL
) STRICT;

-- chunks of documents; `heading` is a JSON list, `forms` further forms of words under which it is found
CREATE TABLE piece (
    id      INTEGER PRIMARY KEY,
    page    INTEGER NOT NULL,
    start   INTEGER NOT NULL,
    stop    INTEGER NOT NULL,
    heading TEXT NOT NULL,
    text    TEXT NOT NULL,
    forms   TEXT NOT NULL
) STRICT;
CREATE VIRTUAL TABLE piece_text USING fts5(
    heading, text, forms, content = 'piece', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 2 tokenchars '§'"
);
CREATE VIRTUAL TABLE piece_word USING fts5vocab (piece_text, 'row');
INSERT INTO piece_text (piece_text, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER piece_added AFTER INSERT ON piece BEGIN
    INSERT INTO piece_text (rowid, heading, text, forms) VALUES (new.id, new.heading, new.text, new.forms);
END;
CREATE TRIGGER piece_removed AFTER DELETE ON piece BEGIN
    INSERT INTO piece_text (piece_text, rowid, heading, text, forms)
    VALUES ('delete', old.id, old.heading, old.text, old.forms);
END;

-- vectors of `count` pieces in a row, of which the first has this id: 16-bit floats, least byte first
CREATE TABLE vector (
    id    INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    data  BLOB NOT NULL
) STRICT;
