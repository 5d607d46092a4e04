-- conversations that their authors show to the members of the project that they are in; `shown` is in milliseconds
CREATE TABLE project_conversation (
    conversation TEXT PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    project      TEXT NOT NULL REFERENCES project ON DELETE CASCADE,
    shown        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX project_conversations ON project_conversation (project);
