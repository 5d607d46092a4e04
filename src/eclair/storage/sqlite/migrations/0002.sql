ALTER TABLE conversation ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
-- milliseconds since 1970; 0 is beyond restoring
ALTER TABLE conversation ADD COLUMN deleted INTEGER;
-- whether the title is the person's own; of an old one nobody knows
ALTER TABLE conversation ADD COLUMN named INTEGER NOT NULL DEFAULT 0;
UPDATE conversation SET named = title <> '';
ALTER TABLE conversation ADD COLUMN shelf TEXT GENERATED ALWAYS AS (
    CASE WHEN deleted IS NOT NULL THEN 'deleted' WHEN archived THEN 'archive' WHEN pinned THEN 'pinned' ELSE 'list' END
) VIRTUAL;
DROP INDEX conversation_by_time;
CREATE INDEX conversation_on_shelf ON conversation (owner, shelf, updated DESC, id DESC);
CREATE INDEX conversation_deleted ON conversation (deleted) WHERE deleted IS NOT NULL;

-- the words of what is erased leave the index with it rather than at some later merge
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);

CREATE TABLE share (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    title        TEXT NOT NULL,
    created      INTEGER NOT NULL,
    expires      INTEGER,
    body         TEXT NOT NULL
) STRICT;
CREATE INDEX share_of_conversation ON share (conversation);
CREATE INDEX share_of_owner ON share (owner, created DESC);

CREATE TABLE preference (
    owner   TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL
) STRICT;
