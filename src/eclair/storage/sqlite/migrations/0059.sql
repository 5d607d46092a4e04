-- a deleted project can be restored for a while: `deleted` is the millisecond of its deletion; until it is erased, its
-- name is kept in `deleted_name`, and its id stands in for that, so that the name is free
ALTER TABLE project ADD COLUMN deleted INTEGER;
ALTER TABLE project ADD COLUMN deleted_name TEXT;
CREATE INDEX project_deleted ON project (deleted) WHERE deleted IS NOT NULL;
CREATE TRIGGER project_held_listed BEFORE UPDATE OF deleted ON project
WHEN new.deleted IS NOT NULL AND EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject) IN (VALUES ('person', old.owner), ('project', old.id))
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
