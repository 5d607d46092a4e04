-- sentences that people had kept; `conversation` and `message` say where, while they are there; `maker` is person or model
CREATE TABLE memory (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    text         TEXT NOT NULL,
    maker        TEXT NOT NULL,
    conversation TEXT REFERENCES conversation ON DELETE SET NULL,
    message      TEXT,
    created      INTEGER NOT NULL,
    changed      INTEGER NOT NULL
) STRICT;
CREATE INDEX memory_of_owner ON memory (owner, id);
CREATE INDEX memory_of_conversation ON memory (conversation) WHERE conversation IS NOT NULL;
CREATE TRIGGER memory_held BEFORE DELETE ON memory
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER memory_temporary BEFORE INSERT ON memory
WHEN EXISTS (
    SELECT 1 FROM retention_rule WHERE days = 0 AND (
        scope = 'everyone' OR scope = 'group' AND EXISTS
        (SELECT 1 FROM group_member WHERE person_group = subject AND person = new.owner)
    )
) BEGIN SELECT RAISE(ABORT, 'temporary chats only'); END;

-- on or off for the conversation's answers, null for the person's preference
ALTER TABLE conversation ADD COLUMN memory TEXT;
