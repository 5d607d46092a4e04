-- what the Responses API keeps for some days: its conversations, its responses, the events of those in the background,
-- and the items of all; `used` is when something last came or was built on it
CREATE TABLE api_conversation (
    id       TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    used     INTEGER NOT NULL,
    metadata TEXT NOT NULL
) STRICT;
CREATE INDEX api_conversation_used ON api_conversation (used);

CREATE TABLE api_response (
    id               TEXT PRIMARY KEY,
    owner            TEXT NOT NULL,
    used             INTEGER NOT NULL,
    background       INTEGER NOT NULL,
    status           TEXT NOT NULL,
    process          TEXT NOT NULL,
    previous         TEXT,
    conversation     TEXT,
    body             TEXT NOT NULL,
    cancel_requested INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX api_response_used ON api_response (used);
CREATE INDEX api_response_at_work ON api_response (process) WHERE status = 'in_progress';

CREATE TABLE api_event (
    response TEXT NOT NULL REFERENCES api_response ON DELETE CASCADE,
    last     INTEGER NOT NULL,
    lines    BLOB NOT NULL,
    PRIMARY KEY (response, last)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_item (
    number       INTEGER PRIMARY KEY,
    owner        TEXT NOT NULL,
    id           TEXT NOT NULL,
    response     TEXT REFERENCES api_response ON DELETE CASCADE,
    conversation TEXT REFERENCES api_conversation ON DELETE CASCADE,
    input        INTEGER NOT NULL,
    body         TEXT NOT NULL
) STRICT;
CREATE INDEX api_item_by_id ON api_item (owner, id);
CREATE INDEX api_item_of_response ON api_item (response) WHERE response IS NOT NULL;
CREATE INDEX api_item_of_conversation ON api_item (conversation) WHERE conversation IS NOT NULL;
