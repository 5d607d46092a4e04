-- rules for how long what people keep stays: `days` without use, 0 for temporary chats alone, null for ever
CREATE TABLE retention_rule (
    scope   TEXT NOT NULL,
    subject TEXT NOT NULL,
    days    INTEGER,
    changed INTEGER NOT NULL,
    PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;

-- what no rule and no deletion passes, whoever asks
CREATE TABLE legal_hold (
    scope   TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason  TEXT NOT NULL,
    placed  INTEGER NOT NULL,
    PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER conversation_held BEFORE DELETE ON conversation
WHEN EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject)
    IN (VALUES ('person', old.owner), ('folder', old.folder), ('conversation', old.id))
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER conversation_held_listed BEFORE UPDATE OF deleted ON conversation
WHEN new.deleted IS NOT NULL AND EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject)
    IN (VALUES ('person', old.owner), ('folder', old.folder), ('conversation', old.id))
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER conversation_held_in_folder BEFORE UPDATE OF folder ON conversation
WHEN new.folder IS NOT old.folder AND EXISTS (
    SELECT 1 FROM legal_hold WHERE scope = 'folder' AND subject = old.folder
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER message_held BEFORE DELETE ON message
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('folder', folder), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER file_held BEFORE DELETE ON file
WHEN EXISTS (SELECT 1 FROM legal_hold) AND (
    EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
    OR EXISTS (
        SELECT 1 FROM attached JOIN message ON message.id = attached.message
        JOIN conversation ON conversation.id = message.conversation JOIN legal_hold
        ON (scope, subject) IN (VALUES ('folder', folder), ('conversation', conversation.id))
        WHERE attached.file = old.id
    )
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER picture_held BEFORE DELETE ON picture
WHEN EXISTS (SELECT 1 FROM legal_hold) AND (
    EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
    OR EXISTS (
        SELECT 1 FROM conversation JOIN legal_hold
        ON (scope, subject) IN (VALUES ('folder', folder), ('conversation', conversation.id))
        WHERE conversation.id = old.conversation
    )
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER folder_held BEFORE DELETE ON folder
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE (scope, subject) IN (VALUES ('person', old.owner), ('folder', old.id)))
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER library_held BEFORE DELETE ON library
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER response_held BEFORE DELETE ON api_response
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER api_conversation_held BEFORE DELETE ON api_conversation
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER batch_held BEFORE DELETE ON batch
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER batch_file_held BEFORE DELETE ON batch_file
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;

-- requests of people to have everything of theirs erased, and what came of them
CREATE TABLE erasure_request (
    id       TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked    INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    ended    INTEGER,
    receipt  TEXT
) STRICT;
CREATE UNIQUE INDEX erasure_request_open ON erasure_request (owner) WHERE ended IS NULL;

-- where a rule allows temporary chats alone, nothing of a conversation is stored
CREATE TRIGGER conversation_temporary BEFORE INSERT ON conversation
WHEN EXISTS (
    SELECT 1 FROM retention_rule WHERE days = 0 AND (
        scope = 'everyone' OR scope = 'group' AND EXISTS
        (SELECT 1 FROM group_member WHERE person_group = subject AND person = new.owner)
    )
) BEGIN SELECT RAISE(ABORT, 'temporary chats only'); END;
CREATE TRIGGER message_temporary BEFORE INSERT ON message
WHEN EXISTS (
    SELECT 1 FROM retention_rule WHERE days = 0 AND (
        scope = 'everyone' OR scope = 'group' AND EXISTS (
            SELECT 1 FROM group_member JOIN conversation ON conversation.owner = person
            WHERE person_group = subject AND conversation.id = new.conversation
        )
    )
) BEGIN SELECT RAISE(ABORT, 'temporary chats only'); END;
