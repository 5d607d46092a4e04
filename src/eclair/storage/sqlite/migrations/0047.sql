-- projects take the place of folders: they also have instructions, a model, a web setting and allowed tools (a list in
-- JSON, null for all), and are shared, `access` of a share being view or edit
DROP TRIGGER conversation_held;
DROP TRIGGER conversation_held_listed;
DROP TRIGGER conversation_held_in_folder;
DROP TRIGGER message_held;
DROP TRIGGER file_held;
DROP TRIGGER picture_held;
DROP TRIGGER folder_held;
DROP TRIGGER canvas_held;
DROP TRIGGER workspace_file_held;
CREATE TABLE project (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    created      INTEGER NOT NULL,
    name         TEXT NOT NULL,
    instructions TEXT NOT NULL DEFAULT '',
    model        TEXT,
    web          TEXT,
    tools        TEXT,
    UNIQUE (owner, name)
) STRICT;
INSERT INTO project (id, owner, created, name) SELECT id, owner, created, name FROM folder;
DROP TABLE folder;
CREATE TABLE project_share (
    project TEXT NOT NULL REFERENCES project ON DELETE CASCADE,
    subject TEXT NOT NULL,
    access  TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (project, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX project_shared_with ON project_share (subject);
CREATE TRIGGER person_projects_gone AFTER DELETE ON person BEGIN
    DELETE FROM project_share WHERE subject = 'person:' || old.id;
END;
CREATE TRIGGER group_projects_gone AFTER DELETE ON person_group BEGIN
    DELETE FROM project_share WHERE subject = 'group:' || old.id;
END;

DROP INDEX conversation_in_folder;
ALTER TABLE conversation RENAME COLUMN folder TO project_id;
CREATE INDEX conversation_in_project ON conversation (project_id, owner, updated DESC, id DESC)
WHERE project_id IS NOT NULL;
CREATE TRIGGER project_gone AFTER DELETE ON project BEGIN
    UPDATE conversation SET project_id = NULL WHERE project_id = old.id;
END;

UPDATE retention_rule SET scope = 'project' WHERE scope = 'folder';
UPDATE legal_hold SET scope = 'project' WHERE scope = 'folder';
CREATE TRIGGER conversation_held BEFORE DELETE ON conversation
WHEN EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject)
    IN (VALUES ('person', old.owner), ('project', old.project_id), ('conversation', old.id))
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER conversation_held_listed BEFORE UPDATE OF deleted ON conversation
WHEN new.deleted IS NOT NULL AND EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject)
    IN (VALUES ('person', old.owner), ('project', old.project_id), ('conversation', old.id))
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER conversation_held_in_project BEFORE UPDATE OF project_id ON conversation
WHEN new.project_id IS NOT old.project_id AND EXISTS (
    SELECT 1 FROM legal_hold WHERE scope = 'project' AND subject = old.project_id
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER message_held BEFORE DELETE ON message
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('project', project_id), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER file_held BEFORE DELETE ON file
WHEN EXISTS (SELECT 1 FROM legal_hold) AND (
    EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
    OR EXISTS (
        SELECT 1 FROM attached JOIN message ON message.id = attached.message
        JOIN conversation ON conversation.id = message.conversation JOIN legal_hold
        ON (scope, subject) IN (VALUES ('project', project_id), ('conversation', conversation.id))
        WHERE attached.file = old.id
    )
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER picture_held BEFORE DELETE ON picture
WHEN EXISTS (SELECT 1 FROM legal_hold) AND (
    EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
    OR EXISTS (
        SELECT 1 FROM conversation JOIN legal_hold
        ON (scope, subject) IN (VALUES ('project', project_id), ('conversation', conversation.id))
        WHERE conversation.id = old.conversation
    )
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER canvas_held BEFORE DELETE ON canvas
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('project', project_id), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER workspace_file_held BEFORE DELETE ON workspace_file
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('project', project_id), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER project_held BEFORE DELETE ON project
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE (scope, subject) IN (VALUES ('person', old.owner), ('project', old.id)))
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
