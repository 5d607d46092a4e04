-- conversations that their authors show to the members of the project that they are in; `shown` is in milliseconds
CREATE TABLE project_conversation (
    conversation text COLLATE "C" PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    project      text COLLATE "C" NOT NULL REFERENCES project ON DELETE CASCADE,
    shown        bigint NOT NULL
);
CREATE INDEX project_conversations ON project_conversation (project);
