-- a deleted project can be restored for a while: `deleted` is the millisecond of its deletion; until it is erased, its
-- name is kept in `deleted_name`, and its id stands in for that, so that the name is free
ALTER TABLE project ADD COLUMN deleted bigint;
ALTER TABLE project ADD COLUMN deleted_name text COLLATE "C";
CREATE INDEX project_deleted ON project (deleted) WHERE deleted IS NOT NULL;
CREATE FUNCTION project_held_listed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF new.deleted IS NOT NULL AND EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject) IN (VALUES ('person', old.owner), ('project', old.id))
) THEN
        RAISE EXCEPTION 'legal hold';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER project_held_listed BEFORE UPDATE OF deleted ON project FOR EACH ROW
EXECUTE FUNCTION project_held_listed();
