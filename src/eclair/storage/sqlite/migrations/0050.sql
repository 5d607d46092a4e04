-- a project has a library of its own, which its members use as they use the project, and names others (a list in JSON);
-- memories that are kept in a project are used there, with the person's other ones if `memory` is both
ALTER TABLE project ADD COLUMN library TEXT;
ALTER TABLE project ADD COLUMN libraries TEXT NOT NULL DEFAULT '[]';
ALTER TABLE project ADD COLUMN memory TEXT NOT NULL DEFAULT 'own';
CREATE INDEX project_with_library ON project (library) WHERE library IS NOT NULL;
CREATE TRIGGER project_library_gone AFTER DELETE ON library BEGIN
    UPDATE project SET library = NULL WHERE library = old.id;
END;
ALTER TABLE memory ADD COLUMN project_id TEXT;
CREATE INDEX memory_of_project ON memory (project_id) WHERE project_id IS NOT NULL;
CREATE TRIGGER project_memories_gone AFTER DELETE ON project BEGIN
    DELETE FROM memory WHERE project_id = old.id
    AND NOT EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = memory.owner);
END;
