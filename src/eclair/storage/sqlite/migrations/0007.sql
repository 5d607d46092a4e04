ALTER TABLE conversation ADD COLUMN web TEXT;

-- pages of the web as they were read for an answer; they go with its conversation. `pages` is compressed (storage/encoding.py)
CREATE TABLE web_page (
    id           TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    url          TEXT NOT NULL,
    fetched      INTEGER NOT NULL,
    title        TEXT NOT NULL,
    site         TEXT NOT NULL,
    author       TEXT,
    language     TEXT,
    published    TEXT,
    media        TEXT NOT NULL,
    wall         TEXT,
    pages        BLOB NOT NULL
) STRICT;
CREATE INDEX web_page_of_conversation ON web_page (conversation);
